//! Connecting and disconnecting (contract, sections 6 and 7).

use axum::Json;
use axum::extract::{FromRequestParts, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::applications::application;
use super::linked_account_view::AccountDocument;
use super::linked_accounts::document;
use crate::accounts;
use crate::app::App;
use crate::authorize::{self, Asker, Begun, Inputs};
use crate::catalog::{Application, AuthType};
use crate::connections::Switch;
use crate::error::{Code, Error};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{
    Account, Admin, JsonBody, KeyAccount, Params, Segment, SessionAccount, WriterAccount, linked_account_id,
};
use crate::tenants::{self, AccountSwitch};

/// Where the customer's browser goes next.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthUrl {
    /// Absolute; opens once, within ten minutes, in one browser.
    #[serde(rename = "auth_url")]
    url: String,
    /// Names this authorisation in the message that our callback page posts to the page that asked.
    flow: String,
    /// Whether `auth_url` takes `return_to`, an address of the asking page that the browser comes back to: its origin is a
    /// return origin of the environment. Such a page can go to the provider itself where a popup is blocked.
    can_return: bool,
}

/// It worked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    success: bool,
    /// `true` where the application has no call that proves a key: it is stored as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    unverified: bool,
}

async fn auth_url(
    app: &App,
    on: &Account,
    (slug, query): (&str, Option<String>),
    asker: Asker,
) -> Result<Json<AuthUrl>, ApiError> {
    let application = application(app, &on.tenant, slug)?;
    let query = query.unwrap_or_default();
    let given = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    // SDKs put whatever payload they were given into the query: what the application does not ask for is not looked at.
    let fields = application.inputs(AuthType::OAuth2);
    let inputs: Inputs = given
        .filter(|(name, _)| fields.iter().any(|field| field.name == *name))
        .collect();
    let environment = tenants::store::get_environment(&mut *app.db.read().await?, &on.tenant.id).await?;
    let can_return = asker.can_return(&environment.return_origins);
    let wish = (&*application, inputs);
    let Begun { url, flow } = authorize::begin_for(app, (&on.tenant, &on.account), wish, asker).await?;
    Ok(Json(AuthUrl { url, flow, can_return }))
}

/// The page that asks, as its browser states it: `Origin`, which a page cannot forge, and which is left out where the page
/// is of our own origin.
fn asker(app: &App, headers: &HeaderMap) -> Asker {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = app.public_url.origin().ascii_serialization();
    let same = text("sec-fetch-site") == Some("same-origin");
    Asker::at(text(header::ORIGIN.as_str()).or(same.then_some(own.as_str())))
}

/// Begins to connect, or to reconnect, by OAuth 2.0. Nothing changes until the customer has consented.
#[utoipa::path(get, path = "/api/v1/{slug}/integrate", tag = "connecting",
    params(("slug" = String, Path, description = "The application")), security(("session" = [])),
    responses((status = 200, body = AuthUrl), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn integrate(
    State(app): State<App>,
    SessionAccount(on): SessionAccount,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<AuthUrl>, ApiError> {
    auth_url(&app, &on, (&slug, query), asker(&app, &headers)).await
}

/// The same, from a server.
#[utoipa::path(get, path = "/api/v2/public/linked-account/integration/oauth-url/{slug}", tag = "connecting",
    params(("slug" = String, Path, description = "The application")),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = AuthUrl), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn oauth_url(
    State(app): State<App>,
    // The link it makes replaces a connection: not for keys that may only look.
    WriterAccount(on): WriterAccount,
    Segment(slug): Segment,
    RawQuery(query): RawQuery,
) -> Result<Json<AuthUrl>, ApiError> {
    auth_url(&app, &on, (&slug, query), Asker::at(None)).await
}

/// Whether the caller knows what it does.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SaveQuery {
    /// `true`: take a key of another account at the provider than before, where the environment's policy is `ask`.
    switch_account: Option<String>,
}

