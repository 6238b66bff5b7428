//! The team's OAuth clients, and the origins of an environment.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::applications::application;
use crate::app::App;
use crate::clients::{self, NewClient, OAuthClient};
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody, Params, Segment};
use crate::secret::Secret;
use crate::tenants::{self, store};

/// An OAuth client, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientView {
    slug: String,
    client_id: String,
    /// Whether a secret is stored; it is never shown.
    has_secret: bool,
    /// What is asked for instead of the application's own scopes.
    scopes: Option<Vec<String>>,
    /// What to register at the provider.
    redirect_uri: String,
    created_at: String,
    updated_at: String,
}

impl ClientView {
    fn new(app: &App, client: OAuthClient) -> Self {
        Self {
            redirect_uri: app.url(&format!("/api/v1/{}/callback", client.slug)),
            client_id: client.client_id,
            has_secret: client.sealed_secret.is_some(),
            scopes: client.scopes,
            created_at: client.created_at.iso(),
            updated_at: client.updated_at.iso(),
            slug: client.slug,
        }
    }
}

/// An OAuth client as the team registered it at the provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct ClientBody {
    #[schema(value_type = String)]
    client_id: Option<String>,
    /// Left out for a public client.
    client_secret: Option<String>,
    /// Left out to ask for the application's own scopes.
    scopes: Option<Vec<String>>,
}

/// Whether the caller knows what it does.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RemoveQuery {
    /// `true`: flag every connection that uses the client.
    confirm: Option<String>,
}

/// How many connections were flagged.
#[derive(Debug, Serialize, ToSchema)]
pub struct Removed {
    flagged: usize,
}

/// The team's OAuth client for an application.
#[utoipa::path(get, path = "/api/v2/public/application/{slug}/oauth-client", tag = "oauth clients",
    params(("slug" = String, Path, description = "The application")), security(("api_key" = [])),
    responses((status = 200, body = ClientView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get(State(app): State<App>, admin: Admin, Segment(slug): Segment) -> Result<Json<ClientView>, ApiError> {
    application(&app, &admin.tenant, &slug)?;
    let found = clients::store::find(&mut *app.db.read().await?, &admin.tenant.id, &slug).await?;
    Ok(Json(ClientView::new(
        &app,
        found.ok_or(Error::NotFound("OAuth client"))?,
    )))
}

/// Sets the team's OAuth client for an application. Connections that the old one had broken are tried again.
#[utoipa::path(put, path = "/api/v2/public/application/{slug}/oauth-client", tag = "oauth clients",
    params(("slug" = String, Path, description = "The application")), request_body = ClientBody,
    security(("api_key" = [])),
    responses((status = 200, body = ClientView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn put(
    State(app): State<App>,
    admin: Admin,
    Segment(slug): Segment,
    JsonBody(body): JsonBody<ClientBody>,
) -> Result<Json<ClientView>, ApiError> {
    let new = NewClient {
        client_id: body.client_id.ok_or_else(|| Error::invalid("client_id is required"))?,
        secret: body.client_secret.map(Secret::from),
        scopes: body.scopes,
    };
    let client = clients::set(&app, &admin.tenant, &slug, new).await?;
    Ok(Json(ClientView::new(&app, client)))
}

/// Removes the team's OAuth client: the team's word that the app is gone.
#[utoipa::path(delete, path = "/api/v2/public/application/{slug}/oauth-client", tag = "oauth clients",
    params(("slug" = String, Path, description = "The application"), RemoveQuery), security(("api_key" = [])),
    responses((status = 200, body = Removed), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn remove(
    State(app): State<App>,
    admin: Admin,
    Segment(slug): Segment,
    Params(query): Params<RemoveQuery>,
) -> Result<Json<Removed>, ApiError> {
    application(&app, &admin.tenant, &slug)?;
    let confirmed = query.confirm.as_deref() == Some("true");
    let flagged = clients::remove(&app, &admin.tenant, &slug, confirmed).await?;
    Ok(Json(Removed { flagged }))
}

/// Where browsers may be sent back to, and who may frame hosted pages (contract section 19, row 11).
#[derive(Debug, Serialize, ToSchema)]
pub struct Origins {
    /// Origins of `redirect_url`, such as `https://app.example.com`.
    return_origins: Vec<String>,
    /// Origins that may show hosted pages in a frame.
    frame_origins: Vec<String>,
}

/// Lists that replace the environment's; one that is not sent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct OriginsBody {
    /// Origins of `redirect_url`, such as `https://app.example.com`.
    return_origins: Option<Vec<String>>,
    /// Origins that may show hosted pages in a frame.
    frame_origins: Option<Vec<String>>,
}

/// The environment's origins.
#[utoipa::path(get, path = "/api/v2/public/environment/origins", tag = "oauth clients", security(("api_key" = [])),
    responses((status = 200, body = Origins), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn origins(State(app): State<App>, admin: Admin) -> Result<Json<Origins>, ApiError> {
    let found = store::get_environment(&mut *app.db.read().await?, &admin.tenant.id).await?;
    Ok(Json(Origins {
        return_origins: found.return_origins,
        frame_origins: found.frame_origins,
    }))
}

/// Replaces the environment's origins.
#[utoipa::path(put, path = "/api/v2/public/environment/origins", tag = "oauth clients", request_body = OriginsBody,
    security(("api_key" = [])),
    responses((status = 200, body = Origins), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn set_origins(
    State(app): State<App>,
    admin: Admin,
    JsonBody(body): JsonBody<OriginsBody>,
) -> Result<Json<Origins>, ApiError> {
    let found = store::get_environment(&mut *app.db.read().await?, &admin.tenant.id).await?;
    let returns = checked(&body.return_origins.unwrap_or(found.return_origins))?;
    let frames = checked(&body.frame_origins.unwrap_or(found.frame_origins))?;
    tenants::set_origins(&app, &admin.tenant, (&returns, &frames), admin.key.id.as_str()).await?;
    Ok(Json(Origins {
        return_origins: returns,
        frame_origins: frames,
    }))
}

fn checked(origins: &[String]) -> Result<Vec<String>, Error> {
    if origins.len() > 50 {
        return Err(Error::invalid("at most 50 origins"));
    }
    origins.iter().map(|text| tenants::origin(text)).collect()
}
