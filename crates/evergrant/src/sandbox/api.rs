//! The API of Sandbox CRM: bearer tokens (RFC 6750), errors that say what is wrong.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Sandbox;
use super::model::{Account, Death, State as Everything, TokenKind, lookup};
use crate::clock::Timestamp;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/api/me", get(me))
        .route("/api/contacts", get(contacts))
        .route("/api/echo", post(echo))
}

/// Why a token is refused.
#[derive(Clone, Copy)]
enum Denied {
    Missing,
    Revoked,
    Expired,
    Uninstalled,
    UnknownClient,
    Scope(&'static str),
}

/// `GET /api/me`: whose account this is. The cheapest way to see whether a token works.
async fn me(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    answer(
        &sandbox,
        &headers,
        None,
        |account| json!({ "id": account.id, "name": account.name, "email": account.email, "company": account.company }),
    )
    .await
}

/// `GET /api/contacts`
async fn contacts(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    answer(&sandbox, &headers, Some("contacts.read"), |account| {
        json!({
            "owner": account.id,
            "contacts": [
                { "id": "con_1", "name": "Chiyo Tanaka", "email": "chiyo@customer.example" },
                { "id": "con_2", "name": "Dilip Rao", "email": "dilip@customer.example" },
                { "id": "con_3", "name": "Edda Sørensen", "email": "edda@customer.example" },
            ],
        })
    })
    .await
}

/// `POST /api/echo`: gives back what it was sent, as text.
async fn echo(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    answer(
        &sandbox,
        &headers,
        Some("echo.write"),
        |account| json!({ "account": account.id, "echo": String::from_utf8_lossy(&body) }),
    )
    .await
}

async fn answer(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    scope: Option<&'static str>,
    body: impl FnOnce(&Account) -> Value,
) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| lookup(token.trim()));
    let tenant = token.as_ref().and_then(|token| tenant_of(&sandbox.state(), token));
    let work = || {
        let admitted = admit(&sandbox.state(), token.as_deref(), scope, sandbox.now());
        match admitted {
            Ok(account) => Json(body(account)).into_response(),
            Err(denied) => refuse(denied),
        }
    };
    sandbox.under_weather(tenant, work).await
}

fn tenant_of(state: &Everything, token: &str) -> Option<String> {
    let grant = state.grants.get(&state.tokens.get(token)?.grant)?;
    state.tenant_of_client(&grant.client_id)
}

fn admit(
    state: &Everything,
    token: Option<&str>,
    scope: Option<&'static str>,
    now: Timestamp,
) -> Result<&'static Account, Denied> {
    let token = state.tokens.get(token.ok_or(Denied::Missing)?).ok_or(Denied::Revoked)?;
    let grant = state.grants.get(&token.grant).ok_or(Denied::Revoked)?;
    if state.clients.get(&grant.client_id).is_none_or(|client| client.deleted) {
        return Err(Denied::UnknownClient);
    }
    match (&token.kind, grant.death) {
        (_, Some(Death::Uninstalled)) => return Err(Denied::Uninstalled),
        (_, Some(Death::Revoked)) | (TokenKind::Refresh { .. }, _) => return Err(Denied::Revoked),
        // The end of the refresh token shortens no access token's life.
        (_, Some(Death::Expired) | None) => {}
    }
    if token.expired(now) {
        return Err(Denied::Expired);
    }
    match scope {
        Some(scope) if !grant.scope.split_ascii_whitespace().any(|granted| granted == scope) => {
            Err(Denied::Scope(scope))
        }
        _ => Ok(grant.account),
    }
}

fn refuse(denied: Denied) -> Response {
    let (status, code, message, challenge) = match denied {
        // RFC 6750, section 3.1: no error code where no token was sent.
        Denied::Missing => (401, "token_missing", "send a bearer token", "Bearer".to_owned()),
        Denied::Revoked => invalid("token_revoked", "the token was revoked or never existed"),
        Denied::Expired => invalid("token_expired", "the token has expired"),
        Denied::Uninstalled => invalid("app_uninstalled", "the app was uninstalled from this account"),
        Denied::UnknownClient => invalid("unknown_client", "the app of this token no longer exists"),
        Denied::Scope(scope) => (
            403,
            "insufficient_scope",
            "the token lacks a scope",
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""),
        ),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let body = Json(json!({ "error": { "code": code, "message": message } }));
    let mut response = (status, body).into_response();
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn invalid(code: &'static str, message: &'static str) -> (u16, &'static str, &'static str, String) {
    (401, code, message, "Bearer error=\"invalid_token\"".to_owned())
}