async fn save_keys(
    app: &App,
    on: &Account,
    (slug, body): (&str, Map<String, Value>),
    query: SaveQuery,
) -> Result<Json<Saved>, ApiError> {
    let application = application(app, &on.tenant, slug)?;
    let policy = tenants::store::account_switch(&mut *app.db.read().await?, &on.tenant.id).await?;
    let switch = match (policy, query.switch_account.as_deref()) {
        (AccountSwitch::Ask, Some("true")) => Switch::Allowed,
        _ => Switch::Refused,
    };
    authorize::save_keys_as(app, (&on.tenant, &on.account), (&application, inputs(body)?), switch).await?;
    Ok(Json(Saved {
        success: true,
        unverified: !application.proves(AuthType::Keybased),
    }))
}

/// Connects, or reconnects, with typed-in values. A value that the provider refuses changes nothing.
#[utoipa::path(post, path = "/api/v2/app/{slug}/save", tag = "connecting",
    params(("slug" = String, Path, description = "The application"), SaveQuery), request_body = HashMap<String, Value>,
    security(("session" = [])),
    responses((status = 200, body = Saved), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub async fn save(
    State(app): State<App>,
    SessionAccount(on): SessionAccount,
    Segment(slug): Segment,
    Params(query): Params<SaveQuery>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<Saved>, ApiError> {
    save_keys(&app, &on, (&slug, body), query).await
}

/// The same, from a server.
#[utoipa::path(put, path = "/api/v2/public/linked-account/integration/save-key-credentials/{slug}", tag = "connecting",
    params(("slug" = String, Path, description = "The application"), SaveQuery), request_body = HashMap<String, Value>,
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = Saved), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 502, body = ErrorBody)))]
pub async fn save_public(
    State(app): State<App>,
    KeyAccount(on): KeyAccount,
    Segment(slug): Segment,
    Params(query): Params<SaveQuery>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<Saved>, ApiError> {
    save_keys(&app, &on, (&slug, body), query).await
}

/// Values as they are stored: text. Numbers and booleans are taken as they are written (contract, section 6.3).
fn inputs(body: Map<String, Value>) -> Result<Inputs, Error> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(flag) => Ok((name, flag.to_string())),
        Value::Null => Ok((name, String::new())),
        Value::Array(_) | Value::Object(_) => Err(Error::invalid(
            "the values must be texts, numbers or booleans, in one flat object",
        )),
    };
    body.into_iter().map(text).collect()
}

/// Credentials that a team brings along.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct Migration {
    /// The application.
    #[schema(value_type = String)]
    slug: Option<String>,
    /// Field and text, or auth type and such an object.
    #[schema(value_type = HashMap<String, Value>)]
    auth_object: Option<Map<String, Value>>,
    /// Used where neither header nor query name the account.
    linked_account_id: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct MigrationAnswer {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Integration - slack created")]
    message: Option<String>,
    /// Custom applications cannot be migrated; the documented answer is a 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
}

/// The account that header or query name, if they do.
#[derive(Debug)]
pub struct NamedAccount(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for NamedAccount {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(linked_account_id(parts)?))
    }
}

/// Stores credentials that a team brings along; over an existing connection they repair it in place.
#[utoipa::path(put, path = "/api/v2/public/migrate-token", tag = "connecting", request_body = Migration,
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = MigrationAnswer), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub async fn migrate(
    State(app): State<App>,
    admin: Admin,
    NamedAccount(named): NamedAccount,
    JsonBody(body): JsonBody<Migration>,
) -> Result<Json<MigrationAnswer>, ApiError> {
    let slug = body
        .slug
        .filter(|slug| !slug.is_empty())
        .ok_or_else(|| Error::invalid("slug is required"))?;
    let given = body
        .auth_object
        .ok_or_else(|| Error::invalid("auth_object is required"))?;
    let account = migrated_account(&app, &admin, named.or(body.linked_account_id)).await?;
    let application = application(&app, &admin.tenant, &slug)?;
    if application.custom {
        let error = Some("Custom apps are not supported for this endpoint.");
        return Ok(Json(MigrationAnswer {
            success: false,
            message: None,
            error,
        }));
    }
    let (auth_type, inputs) = auth_object(&application, given)?;
    let done = authorize::migrate(&app, &admin.tenant, &account, (&application, auth_type, inputs)).await?;
    let verb = if done.created { "created" } else { "updated" };
    let message = Some(format!("Integration - {slug} {verb}"));
    Ok(Json(MigrationAnswer {
        success: true,
        message,
        error: None,
    }))
}

