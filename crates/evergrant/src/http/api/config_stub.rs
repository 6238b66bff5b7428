//! Configurations are not ours; the official React component cannot do without an answer (contract, section 14.1).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::applications::application;
use crate::app::App;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{JsonBody, SessionAccount};

/// Which configuration; whatever else is sent is not looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct ConfigBody {
    /// The application.
    #[schema(value_type = String)]
    slug: Option<String>,
    /// The linked account's id if it is not given.
    config_id: Option<String>,
}

/// A configuration with nothing to configure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigView {
    slug: String,
    config_id: String,
    fields: Vec<Value>,
    workflows: Vec<Value>,
    field_errors: Vec<Value>,
}

fn answer(app: &App, SessionAccount(caller): SessionAccount, body: ConfigBody) -> Result<Json<ConfigView>, ApiError> {
    let slug = body
        .slug
        .filter(|slug| !slug.is_empty())
        .ok_or_else(|| Error::invalid("slug is required"))?;
    let slug = application(app, &caller.tenant, &slug)?.slug.clone();
    Ok(Json(ConfigView {
        slug,
        config_id: body.config_id.unwrap_or(caller.account.account_id),
        fields: Vec::new(),
        workflows: Vec::new(),
        field_errors: Vec::new(),
    }))
}

/// The configuration of an application: there is nothing to configure.
#[utoipa::path(post, path = "/api/v2/f-sdk/config", tag = "sessions", request_body = ConfigBody,
    security(("session" = [])),
    responses((status = 200, body = ConfigView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn read(
    State(app): State<App>,
    caller: SessionAccount,
    JsonBody(body): JsonBody<ConfigBody>,
) -> Result<Json<ConfigView>, ApiError> {
    answer(&app, caller, body)
}

/// Saves a configuration: there is nothing to save.
#[utoipa::path(put, path = "/api/v2/f-sdk/config", tag = "sessions", request_body = ConfigBody,
    security(("session" = [])),
    responses((status = 200, body = ConfigView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn save(
    State(app): State<App>,
    caller: SessionAccount,
    JsonBody(body): JsonBody<ConfigBody>,
) -> Result<Json<ConfigView>, ApiError> {
    answer(&app, caller, body)
}
