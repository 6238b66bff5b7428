//! Sandbox SMS: an API whose callers hold a key, sent as `x-sandbox-key`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::Sandbox;
use super::model::{Account, Death, Key, lookup};
use crate::ids;

/// The header that carries the key.
const KEY_HEADER: &str = "x-sandbox-key";

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/sms/me", get(me))
        .route("/sms/messages", post(send))
}

#[derive(Deserialize)]
struct Message {
    to: String,
    text: String,
}

/// `GET /sms/me`: whose key this is.
async fn me(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, |account| {
        Json(json!({ "id": account.id, "name": account.company, "email": account.email })).into_response()
    })
    .await
}

/// `POST /sms/messages`: pretends to send a message.
async fn send(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let id = ids::RowId::new(sandbox.now());
    answer(&sandbox, &headers, |_| match serde_json::from_slice::<Message>(&body) {
        Ok(message) if !message.to.is_empty() => {
            let sent =
                json!({ "id": id, "to": message.to, "length": message.text.chars().count(), "status": "queued" });
            (StatusCode::ACCEPTED, Json(sent)).into_response()
        }
        _ => refuse(
            StatusCode::BAD_REQUEST,
            "invalid_message",
            "send JSON with `to` and `text`",
        ),
    })
    .await
}

async fn answer(sandbox: &Sandbox, headers: &HeaderMap, work: impl FnOnce(&Account) -> Response) -> Response {
    let hash = headers
        .get(KEY_HEADER)
        .and_then(|value| value.to_str().ok())
        .map(|value| lookup(value.trim()));
    let found = |key: &&Key| Some(&key.hash) == hash.as_ref();
    let tenant = sandbox.state().keys.values().find(found).map(|key| key.tenant.clone());
    let checked = || {
        let known = sandbox
            .state()
            .keys
            .values()
            .find(found)
            .map(|key| (key.account, key.death));
        match known {
            Some((account, None)) => work(account),
            Some((_, Some(Death::Uninstalled))) => refuse(
                StatusCode::UNAUTHORIZED,
                "app_uninstalled",
                "the app was uninstalled from this account",
            ),
            Some((_, Some(Death::Expired))) => {
                refuse(StatusCode::UNAUTHORIZED, "invalid_api_key", "the API key has expired")
            }
            Some((_, Some(Death::Revoked))) | None => refuse(
                StatusCode::UNAUTHORIZED,
                "invalid_api_key",
                "the API key was revoked or never existed",
            ),
        }
    };
    sandbox.under_weather(tenant, checked).await
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "error": { "code": code, "message": message } });
    (status, Json(body)).into_response()
}
