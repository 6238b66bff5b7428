//! Applications as one account sees them (contract, section 4).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::catalog::{Application, InputField};
use crate::clock::Timestamp;
use crate::connections::{self, Connection};
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Account, KeyAccount, Params, Segment, SessionAccount};
use crate::ids::derived_id;
use crate::tenants::{Environment, Tenant};

/// An application, and how the account stands with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    name: String,
    slug: String,
    /// Equals the slug; `custom` for an application of the operator's own.
    #[serde(rename = "type")]
    kind: String,
    app_id: String,
    icon: String,
    description: String,
    /// The primary auth type: `oauth2` or `keybased`.
    auth_type: &'static str,
    /// What to ask the customer for, by supported auth type.
    #[schema(value_type = HashMap<String, Vec<Value>>)]
    auth_type_options: Map<String, Value>,
    /// What to ask the customer for, for the primary auth type.
    #[schema(value_type = Vec<Value>)]
    auth_input_map: Vec<InputField>,
    tags: Vec<String>,
    version: VersionView,
    ecosystem: bool,
    /// Shown above the connect form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    help: Option<String>,
    /// `true`, and only there, once connected; it stays while expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    connected_accounts: Option<Vec<ConnectedAccount>>,
    /// Whether the customer must reconnect.
    reauth_required: bool,
}

/// The version of an application's file.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    #[serde(rename = "_v")]
    version: String,
    description: String,
}

/// One connection of the account, as SDKs read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectedAccount {
    /// The external account: text or an object, `NA` when unknown.
    identifier: Value,
    /// When the customer last connected.
    #[serde(rename = "connectedAt")]
    connected_at: String,
    auth_type: &'static str,
    /// `active` or `expired`.
    status: &'static str,
    /// The connection's id, stable through every repair.
    connection_id: String,
    /// Why it is expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
    /// Since when it has been expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    since: Option<String>,
    /// Whether it will end, and soon: `expected_end` is near, and no refresh will move it.
    expires_soon: bool,
    /// When it ends unless something is done, as far as that can be foreseen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expected_end: Option<String>,
    /// How that is known: `stated` by the provider, `known_lifetime`, `idle_limit` or `unknown`.
    expected_end_basis: &'static str,
}

impl ConnectedAccount {
    fn new(connection: &Connection) -> Self {
        let flag = connection.status.flag();
        Self {
            identifier: connection.identifier_or_na(),
            connected_at: connection.connected_at.iso(),
            auth_type: connection.auth_type.as_str(),
            status: if flag.is_some() { "expired" } else { "active" },
            connection_id: connection.id.to_string(),
            reason: flag.map(|flag| flag.reason.as_str()),
            since: flag.map(|flag| flag.since.iso()),
            expires_soon: connections::expires_soon(connection),
            expected_end: connection.schedule.expected.end.map(Timestamp::iso),
            expected_end_basis: connection.schedule.expected.basis.as_str(),
        }
    }
}

impl ApplicationView {
    fn new(app: &App, application: &Application, live: &[Connection]) -> Self {
        let mine: Vec<_> = live.iter().filter(|one| one.slug == application.slug).collect();
        let kind = if application.custom {
            "custom"
        } else {
            application.slug.as_str()
        };
        Self {
            name: application.name.clone(),
            slug: application.slug.clone(),
            kind: kind.to_owned(),
            app_id: derived_id("application", &application.slug),
            icon: icon_url(app, &application.slug),
            description: application.description.clone(),
            auth_type: application.auth_type.as_str(),
            auth_type_options: application.auth_type_options(),
            auth_input_map: application.auth_input_map().to_vec(),
            tags: application.tags.clone(),
            version: VersionView {
                version: application.version.clone(),
                description: application.description.clone(),
            },
            ecosystem: false,
            help: application.help.clone(),
            connected: (!mine.is_empty()).then_some(true),
            connected_accounts: (!mine.is_empty()).then(|| mine.iter().map(|one| ConnectedAccount::new(one)).collect()),
            reauth_required: mine.iter().any(|one| one.is_flagged()),
        }
    }
}

/// Where an application's icon is.
pub(in crate::http) fn icon_url(app: &App, slug: &str) -> String {
    app.url(&format!("/icons/{slug}.svg"))
}

/// The application of a slug, or what a caller is told when there is none.
pub(in crate::http) fn application(app: &App, tenant: &Tenant, slug: &str) -> Result<Arc<Application>, Error> {
    app.catalog
        .get(slug)
        .filter(|application| is_offered(application, tenant))
        .cloned()
        .ok_or_else(|| Error::ApplicationNotFound {
            slug: shown_slug(slug),
            org: tenant.org.to_string(),
        })
}

