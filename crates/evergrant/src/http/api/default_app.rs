//! Credentials of the team's own application, for one account (contract, section 12).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::linked_account_view::as_text;
use crate::accounts;
use crate::app::App;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{AnyAccount, JsonBody, Segment};

/// A credential's value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct CredentialBody {
    /// A string as it is; anything else as it is written in JSON.
    #[schema(value_type = Value, required = true)]
    value: Option<Value>,
}

/// What became of a credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialChanged {
    success: bool,
    #[schema(example = "Auth credential 'api_key' added successfully")]
    message: String,
    /// `added` or `updated`; not there after a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    action: Option<&'static str>,
}

impl CredentialChanged {
    fn new(key: &str, verb: &str, action: Option<&'static str>) -> Json<Self> {
        Json(Self {
            success: true,
            message: format!("Auth credential '{key}' {verb} successfully"),
            action,
        })
    }
}

/// Sets one credential of the account's default app.
#[utoipa::path(put, path = "/api/v2/public/linked-account/default-app/auth-credentials/{key}", tag = "linked accounts",
    params(("key" = String, Path, description = "The credential's name")), request_body = CredentialBody,
    security(("api_key" = [], "linked_account" = []), ("session" = [])),
    responses((status = 200, body = CredentialChanged), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn put(
    State(app): State<App>,
    AnyAccount(on): AnyAccount,
    Segment(key): Segment,
    JsonBody(body): JsonBody<CredentialBody>,
) -> Result<Json<CredentialChanged>, ApiError> {
    let value = body.value.ok_or_else(|| Error::invalid("value is required"))?;
    let new = accounts::put_credential(&app, (&on.tenant, &on.account), &key, as_text(value)).await?;
    let action = if new { "added" } else { "updated" };
    Ok(CredentialChanged::new(&key, action, Some(action)))
}

/// Removes one credential of the account's default app.
#[utoipa::path(delete, path = "/api/v2/public/linked-account/default-app/auth-credentials/{key}",
    tag = "linked accounts", params(("key" = String, Path, description = "The credential's name")),
    security(("api_key" = [], "linked_account" = []), ("session" = [])),
    responses((status = 200, body = CredentialChanged), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delete(
    State(app): State<App>,
    AnyAccount(on): AnyAccount,
    Segment(key): Segment,
) -> Result<Json<CredentialChanged>, ApiError> {
    accounts::delete_credential(&app, &on.tenant, &on.account, &key).await?;
    Ok(CredentialChanged::new(&key, "deleted", None))
}
