//! The audit trail, for whoever keeps it elsewhere.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::cursor::{self, Place};
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, Params};
use crate::ids::RowId;
use crate::tenants::audit::{self, AuditFilter, AuditRow};

/// Which entries, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what was done by this: the id of an API key, or `operator`.
    actor: Option<String>,
    /// Only this action, such as `credential.read`.
    action: Option<String>,
    /// Only what was done to this: the id of a connection, of a key, or a slug.
    target: Option<String>,
    /// Only what was done then or later, ISO 8601.
    since: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Entries on a page, 1 to 500; 100 unless said otherwise.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// Who did what to what.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    id: String,
    /// When; of several alike, when the first of them was.
    at: String,
    /// `operator` (the command line), or the id of an API key.
    actor: String,
    /// Such as `key.revoke` or `credential.read`.
    action: String,
    /// An id, or a slug.
    target: String,
    /// How often: hand-outs of one connection to one key, written together, are one entry.
    times: i64,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id.to_string(),
            at: row.at.iso(),
            actor: row.actor,
            action: row.action,
            target: row.target,
            times: row.times,
        }
    }
}

/// A page of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    docs: Vec<AuditView>,
    /// Asks for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// Who did what to what in this environment, the newest first. Hand-outs appear at most a second after the fact.
#[utoipa::path(get, path = "/api/v2/public/audit", tag = "audit", params(AuditQuery), security(("api_key" = [])),
    responses((status = 200, body = AuditPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = cursor::limit(query.limit.as_deref())?;
    let text = |name: &str, word: Option<String>| match word.filter(|word| !word.is_empty()) {
        Some(word) if word.chars().any(char::is_control) => {
            Err(Error::invalid(format!("{name} must not hold control characters")))
        }
        word => Ok(word),
    };
    let filter = AuditFilter {
        actor: text("actor", query.actor)?,
        action: text("action", query.action)?,
        target: text("target", query.target)?,
        since: cursor::time("since", query.since.as_deref())?,
        after: Place::parse(query.cursor.as_deref())?.map(Place::dated).transpose()?,
    };
    let rows = audit::trail(&app, &admin.tenant, &filter, limit).await?;
    let full = rows.len() == usize::from(limit);
    let last = rows.last().map(|last: &AuditRow| Place::at(last.at, last.id.as_str()));
    Ok(Json(AuditPage {
        next_cursor: last.filter(|_| full).map(|place| place.to_string()),
        docs: rows.into_iter().map(AuditView::from).collect(),
    }))
}

impl Place {
    fn dated(self) -> Result<(Timestamp, RowId), Error> {
        let at = self.at.ok_or_else(cursor::wrong)?;
        Ok((at, RowId::trusted(self.id)))
    }
}
