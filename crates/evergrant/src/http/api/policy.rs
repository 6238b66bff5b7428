//! What an environment's customers may do.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody};
use crate::tenants::{self, AccountSwitch};

/// The environment's policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policy {
    /// What happens when a customer reconnects with another account at the provider than before: `refuse` (nothing
    /// changes, and the customer is told which account was expected) or `ask` (the customer may knowingly replace it).
    account_switch: &'static str,
}

/// What is to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct PolicyBody {
    /// `refuse` or `ask`.
    #[schema(value_type = String)]
    account_switch: Option<String>,
}

/// The environment's policy.
#[utoipa::path(get, path = "/api/v2/public/environment/policy", tag = "environment", security(("api_key" = [])),
    responses((status = 200, body = Policy), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn get(State(app): State<App>, admin: Admin) -> Result<Json<Policy>, ApiError> {
    let policy = tenants::store::account_switch(&mut *app.db.read().await?, &admin.tenant.id).await?;
    Ok(Json(Policy {
        account_switch: policy.as_str(),
    }))
}

/// Changes the environment's policy.
#[utoipa::path(put, path = "/api/v2/public/environment/policy", tag = "environment", request_body = PolicyBody,
    security(("api_key" = [])),
    responses((status = 200, body = Policy), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn put(
    State(app): State<App>,
    admin: Admin,
    JsonBody(body): JsonBody<PolicyBody>,
) -> Result<Json<Policy>, ApiError> {
    let policy = body
        .account_switch
        .and_then(|word| AccountSwitch::parse(&word))
        .ok_or_else(|| Error::invalid("account_switch must be refuse or ask"))?;
    tenants::set_account_switch(&app, &admin.tenant, policy, admin.key.id.as_str()).await?;
    Ok(Json(Policy {
        account_switch: policy.as_str(),
    }))
}
