//! The levers over HTTP, as JSON. Who may pull them is decided in front of this router.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Inventory, NewClient, Refused, Sandbox, Target, Weather};
use crate::secret::Secret;

/// Whose part of the sandbox the request may touch. The authenticating layer adds it to the request's extensions.
#[derive(Clone, Debug)]
pub struct SandboxTenant(pub String);

impl FromRequestParts<Sandbox> for SandboxTenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Sandbox) -> Result<Self, Refusal> {
        let tenant = parts.extensions.get::<Self>().cloned();
        tenant.ok_or(Refusal(
            StatusCode::UNAUTHORIZED,
            "nobody has authenticated this request".to_owned(),
        ))
    }
}

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/control", get(inventory))
        .route("/control/clients", post(register))
        .route("/control/keys", post(create_key))
        .route("/control/break", post(break_access))
        .route("/control/repair", post(repair))
        .route("/control/weather", post(set_weather))
        .route("/control/reset", post(reset))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientBody {
    client_id: String,
    client_secret: String,
    redirect_uris: Vec<String>,
    #[serde(default = "an_app")]
    name: String,
    #[serde(default = "yes")]
    refresh_tokens: bool,
}

fn an_app() -> String {
    "An app".to_owned()
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    #[serde(default)]
    account: Option<String>,
}

/// `GET /control`: clients, grants, keys, weather.
async fn inventory(State(sandbox): State<Sandbox>, SandboxTenant(tenant): SandboxTenant) -> Json<Inventory> {
    Json(sandbox.inventory(&tenant))
}

/// `POST /control/clients`: registers a client or replaces it.
async fn register(
    State(sandbox): State<Sandbox>,
    SandboxTenant(tenant): SandboxTenant,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: ClientBody = read(&body)?;
    let client_id = body.client_id.clone();
    let new = NewClient {
        client_id: body.client_id,
        name: body.name,
        secret: Secret::from(body.client_secret),
        redirect_uris: body.redirect_uris,
        refresh_tokens: body.refresh_tokens,
    };
    sandbox.register_client(&tenant, new)?;
    Ok(Json(json!({ "client_id": client_id })).into_response())
}

/// `POST /control/keys`: the only place that shows a key.
async fn create_key(
    State(sandbox): State<Sandbox>,
    SandboxTenant(tenant): SandboxTenant,
    body: Bytes,
) -> Result<Response, Refusal> {
    let body: KeyBody = read(&body)?;
    let key = sandbox.create_key(&tenant, body.account.as_deref())?;
    Ok(Json(json!({ "id": key.id, "key": key.value.expose() })).into_response())
}

/// `POST /control/break`
async fn break_access(
    State(sandbox): State<Sandbox>,
    SandboxTenant(tenant): SandboxTenant,
    body: Bytes,
) -> Result<Response, Refusal> {
    let target: Target = read(&body)?;
    Ok(Json(json!({ "broken": sandbox.break_access(&tenant, &target)? })).into_response())
}

/// `POST /control/repair`
async fn repair(
    State(sandbox): State<Sandbox>,
    SandboxTenant(tenant): SandboxTenant,
    body: Bytes,
) -> Result<Response, Refusal> {
    let target: Target = read(&body)?;
    Ok(Json(json!({ "mended": sandbox.repair(&tenant, &target)? })).into_response())
}

/// `POST /control/weather`: the whole weather; what is left out is off.
async fn set_weather(
    State(sandbox): State<Sandbox>,
    SandboxTenant(tenant): SandboxTenant,
    body: Bytes,
) -> Result<Response, Refusal> {
    let weather: Weather = read(&body)?;
    sandbox.set_weather(&tenant, weather);
    Ok(Json(json!({ "weather": weather })).into_response())
}

/// `POST /control/reset`
async fn reset(State(sandbox): State<Sandbox>, SandboxTenant(tenant): SandboxTenant) -> Json<Inventory> {
    sandbox.reset(&tenant);
    Json(sandbox.inventory(&tenant))
}

/// A body that is empty reads as `{}`. The message names no value: a body may hold a secret.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Refusal(
            StatusCode::BAD_REQUEST,
            format!("the body is not the JSON that is wanted here ({place})"),
        )
    })
}

/// Why a lever did not move: status and message. It travels with its response, too, so that who serves the levers can
/// give it the shape of its own errors.
#[derive(Clone, Debug)]
pub struct Refusal(StatusCode, String);

impl Refusal {
    /// What is wrong, for the caller.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.1
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::TakesAPerson | Refused::ClientId => StatusCode::CONFLICT,
            Refused::Secret | Refused::RedirectUris | Refused::Account => StatusCode::BAD_REQUEST,
        };
        Self(status, refused.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": "refused", "message": self.1 } });
        let mut response = (self.0, Json(body)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
