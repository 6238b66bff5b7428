//! Linked accounts (contract, section 8).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::applications::icon_url;
use super::linked_account_view::{AccountBody, AccountDocument, Integration, Integrations};
use crate::accounts::{self, FieldFilter, Page, Record};
use crate::app::App;
use crate::authorize;
use crate::catalog::AuthType;
use crate::connections::{self, Connection};
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Account, Admin, Caller, JsonBody, Params, Segment, SessionAccount};
use crate::tenants::Tenant;

/// Which page of which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Counts from 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Documents per page; more than 100 are not given at once.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// Only accounts that have this key in `udf`.
    env_variable_name: Option<String>,
    /// Only accounts that have this value in `udf`, under that key if one is named.
    env_variable_value: Option<String>,
}

/// One page of linked accounts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountPage {
    docs: Vec<AccountDocument>,
    total_docs: u64,
    limit: u32,
    /// 1 where there is nothing.
    total_pages: u64,
    page: u32,
    /// The number of the page's first document, counted from 1.
    paging_counter: i64,
    has_prev_page: bool,
    has_next_page: bool,
    prev_page: Option<u32>,
    next_page: Option<u32>,
}

impl AccountPage {
    fn new(page: Page, docs: Vec<AccountDocument>, total_docs: u64) -> Self {
        let total_pages = total_docs.div_ceil(u64::from(page.size)).max(1);
        let (has_prev_page, has_next_page) = (page.number > 1, u64::from(page.number) < total_pages);
        Self {
            docs,
            total_docs,
            limit: page.size,
            total_pages,
            page: page.number,
            paging_counter: page.offset() + 1,
            has_prev_page,
            has_next_page,
            prev_page: has_prev_page.then(|| page.number - 1),
            next_page: has_next_page.then(|| page.number + 1),
        }
    }
}

/// The accounts of the environment, the oldest first.
#[utoipa::path(get, path = "/api/v2/public/linked-account", tag = "linked accounts", params(ListQuery),
    security(("api_key" = [])),
    responses((status = 200, body = AccountPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    Params(query): Params<ListQuery>,
) -> Result<Json<AccountPage>, ApiError> {
    let page = Page::new(query.page.unwrap_or(1), query.limit.unwrap_or(10))?;
    let filter = FieldFilter {
        name: query.env_variable_name,
        value: query.env_variable_value,
    };
    let (records, total) = accounts::list(&app, &admin.tenant, &filter, page).await?;
    let mut docs = Vec::with_capacity(records.len());
    for record in records {
        docs.push(document(&app, &admin.tenant, record).await?);
    }
    Ok(Json(AccountPage::new(page, docs, total)))
}

/// Creates an account.
#[utoipa::path(post, path = "/api/v2/public/linked-account", tag = "linked accounts", request_body = AccountBody,
    security(("api_key" = [])),
    responses((status = 200, body = AccountDocument), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(body): JsonBody<AccountBody>,
) -> Result<Json<AccountDocument>, ApiError> {
    let record = accounts::create(&app, &admin.tenant, &body.into_change(None)?).await?;
    Ok(Json(AccountDocument::new(&admin.tenant, record, Integrations::Null)))
}

/// Changes an account, or creates it. What is not sent stays as it is; `null` in `udf` removes a key. A session token
/// changes its own account, whatever id the body names.
#[utoipa::path(put, path = "/api/v2/public/linked-account", tag = "linked accounts", request_body = AccountBody,
    security(("api_key" = []), ("session" = [])),
    responses((status = 200, body = AccountDocument), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn upsert(
    State(app): State<App>,
    caller: Caller,
    JsonBody(body): JsonBody<AccountBody>,
) -> Result<Json<AccountDocument>, ApiError> {
    let (tenant, own) = match caller {
        Caller::Key(admin) => (admin.tenant, None),
        Caller::Session(own) => (own.tenant, Some(own.account.account_id)),
    };
    let (record, new) = accounts::upsert(&app, &tenant, &body.into_change(own)?).await?;
    let document = AccountDocument::new(&tenant, record, Integrations::Absent);
    Ok(Json(document.marked_new(new)))
}

/// One account. A session token sees its own only.
#[utoipa::path(get, path = "/api/v2/public/linked-account/{linked_account_id}", tag = "linked accounts",
    params(("linked_account_id" = String, Path, description = "The caller's own id of its customer")),
    security(("api_key" = []), ("session" = [])),
    responses((status = 200, body = AccountDocument), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<AccountDocument>, ApiError> {
    let (tenant, account) = match caller {
        Caller::Key(admin) => {
            let account = accounts::find(&app, &admin.tenant, &id).await?;
            (admin.tenant, account)
        }
        Caller::Session(own) if own.account.account_id == id => (own.tenant, own.account),
        Caller::Session(own) => {
            return Err(Error::AccountNotFound {
                id,
                org: own.tenant.org.to_string(),
                environment: own.tenant.environment.as_str(),
            }
            .into());
        }
    };
    let record = accounts::record(&app, &tenant, account).await?;
    Ok(Json(document(&app, &tenant, record).await?))
}

/// The answer of a deletion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    #[schema(example = "User deleted successfully")]
    message: &'static str,
}

/// Deletes an account: revokes its tokens at the providers, disconnects it everywhere, ends its sessions.
#[utoipa::path(delete, path = "/api/v2/public/linked-account/{linked_account_id}", tag = "linked accounts",
    params(("linked_account_id" = String, Path, description = "The caller's own id of its customer")),
    security(("api_key" = [])),
    responses((status = 200, body = Deleted), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn delete(State(app): State<App>, admin: Admin, Segment(id): Segment) -> Result<Json<Deleted>, ApiError> {
    let account = accounts::find(&app, &admin.tenant, &id).await?;
    authorize::delete_account(&app, &admin.tenant, &account, admin.key.id.as_str()).await?;
    Ok(Json(Deleted {
        message: "User deleted successfully",
    }))
}

/// The account of the session token.
#[utoipa::path(get, path = "/api/v2/public/session/active-linked-account", tag = "linked accounts",
    security(("session" = [])),
    responses((status = 200, body = AccountDocument), (status = 401, body = ErrorBody)))]
pub async fn active(
    State(app): State<App>,
    SessionAccount(Account { tenant, account, .. }): SessionAccount,
) -> Result<Json<AccountDocument>, ApiError> {
    let record = accounts::record(&app, &tenant, account).await?;
    Ok(Json(document(&app, &tenant, record).await?))
}

/// The account as reading routes show it: with its integrations.
pub(super) async fn document(app: &App, tenant: &Tenant, record: Record) -> Result<AccountDocument, Error> {
    let live = connections::store::of_account(&mut *app.db.read().await?, &tenant.id, &record.account.id).await?;
    let integrations = live.iter().map(|one| integration(app, one)).collect();
    let integrations = Integrations::of(integrations, record.default_app.as_ref());
    Ok(AccountDocument::new(tenant, record, integrations))
}

fn integration(app: &App, connection: &Connection) -> Integration {
    let application = app.catalog.get(&connection.slug);
    let flagged = connection.is_flagged();
    Integration {
        id: connection.id.to_string(),
        kind: connection.slug.clone(),
        name: application.map_or_else(|| connection.slug.clone(), |application| application.name.clone()),
        icon: application.map(|application| icon_url(app, &application.slug)),
        app_id: None,
        identifier: connection.identifier_or_na(),
        is_default: false,
        reauth_required: flagged,
        refresh_token_expired: flagged && connection.auth_type == AuthType::OAuth2,
        created_at: connection.created_at.iso(),
        updated_at: connection.updated_at.iso(),
    }
}
