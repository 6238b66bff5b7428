//! One connection, for the team's back end: how it stands, why, and what to do about it now.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::evidence::{EvidenceView, TimelineView};
use crate::accounts;
use crate::app::App;
use crate::catalog::Catalog;
use crate::connections::{self, Connection, ConnectionStatus, Named};
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, Segment};
use crate::ids::ConnectionId;
use crate::refresh::{self, Why};
use crate::tenants::Tenant;

/// A connection, without its credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionView {
    /// Stays the same through every repair.
    id: String,
    linked_account_id: Option<String>,
    slug: String,
    auth_type: &'static str,
    /// `active`, `reauth_required` or `disconnected`.
    status: &'static str,
    /// Why the customer must reconnect.
    reason: Option<&'static str>,
    /// Since when.
    since: Option<String>,
    /// `stated` by the provider, the team or the customer, or `inferred`.
    confidence: Option<&'static str>,
    /// Which rule decided, and which words.
    evidence: Option<EvidenceView>,
    /// Trouble under way on an active connection.
    trouble: Option<TroubleView>,
    /// The external account.
    identifier: Value,
    has_refresh_token: bool,
    /// When the access token ends.
    expires_at: Option<String>,
    /// When the connection ends unless something is done, as far as that can be foreseen.
    expected_end: Option<String>,
    /// How that is known: `stated` by the provider, `known_lifetime`, `idle_limit` or `unknown`.
    expected_end_basis: &'static str,
    /// Whether that end will come and is near. An end that each refresh moves comes only while refreshing fails.
    expires_soon: bool,
    /// When it is next refreshed or probed.
    next_due_at: Option<String>,
    /// When the provider last accepted the credential.
    last_ok_at: Option<String>,
    connected_at: String,
    created_at: String,
    updated_at: String,
    disconnected_at: Option<String>,
    /// The newest hundred entries, the newest first; of observations that changed nothing only the last five. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<TimelineView>, required = false)]
    timeline: Option<Vec<TimelineView>>,
}

/// Trouble under way: the connection is still served, and tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct TroubleView {
    verdict: &'static str,
    reason: Option<&'static str>,
    since: String,
    next_try: Option<String>,
}

impl ConnectionView {
    /// Reads what belongs to a connection.
    pub async fn of(app: &App, tenant: &Tenant, connection: Connection) -> Result<Self, Error> {
        let mut conn = app.db.read().await?;
        let account = accounts::store::get(&mut conn, &tenant.id, &connection.account).await?;
        let timeline = connections::store::timeline(&mut conn, &tenant.id, &connection.id).await?;
        let linked_account_id = account.map_or_else(String::new, |account| account.account_id);
        let application = app.catalog.get(&connection.slug).cloned();
        let told = timeline.into_iter();
        let told = told
            .map(|entry| TimelineView::of(entry, application.as_deref()))
            .collect();
        let named = Named {
            connection,
            linked_account_id,
        };
        Ok(Self {
            timeline: Some(told),
            ..Self::summary(&app.catalog, named)
        })
    }

    /// The same without its timeline, as lists show it.
    #[must_use]
    pub fn summary(catalog: &Catalog, named: Named) -> Self {
        let c = named.connection;
        let application = catalog.get(&c.slug);
        let next_due_at = c.schedule.due_at.map(crate::clock::Timestamp::iso);
        let flag = c.status.flag();
        let disconnected = if let ConnectionStatus::Disconnected { at } = c.status {
            Some(at.iso())
        } else {
            None
        };
        Self {
            linked_account_id: Some(named.linked_account_id).filter(|id| !id.is_empty()),
            auth_type: c.auth_type.as_str(),
            status: c.status.as_str(),
            reason: flag.map(|flag| flag.reason.as_str()),
            since: flag.map(|flag| flag.since.iso()),
            confidence: flag.map(|flag| flag.confidence.as_str()),
            evidence: flag.map(|flag| EvidenceView::of(flag.evidence.clone(), application.map(|found| &**found))),
            trouble: c.trouble.as_ref().map(|trouble| TroubleView {
                verdict: trouble.verdict.as_str(),
                reason: trouble.reason.map(crate::reason::Reason::as_str),
                since: trouble.since.iso(),
                next_try: next_due_at.clone(),
            }),
            identifier: c.identifier_or_na(),
            has_refresh_token: c.schedule.has_refresh_token,
            expires_at: c.schedule.expires_at.map(crate::clock::Timestamp::iso),
            expected_end: c.schedule.expected.end.map(crate::clock::Timestamp::iso),
            expected_end_basis: c.schedule.expected.basis.as_str(),
            expires_soon: connections::expires_soon(&c),
            next_due_at,
            last_ok_at: c.last_ok_at.map(crate::clock::Timestamp::iso),
            connected_at: c.connected_at.iso(),
            created_at: c.created_at.iso(),
            updated_at: c.updated_at.iso(),
            disconnected_at: disconnected,
            timeline: None,
            id: c.id.to_string(),
            slug: c.slug,
        }
    }
}

/// What was done, and how the connection stands after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// `renewed`, `not_needed`, `asked`, `failed`, `waited`, `superseded`, `unverified`, `paused` or `no_oauth_client`.
    outcome: &'static str,
    connection: ConnectionView,
}

pub(super) fn id_of(text: &str) -> Result<ConnectionId, Error> {
    text.parse().map_err(|_| Error::NotFound("Connection"))
}

/// How a connection stands, why, and what has happened to it.
#[utoipa::path(get, path = "/api/v2/public/connection/{id}", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = ConnectionView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<ConnectionView>, ApiError> {
    let connection = connections::find(&app, &admin.tenant, &id_of(&id)?).await?;
    Ok(Json(ConnectionView::of(&app, &admin.tenant, connection).await?))
}

/// Asks the provider now whether the connection works, refreshing first where that is needed.
#[utoipa::path(post, path = "/api/v2/public/connection/{id}/check", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = OutcomeView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn check(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<OutcomeView>, ApiError> {
    let done = refresh::check(&app, &admin.tenant, &id_of(&id)?).await?;
    let connection = ConnectionView::of(&app, &admin.tenant, done.connection).await?;
    Ok(Json(OutcomeView {
        outcome: done.did.as_str(),
        connection,
    }))
}

/// Refreshes the connection's tokens now; a key is asked about instead.
#[utoipa::path(post, path = "/api/v2/public/connection/{id}/refresh", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = OutcomeView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn refresh(
    State(app): State<App>,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Json<OutcomeView>, ApiError> {
    let id = id_of(&id)?;
    connections::find(&app, &admin.tenant, &id).await?;
    let done = refresh::renew(&app, &admin.tenant, &id, Why::Forced).await?;
    let connection = ConnectionView::of(&app, &admin.tenant, done.connection).await?;
    Ok(Json(OutcomeView {
        outcome: done.did.as_str(),
        connection,
    }))
}

/// Flags the connection by hand: reason `token_revoked`, stated, rule `manual`.
#[utoipa::path(post, path = "/api/v2/public/connection/{id}/expire", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = ConnectionView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn expire(
    State(app): State<App>,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Json<ConnectionView>, ApiError> {
    let connection = connections::expire(&app, &admin.tenant, &id_of(&id)?).await?;
    Ok(Json(ConnectionView::of(&app, &admin.tenant, connection).await?))
}