/// Whether an environment may use an application: customers are not connected to the sandbox.
pub(in crate::http) fn is_offered(application: &Application, tenant: &Tenant) -> bool {
    !application.sandbox || tenant.environment == Environment::Test
}

/// A slug as a message repeats it. `undefined` is what version 9 of the browser SDK sends when it is called like
/// version 8, `connect("slack")`: the message then says so (contract, section 6.4).
fn shown_slug(slug: &str) -> String {
    if slug == "undefined" {
        return "undefined (this SDK version expects connect({ slug }), not connect(slug))".to_owned();
    }
    slug.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Which applications to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only this one.
    slug: Option<String>,
    /// Only those with one of these tags, separated by commas.
    tags: Option<String>,
    /// `true` lists none: there are no ecosystem applications here.
    ecosystem: Option<String>,
    /// Only those that support this auth type.
    auth_type: Option<String>,
}

impl Filter {
    fn keeps(&self, application: &Application) -> bool {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let slug = given(&self.slug).is_none_or(|slug| slug == application.slug);
        let has = |tag: &str| {
            application
                .tags
                .iter()
                .any(|known| known.eq_ignore_ascii_case(tag.trim()))
        };
        let tags = given(&self.tags).is_none_or(|tags| tags.split(',').any(has));
        let ecosystem = self.ecosystem.as_deref() != Some("true");
        let kind =
            given(&self.auth_type).is_none_or(|word| application.auth_types().iter().any(|kind| kind.as_str() == word));
        slug && tags && ecosystem && kind
    }
}

async fn list(app: &App, on: &Account, filter: &Filter) -> Result<Json<Vec<ApplicationView>>, ApiError> {
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    let shown = app
        .catalog
        .all()
        .into_iter()
        .filter(|application| filter.keeps(application) && is_offered(application, &on.tenant));
    Ok(Json(
        shown
            .map(|application| ApplicationView::new(app, application, &live))
            .collect(),
    ))
}

async fn one(app: &App, on: &Account, slug: &str) -> Result<Json<ApplicationView>, ApiError> {
    let application = application(app, &on.tenant, slug)?;
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    Ok(Json(ApplicationView::new(app, &application, &live)))
}

/// Every application, and how the account stands with each.
#[utoipa::path(get, path = "/api/v2/public/application", tag = "applications", params(Filter),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = Vec<ApplicationView>), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list_public(
    State(app): State<App>,
    KeyAccount(on): KeyAccount,
    Params(filter): Params<Filter>,
) -> Result<Json<Vec<ApplicationView>>, ApiError> {
    list(&app, &on, &filter).await
}

/// One application, and how the account stands with it.
#[utoipa::path(get, path = "/api/v2/public/application/{slug}", tag = "applications",
    params(("slug" = String, Path, description = "The application")),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = ApplicationView), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get_public(
    State(app): State<App>,
    KeyAccount(on): KeyAccount,
    Segment(slug): Segment,
) -> Result<Json<ApplicationView>, ApiError> {
    one(&app, &on, &slug).await
}

/// Every application, for the browser SDK.
#[utoipa::path(get, path = "/api/v2/f-sdk/application", tag = "applications", security(("session" = [])),
    responses((status = 200, body = Vec<ApplicationView>), (status = 401, body = ErrorBody)))]
pub async fn list_sdk(
    State(app): State<App>,
    SessionAccount(on): SessionAccount,
) -> Result<Json<Vec<ApplicationView>>, ApiError> {
    list(&app, &on, &Filter::default()).await
}

/// One application, for the browser SDK: what it polls while a customer connects.
#[utoipa::path(get, path = "/api/v2/f-sdk/application/{slug}", tag = "applications",
    params(("slug" = String, Path, description = "The application")), security(("session" = [])),
    responses((status = 200, body = ApplicationView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn get_sdk(
    State(app): State<App>,
    SessionAccount(on): SessionAccount,
    Segment(slug): Segment,
) -> Result<Json<ApplicationView>, ApiError> {
    one(&app, &on, &slug).await
}

/// Which values `migrate-token` takes for an application, by auth type. Custom applications show none.
#[utoipa::path(get, path = "/api/v2/public/auth-structure/{slug}", tag = "applications",
    params(("slug" = String, Path, description = "The application")), security(()),
    responses((status = 200, description = "auth type, then field, then its type", body = Value),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn auth_structure(State(app): State<App>, Segment(slug): Segment) -> Result<Json<Value>, ApiError> {
    let application = app
        .catalog
        .get(&slug)
        .ok_or_else(|| Error::SchemaNotFound(shown_slug(&slug)))?;
    if application.custom {
        return Ok(Json(Value::Object(Map::new())));
    }
    let structure = serde_json::to_value(application.auth_structure());
    Ok(Json(
        structure.map_err(|_| Error::Internal("an auth structure is plain JSON"))?,
    ))
}
