//! Re-auth links: addresses that a team can put into an e-mail, each good for repairing one connection.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::Timestamp;
use crate::connections;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody, Segment};
use crate::ids::{ConnectionId, LinkId};
use crate::links::{self, DEFAULT_LIFE, Link};

/// How the link is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct LinkBody {
    /// Seconds that it lives: 604800 (seven days) unless said otherwise, at least 60, at most 7776000 (ninety days).
    #[schema(minimum = 60, maximum = 7_776_000)]
    expires_in: Option<u64>,
}

/// A new link. Its address is told this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewLink {
    id: String,
    /// What the customer opens. It holds a token: treat it as one.
    url: String,
    expires_at: String,
}

/// A link, without its address.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    id: String,
    /// `live`, `expired` or `revoked`; a live one works as long as the connection is broken.
    state: &'static str,
    /// Whether it is the one that events and errors about the break carry.
    automatic: bool,
    /// The break that it belongs to: since when the connection has been flagged.
    since: String,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
}

impl LinkView {
    /// As it stands at `now`.
    #[must_use]
    pub fn new(link: &Link, now: Timestamp) -> Self {
        Self {
            id: link.id.to_string(),
            state: link.state(now).as_str(),
            automatic: link.automatic,
            since: link.since.iso(),
            created_at: link.created_at.iso(),
            expires_at: link.expires_at.iso(),
            revoked_at: link.revoked_at.map(Timestamp::iso),
        }
    }
}

/// How many links were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedLinks {
    success: bool,
    revoked_count: u64,
}

fn connection_id(text: &str) -> Result<ConnectionId, Error> {
    text.parse().map_err(|_| Error::NotFound("Connection"))
}

/// Makes a link with which the customer can repair the connection; it must be `reauth_required`.
#[utoipa::path(post, path = "/api/v2/public/connection/{id}/reauth-link", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), request_body = LinkBody,
    security(("api_key" = [])),
    responses((status = 200, body = NewLink), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Segment(id): Segment,
    JsonBody(body): JsonBody<LinkBody>,
) -> Result<Json<NewLink>, ApiError> {
    let life = body.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
    let wish = (life, admin.key.id.as_str());
    let made = connections::reauth_link(&app, &admin.tenant, &connection_id(&id)?, wish).await?;
    Ok(Json(NewLink {
        id: made.link.id.to_string(),
        url: made.url,
        expires_at: made.link.expires_at.iso(),
    }))
}

/// The newest hundred links of a connection, without their addresses.
#[utoipa::path(get, path = "/api/v2/public/connection/{id}/reauth-link", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = Vec<LinkView>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<Vec<LinkView>>, ApiError> {
    let connection = connections::find(&app, &admin.tenant, &connection_id(&id)?).await?;
    let found = links::list(&app, &admin.tenant, &connection.id).await?;
    Ok(Json(found.iter().map(|link| LinkView::new(link, app.now())).collect()))
}

/// Ends every live link of a connection at once.
#[utoipa::path(delete, path = "/api/v2/public/connection/{id}/reauth-link", tag = "connections",
    params(("id" = String, Path, description = "The connection's id")), security(("api_key" = [])),
    responses((status = 200, body = RevokedLinks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn revoke_all(
    State(app): State<App>,
    admin: Admin,
    Segment(id): Segment,
) -> Result<Json<RevokedLinks>, ApiError> {
    let connection = connections::find(&app, &admin.tenant, &connection_id(&id)?).await?;
    let by = admin.key.id.as_str();
    let revoked_count = links::revoke(&app, &admin.tenant, (&connection.id, None), by).await?;
    Ok(Json(RevokedLinks {
        success: true,
        revoked_count,
    }))
}

/// Ends one live link at once.
#[utoipa::path(delete, path = "/api/v2/public/connection/{id}/reauth-link/{link}", tag = "connections",
    params(("id" = String, Path, description = "The connection's id"), ("link" = String, Path, description = "The link's id")),
    security(("api_key" = [])),
    responses((status = 200, body = RevokedLinks), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn revoke(
    State(app): State<App>,
    admin: Admin,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<Json<RevokedLinks>, ApiError> {
    let Path((id, link)) = path.map_err(|_| Error::invalid("the path is not UTF-8"))?;
    let link: LinkId = link.parse().map_err(|_| Error::NotFound("Re-auth link"))?;
    let connection = connections::find(&app, &admin.tenant, &connection_id(&id)?).await?;
    let by = admin.key.id.as_str();
    match links::revoke(&app, &admin.tenant, (&connection.id, Some(&link)), by).await? {
        0 => Err(Error::NotFound("Live re-auth link").into()),
        revoked_count => Ok(Json(RevokedLinks {
            success: true,
            revoked_count,
        })),
    }
}
