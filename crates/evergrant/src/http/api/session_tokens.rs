//! Session tokens (contract, section 9).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::accounts;
use crate::app::App;
use crate::error::{Code, Error};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody, Params, SessionAccount};
use crate::sessions::{self, Wanted};

/// How the token is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IssueQuery {
    /// `true` for a new token, even while another could be handed out again.
    #[param(value_type = bool)]
    force_refresh: Option<String>,
}

/// For whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct IssueBody {
    /// The caller's own id of its customer.
    #[schema(value_type = String)]
    linked_account_id: Option<String>,
}

/// A session token.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedToken {
    /// For `Authorization: Bearer`.
    token: String,
    /// Part of the documented answer; nothing accepts it.
    refresh_token: String,
    /// Seconds that the token has left.
    expires_in: u64,
    /// Seconds that the refresh token would have left.
    refresh_expires_in: u64,
}

/// A session token for an account: one that still lives for a day, or else a new one.
#[utoipa::path(post, path = "/api/v2/public/session-token", tag = "sessions", params(IssueQuery),
    request_body = IssueBody, security(("api_key" = [])),
    responses((status = 200, body = IssuedToken), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn issue(
    State(app): State<App>,
    admin: Admin,
    Params(query): Params<IssueQuery>,
    JsonBody(body): JsonBody<IssueBody>,
) -> Result<Json<IssuedToken>, ApiError> {
    let id = body.linked_account_id.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Error::invalid("linked_account_id is required"))?;
    let account = accounts::find(&app, &admin.tenant, &id).await.map_err(as_documented)?;
    let wanted = Wanted {
        force_refresh: query.force_refresh.as_deref() == Some("true"),
        ..Wanted::default()
    };
    let issued = sessions::issue(&app, &admin.tenant, &account, wanted).await;
    let issued = issued.map_err(as_documented)?;
    let now = app.now();
    Ok(Json(IssuedToken {
        token: issued.token.expose().to_owned(),
        refresh_token: issued.refresh_token().expose().to_owned(),
        expires_in: issued.expires_at.since(now).as_secs(),
        refresh_expires_in: issued.refresh_expires_at.since(now).as_secs(),
    }))
}

/// An unknown account is 400 with a text of its own here (contract, section 9.4).
fn as_documented(error: Error) -> Error {
    match error {
        Error::AccountNotFound { id, environment, .. } => Error::Invalid {
            code: Code::InvalidLinkedAccountId,
            message: format!("No linked account found for account id : {id} in environment {environment}"),
        },
        other => other,
    }
}

/// The answer of a revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    success: bool,
    /// 1, or 0 where the token ended in the meantime.
    revoked_count: u8,
}

/// Ends the session whose token the request carries, at once.
#[utoipa::path(post, path = "/api/v2/public/session-token/revoke", tag = "sessions", security(("session" = [])),
    responses((status = 200, body = Revoked), (status = 401, body = ErrorBody)))]
pub async fn revoke(State(app): State<App>, SessionAccount(caller): SessionAccount) -> Result<Json<Revoked>, ApiError> {
    let session = caller.session.ok_or(Error::InvalidSessionToken)?;
    let done = sessions::revoke(&app, &caller.tenant.id, &session).await?;
    Ok(Json(Revoked {
        success: true,
        revoked_count: u8::from(done),
    }))
}
