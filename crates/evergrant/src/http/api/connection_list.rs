//! Connections, page by page.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::connections::ConnectionView;
use super::cursor::{self, Place};
use crate::accounts;
use crate::app::App;
use crate::connections::{self, After, Filter, Listed, Standing};
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, Params, linked_account_id};
use crate::reason::Reason;
use crate::tenants::Tenant;

/// Which connections, and from where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `active`, `degraded` (active with trouble under way) or `reauth_required`.
    status: Option<String>,
    /// Only those flagged, or in trouble, for this reason.
    reason: Option<String>,
    /// Only those to this application.
    slug: Option<String>,
    /// Only those of this customer; the header of this name does the same.
    #[serde(rename = "linked_account_id")]
    #[param(rename = "linked_account_id")]
    _linked_account_id: Option<String>,
    /// Only those whose `expected_end` is before this and will come if nobody does anything; ISO 8601. The soonest first.
    expiring_before: Option<String>,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// Connections on a page, 1 to 500; 100 unless said otherwise.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// A page of live connections, without their timelines.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionPage {
    docs: Vec<ConnectionView>,
    /// Asks for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// The environment's live connections: the oldest first, or, with `expiring_before`, the soonest to end.
#[utoipa::path(get, path = "/api/v2/public/connection", tag = "connections", params(ListQuery),
    security(("api_key" = [])),
    responses((status = 200, body = ConnectionPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    Params(query): Params<ListQuery>,
    parts: Parts,
) -> Result<Json<ConnectionPage>, ApiError> {
    let limit = cursor::limit(query.limit.as_deref())?;
    let filter = filter(&app, &admin.tenant, (query, linked_account_id(&parts)?)).await?;
    let found = connections::list(&app, &admin.tenant, &filter, limit).await?;
    let last = found.last().filter(|_| found.len() == usize::from(limit));
    Ok(Json(ConnectionPage {
        next_cursor: last.map(|last| place(last).to_string()),
        docs: found
            .into_iter()
            .map(|one| ConnectionView::summary(&app.catalog, one.named))
            .collect(),
    }))
}

fn place(last: &Listed) -> Place {
    match last.place.ends {
        Some(ends) => Place::at(ends, &last.place.id),
        None => Place::of(&last.place.id),
    }
}

async fn filter(
    app: &App,
    tenant: &Tenant,
    (query, linked_account_id): (ListQuery, Option<String>),
) -> Result<Filter, Error> {
    let word = |word: Option<String>| word.filter(|word| !word.is_empty());
    let standing = word(query.status).map(|word| standing(&word)).transpose()?;
    let reason = word(query.reason).map(|word| reason(&word)).transpose()?;
    let slug = word(query.slug);
    if let Some(slug) = &slug {
        super::applications::application(app, tenant, slug)?;
    }
    let ends_before = cursor::time("expiring_before", query.expiring_before.as_deref())?;
    let after = Place::parse(query.cursor.as_deref())?;
    // A cursor of a list in the other order would leave a gap, and nobody would notice.
    if after
        .as_ref()
        .is_some_and(|after| after.at.is_some() != ends_before.is_some())
    {
        return Err(cursor::wrong());
    }
    let account = match linked_account_id {
        Some(id) => Some(accounts::find(app, tenant, &id).await?.id),
        None => None,
    };
    Ok(Filter {
        standing,
        reason,
        slug,
        account,
        ends_before,
        after: after.map(|Place { at, id }| After { ends: at, id }),
    })
}

fn standing(word: &str) -> Result<Standing, Error> {
    Standing::parse(word).ok_or_else(|| Error::invalid(format!("status must be one of {}", Standing::WORDS.join(", "))))
}

fn reason(word: &str) -> Result<Reason, Error> {
    Reason::parse(word).ok_or_else(|| {
        let known: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        Error::invalid(format!("reason must be one of {}", known.join(", ")))
    })
}
