//! How the back end asks Evergrant: with the team's API key, over HTTP, like any customer of it.

use axum::Json;
use axum::http::Method;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Desk;
use crate::egress::Request;
use crate::secret::Secret;

/// What Evergrant said.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// Calls `path` of Evergrant. Silence becomes a 502 that says so.
pub(super) async fn ask(desk: &Desk, method: Method, path: &str, body: Option<Value>) -> Said {
    let base = desk.page.evergrant_url.as_str().trim_end_matches('/');
    let Ok(url) = format!("{base}{path}").parse() else {
        return failed("the address is not a URL");
    };
    let mut request = Request::new(method, url)
        .header("x-api-key", desk.page.api_key.clone())
        .header("linked_account_id", desk.page.linked_account_id.clone());
    if let Some(body) = body {
        request = request.header("content-type", "application/json".to_owned());
        request.body = Some(Secret::from(body.to_string()));
    }
    match desk.page.egress.send(request).await {
        Ok(reply) => Said {
            status: StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY),
            body: serde_json::from_slice(&reply.body).unwrap_or(Value::Null),
        },
        Err(unreachable) => failed(&unreachable.to_string()),
    }
}

fn failed(message: &str) -> Said {
    Said {
        status: StatusCode::BAD_GATEWAY,
        body: json!({ "message": format!("Evergrant did not answer: {message}") }),
    }
}
