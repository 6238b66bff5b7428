//! Incidents: what is wrong with an application as a whole.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::evidence::EvidenceView;
use crate::app::App;
use crate::catalog::Catalog;
use crate::clients;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, Params, Segment};
use crate::ids::IncidentId;
use crate::incidents::{self, Incident};

/// One problem of an application in one environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentView {
    id: String,
    slug: String,
    /// `suspected` (one witness), `confirmed` (two, independent of each other) or `closed`.
    state: &'static str,
    /// `oauth_client_secret_invalid` or `oauth_app_deleted`.
    reason: &'static str,
    /// Which rule decided first, and which words.
    evidence: EvidenceView,
    /// How often it was seen.
    observations: i64,
    opened_at: String,
    last_seen_at: String,
    confirmed_at: Option<String>,
    /// Since when it is a fact that the OAuth client is gone: the connections that use it are flagged.
    deleted_at: Option<String>,
    /// When a refresh next finds out whether it is over.
    next_try_at: Option<String>,
    closed_at: Option<String>,
    /// `works_again` or `hand`.
    closed_by: Option<&'static str>,
}

impl IncidentView {
    /// An incident of an application of this catalogue.
    #[must_use]
    pub fn of(catalog: &Catalog, incident: Incident) -> Self {
        let application = catalog.get(&incident.slug);
        let is_open = incident.closing.is_none();
        Self {
            state: incident.state(),
            id: incident.id.to_string(),
            slug: incident.slug,
            reason: incident.reason.as_str(),
            evidence: EvidenceView::of(incident.evidence, application.map(|found| &**found)),
            observations: incident.observations,
            opened_at: incident.opened_at.iso(),
            last_seen_at: incident.last_seen_at.iso(),
            confirmed_at: incident.confirmed_at.map(Timestamp::iso),
            deleted_at: incident.deleted_at.map(Timestamp::iso),
            next_try_at: is_open.then(|| incident.next_try_at.iso()),
            closed_at: incident.closing.map(|closing| closing.at.iso()),
            closed_by: incident.closing.map(|closing| closing.by.as_str()),
        }
    }
}

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `open` for those that are not over.
    state: Option<String>,
}

/// The newest hundred incidents of the environment, the newest first.
#[utoipa::path(get, path = "/api/v2/public/incident", tag = "incidents", params(ListQuery), security(("api_key" = [])),
    responses((status = 200, body = Vec<IncidentView>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    Params(query): Params<ListQuery>,
) -> Result<Json<Vec<IncidentView>>, ApiError> {
    let open_only = match query.state.as_deref() {
        None | Some("" | "all") => false,
        Some("open") => true,
        Some(_) => return Err(Error::invalid("state must be open or all").into()),
    };
    let found = incidents::list(&app, &admin.tenant, open_only).await?;
    let shown = found.into_iter().map(|one| IncidentView::of(&app.catalog, one));
    Ok(Json(shown.collect()))
}

fn id_of(text: &str) -> Result<IncidentId, Error> {
    text.parse().map_err(|_| Error::NotFound("Incident"))
}

/// One incident.
#[utoipa::path(get, path = "/api/v2/public/incident/{id}", tag = "incidents",
    params(("id" = String, Path, description = "The incident")), security(("api_key" = [])),
    responses((status = 200, body = IncidentView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<IncidentView>, ApiError> {
    let found = incidents::find(&app, &admin.tenant, &id_of(&id)?).await?;
    Ok(Json(IncidentView::of(&app.catalog, found)))
}

/// Closes an incident by hand: what it had stopped is tried again. One that is still there opens another.
#[utoipa::path(post, path = "/api/v2/public/incident/{id}/close", tag = "incidents",
    params(("id" = String, Path, description = "The incident")), security(("api_key" = [])),
    responses((status = 200, body = IncidentView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn close(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<IncidentView>, ApiError> {
    let by = admin.key.id.as_str();
    let closed = clients::close_incident(&app, &admin.tenant, &id_of(&id)?, by).await?;
    Ok(Json(IncidentView::of(&app.catalog, closed)))
}

/// How many connections were flagged.
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmed {
    flagged: usize,
}

/// Confirms that the OAuth client is gone at the provider: every connection that uses it is flagged `oauth_app_deleted`.
#[utoipa::path(post, path = "/api/v2/public/incident/{id}/confirm-deletion", tag = "incidents",
    params(("id" = String, Path, description = "The incident")), security(("api_key" = [])),
    responses((status = 200, body = Confirmed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn confirm_deletion(
    State(app): State<App>,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Json<Confirmed>, ApiError> {
    let by = admin.key.id.as_str();
    let flagged = clients::confirm_deletion(&app, &admin.tenant, &id_of(&id)?, by).await?;
    Ok(Json(Confirmed { flagged }))
}
