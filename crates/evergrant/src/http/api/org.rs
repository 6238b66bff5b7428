//! Whom a session token stands for (contract, section 11).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Account, SessionAccount};
use crate::tenants;

/// The organisation, and the account that the session token stands for.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrgBasics {
    org_id: String,
    #[serde(rename = "_id")]
    id: String,
    name: String,
    icon: Option<String>,
    #[schema(example = "test")]
    environment: &'static str,
    linked_account_id: String,
    linked_account: AccountBasics,
}

/// The account, in brief.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountBasics {
    #[serde(rename = "_id")]
    id: String,
    account_id: String,
    name: String,
}

/// The organisation and customer of the session token.
#[utoipa::path(get, path = "/api/v3/org/basics", tag = "sessions", security(("session" = [])),
    responses((status = 200, body = OrgBasics), (status = 401, body = ErrorBody)))]
pub async fn basics(
    State(app): State<App>,
    SessionAccount(Account { tenant, account, .. }): SessionAccount,
) -> Result<Json<OrgBasics>, ApiError> {
    let environment = tenants::store::get_environment(&mut *app.db.read().await?, &tenant.id).await?;
    let org = tenant.org.to_string();
    Ok(Json(OrgBasics {
        org_id: org.clone(),
        id: org,
        name: environment.org_name,
        icon: None,
        environment: tenant.environment.as_str(),
        linked_account_id: account.account_id.clone(),
        linked_account: AccountBasics {
            id: account.id.to_string(),
            account_id: account.account_id,
            name: account.name.unwrap_or_default(),
        },
    }))
}