async fn migrated_account(app: &App, admin: &Admin, id: Option<String>) -> Result<accounts::LinkedAccount, Error> {
    let code = Code::InvalidLinkedAccountId;
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Err(Error::Invalid {
            code,
            message: "linked_account_id required".to_owned(),
        });
    };
    accounts::find(app, &admin.tenant, &id)
        .await
        .map_err(|error| match error {
            Error::AccountNotFound { id, environment, .. } => Error::Invalid {
                code,
                message: format!("linked account with id {id} does not exist in {environment} environment"),
            },
            other => other,
        })
}

/// One key that names a supported auth type, with an object as its value, is the nested form; all else is flat and means
/// the application's primary auth type (contract, section 6.5).
fn auth_object(application: &Application, mut given: Map<String, Value>) -> Result<(AuthType, Inputs), Error> {
    let nested = given.len() == 1;
    let kind = given
        .keys()
        .next()
        .and_then(|key| AuthType::parse(key))
        .filter(|kind| nested && application.supports(*kind));
    if let Some(kind) = kind
        && let Some(Value::Object(inner)) = given.get_mut(kind.as_str()).map(Value::take)
    {
        return texts(inner).map(|inputs| (kind, inputs));
    }
    texts(given).map(|inputs| (application.auth_type, inputs))
}

fn texts(given: Map<String, Value>) -> Result<Inputs, Error> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) if matches!(name.as_str(), "client_id" | "client_secret" | "callback_url") => {
            drop(text);
            Err(Error::invalid(format!(
                "`{name}` is not taken here: the OAuth client is set once per application, with `evergrant app client set`"
            )))
        }
        Value::String(text) => Ok((name, text)),
        _ => Err(Error::invalid("auth_object values must be valid strings")),
    };
    given.into_iter().map(text).collect()
}

/// Which connections to end.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DisconnectQuery {
    /// `oauth2` or `keybased`; without it, all of them.
    auth_type: Option<String>,
}

async fn disconnect(
    app: &App,
    on: Account,
    (slug, query): (&str, DisconnectQuery),
) -> Result<Json<AccountDocument>, ApiError> {
    let application = application(app, &on.tenant, slug)?;
    let wanted = query.auth_type.filter(|word| !word.is_empty());
    let auth_type = wanted
        .map(|word| AuthType::parse(&word).ok_or_else(|| Error::invalid("auth_type must be oauth2 or keybased")))
        .transpose()?;
    authorize::disconnect(app, &on.tenant, &on.account, (&application.slug, auth_type)).await?;
    let record = accounts::record(app, &on.tenant, on.account).await?;
    Ok(Json(document(app, &on.tenant, record).await?))
}

/// Disconnects: erases the credential, and gives the grant back at the provider where it takes it.
#[utoipa::path(delete, path = "/api/v1/linked-acc/integration/{slug}", tag = "connecting",
    params(("slug" = String, Path, description = "The application"), DisconnectQuery), security(("session" = [])),
    responses((status = 200, body = AccountDocument), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn disconnect_sdk(
    State(app): State<App>,
    SessionAccount(on): SessionAccount,
    Segment(slug): Segment,
    Params(query): Params<DisconnectQuery>,
) -> Result<Json<AccountDocument>, ApiError> {
    disconnect(&app, on, (&slug, query)).await
}

/// The same, from a server.
#[utoipa::path(delete, path = "/api/v2/public/linked-account/integration/{slug}", tag = "connecting",
    params(("slug" = String, Path, description = "The application"), DisconnectQuery),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = AccountDocument), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn disconnect_public(
    State(app): State<App>,
    KeyAccount(on): KeyAccount,
    Segment(slug): Segment,
    Params(query): Params<DisconnectQuery>,
) -> Result<Json<AccountDocument>, ApiError> {
    disconnect(&app, on, (&slug, query)).await
}
