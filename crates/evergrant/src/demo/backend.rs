//! What the page asks of its own server.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::upstream::{self, Said};
use crate::ids::ConnectionId;
use crate::sandbox::{Cause, SandboxApp, Target, Weather};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/demo/config", get(config))
        .route("/demo/session", post(session))
        .route("/demo/connection/{id}", get(connection))
        .route("/demo/connection/{id}/check", post(check))
        .route("/demo/webhooks", get(webhooks))
        .route("/demo/sandbox", get(sandbox))
        .route("/demo/key", post(key))
        .route("/demo/break/{app}/{cause}", post(break_access))
        .route("/demo/repair/{app}/{cause}", post(repair))
        .route("/demo/hosted", get(hosted))
        .route("/demo/weather", post(weather))
}

/// Where the front end finds Evergrant.
async fn config(State(desk): State<Shared>) -> Json<Value> {
    let page = &desk.page;
    Json(json!({
        "evergrant_url": page.evergrant_url.as_str().trim_end_matches('/'),
        "linked_account_id": page.linked_account_id,
    }))
}

/// A session token for the customer: all that a browser ever holds. Nothing else of the answer is passed on.
async fn session(State(desk): State<Shared>) -> Response {
    let body = json!({ "linked_account_id": desk.page.linked_account_id });
    let said = upstream::ask(&desk, Method::POST, "/api/v2/public/session-token", Some(body)).await;
    if said.status.is_success() {
        Json(json!({ "token": said.body["token"] })).into_response()
    } else {
        said.into_response()
    }
}

/// State, reason and evidence of a connection.
async fn connection(State(desk): State<Shared>, Path(id): Path<String>) -> Result<Said, Wrong> {
    let path = format!("/api/v2/public/connection/{}", connection_id(&id)?);
    Ok(upstream::ask(&desk, Method::GET, &path, None).await)
}

/// "Use it now": Evergrant tries the connection at the provider.
async fn check(State(desk): State<Shared>, Path(id): Path<String>) -> Result<Said, Wrong> {
    let path = format!("/api/v2/public/connection/{}/check", connection_id(&id)?);
    Ok(upstream::ask(&desk, Method::POST, &path, Some(json!({}))).await)
}

/// The latest webhooks, newest first.
async fn webhooks(State(desk): State<Shared>) -> Json<Value> {
    let mut list = desk.inbox.list();
    list.reverse();
    Json(json!({ "webhooks": list }))
}

/// What the sandbox holds for this team.
async fn sandbox(State(desk): State<Shared>) -> Response {
    Json(desk.page.sandbox.inventory(&desk.page.sandbox_tenant)).into_response()
}

/// A fresh key of Sandbox SMS, as the customer would copy it from that provider's settings.
async fn key(State(desk): State<Shared>) -> Result<Json<Value>, Wrong> {
    let key = desk.page.sandbox.create_key(&desk.page.sandbox_tenant, None)?;
    Ok(Json(json!({ "id": key.id, "key": key.value.expose() })))
}

/// To the page that Evergrant hosts for the customer: for products that build no settings page of their own.
async fn hosted(State(desk): State<Shared>) -> Response {
    let properties = json!({ "name": "Acme Corp", "redirect_url": desk.page.origin.as_str() });
    let said = upstream::ask(&desk, Method::POST, "/api/v2/public/connect-url", Some(properties)).await;
    match said.body["hosted_url"].as_str() {
        Some(url) => Redirect::to(url).into_response(),
        None => said.into_response(),
    }
}

/// The red buttons. The address says it all, so that a curl line is short.
async fn break_access(State(desk): State<Shared>, Path(path): Path<Lever>) -> Result<Json<Value>, Wrong> {
    let target = Target::from(path);
    let broken = desk.page.sandbox.break_access(&desk.page.sandbox_tenant, &target)?;
    Ok(Json(json!({ "broken": broken })))
}

/// Mends at the provider what can be mended there.
async fn repair(State(desk): State<Shared>, Path(path): Path<Lever>) -> Result<Json<Value>, Wrong> {
    let target = Target::from(path);
    let mended = desk.page.sandbox.repair(&desk.page.sandbox_tenant, &target)?;
    Ok(Json(json!({ "mended": mended })))
}

/// The provider's passing troubles.
async fn weather(State(desk): State<Shared>, body: Bytes) -> Result<Json<Value>, Wrong> {
    let weather: Weather = serde_json::from_slice(&body)
        .map_err(|_| Wrong("the body is not the weather that is wanted here".to_owned()))?;
    desk.page.sandbox.set_weather(&desk.page.sandbox_tenant, weather);
    Ok(Json(json!({ "weather": weather })))
}

/// What to break or mend: all that the customer has of an application.
#[derive(Deserialize)]
struct Lever {
    app: SandboxApp,
    cause: Cause,
}

impl From<Lever> for Target {
    fn from(Lever { app, cause }: Lever) -> Self {
        Self {
            app: Some(app),
            ..Self::everything(cause)
        }
    }
}

/// Parsed, so that nothing else of Evergrant's API can be reached through this back end.
fn connection_id(text: &str) -> Result<ConnectionId, Wrong> {
    text.parse()
        .map_err(|_| Wrong("this is not a connection's id".to_owned()))
}

/// The page (or a curl line) sent what cannot be done.
pub(super) struct Wrong(String);

impl From<crate::sandbox::Refused> for Wrong {
    fn from(refused: crate::sandbox::Refused) -> Self {
        Self(refused.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "message": self.0 }))).into_response()
    }
}
