//! The token and revocation endpoints (RFC 6749, sections 2.3.1 and 3.2; RFC 7009).

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::Sandbox;
use super::grants::{self, Issued, Lives, Redemption, TokenRefusal};
use crate::secret::Secret;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/oauth/revoke", post(revoke))
}

/// Parameters; RFC 6749 (section 3.1 and 3.2) lets each appear once and reads an empty one as absent.
#[derive(Default)]
pub(super) struct Form(HashMap<String, Secret>);

impl Form {
    /// `None` when a parameter appears twice.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut known = HashMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let value = Secret::from(value.into_owned());
            if known.insert(name.into_owned(), value).is_some() {
                return None;
            }
        }
        Some(Self(known))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }

    fn demand(&self, name: &str, missing: &'static str) -> Result<&str, TokenRefusal> {
        self.get(name).ok_or(TokenRefusal::new("invalid_request", missing))
    }
}

/// Who calls, as it claims.
struct Caller {
    client_id: String,
    secret: Secret,
}

/// `POST /oauth/token`
async fn token(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&sandbox, &headers, &body, |form, caller| {
        let issued = grant(&sandbox, form, caller)?;
        Ok((StatusCode::OK, no_store(), Json(token_body(&issued))).into_response())
    })
    .await
}

/// `POST /oauth/revoke`: 200 whether the token was known or not (RFC 7009, section 2.2).
async fn revoke(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&sandbox, &headers, &body, |form, caller| {
        let token = form.demand("token", "token is missing")?;
        grants::revoke(&mut sandbox.state(), &caller.client_id, token);
        Ok(StatusCode::OK.into_response())
    })
    .await
}

/// Finds out who calls, lets the weather pass, checks the client, works.
async fn answer(
    sandbox: &Sandbox,
    headers: &HeaderMap,
    body: &[u8],
    work: impl FnOnce(&Form, &Caller) -> Result<Response, TokenRefusal>,
) -> Response {
    const TWICE: TokenRefusal = TokenRefusal::new("invalid_request", "a parameter appears twice");
    let read = Form::parse(body).ok_or(TWICE).and_then(|form| {
        let caller = identify(headers, &form)?;
        Ok((form, caller))
    });
    let (form, caller) = match read {
        Ok(read) => read,
        Err(refusal) => return refuse(refusal),
    };
    let tenant = sandbox.state().tenant_of_client(&caller.client_id);
    let checked = || {
        let known = grants::authenticate(sandbox.state().clients.get(&caller.client_id), &caller.secret);
        known.and_then(|()| work(&form, &caller)).unwrap_or_else(refuse)
    };
    sandbox.under_weather(tenant, checked).await
}

fn grant(sandbox: &Sandbox, form: &Form, caller: &Caller) -> Result<Issued, TokenRefusal> {
    let settings = sandbox.settings();
    let lives = Lives {
        access: settings.access_token_life,
        refresh: settings.refresh_token_life,
        leeway: settings.reuse_leeway,
    };
    let now = sandbox.now();
    match form.demand("grant_type", "grant_type is missing")? {
        "authorization_code" => {
            let given = Redemption {
                client_id: &caller.client_id,
                code: form.demand("code", "code is missing")?,
                redirect_uri: form.demand("redirect_uri", "redirect_uri is missing")?,
                verifier: form.demand("code_verifier", "code_verifier is missing")?,
            };
            grants::redeem(&mut sandbox.state(), &given, lives, now)
        }
        "refresh_token" => {
            let token = form.demand("refresh_token", "refresh_token is missing")?;
            grants::rotate(&mut sandbox.state(), &caller.client_id, token, lives, now)
        }
        _ => Err(TokenRefusal::new(
            "unsupported_grant_type",
            "authorization_code and refresh_token are supported",
        )),
    }
}

/// `client_secret_basic` or `client_secret_post`, never both (RFC 6749, section 2.3).
fn identify(headers: &HeaderMap, form: &Form) -> Result<Caller, TokenRefusal> {
    let basic = headers.get(header::AUTHORIZATION);
    match (basic, form.get("client_secret")) {
        (Some(_), Some(_)) => Err(TokenRefusal::new(
            "invalid_request",
            "the client authenticates in two ways at once",
        )),
        (Some(basic), None) => basic
            .to_str()
            .ok()
            .and_then(read_basic)
            .ok_or(TokenRefusal::client("the authorization header is not Basic", None)),
        (None, Some(secret)) => Ok(Caller {
            client_id: form.demand("client_id", "client_id is missing")?.to_owned(),
            secret: Secret::from(secret.to_owned()),
        }),
        (None, None) => Err(TokenRefusal::client("the client does not authenticate", None)),
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn read_basic(value: &str) -> Option<Caller> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = text.split_once(':')?;
    Some(Caller {
        client_id: form_decoded(client_id)?,
        secret: Secret::from(form_decoded(secret)?),
    })
}

fn form_decoded(text: &str) -> Option<String> {
    let pair = format!("v={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

fn token_body(issued: &Issued) -> Value {
    let mut body = Map::new();
    body.insert("access_token".into(), json!(issued.access.expose()));
    body.insert("token_type".into(), json!("Bearer"));
    body.insert("expires_in".into(), json!(issued.lives.as_secs()));
    if let Some(refresh) = &issued.refresh {
        body.insert("refresh_token".into(), json!(refresh.expose()));
    }
    body.insert("scope".into(), json!(issued.scope));
    Value::Object(body)
}

fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

fn refuse(refusal: TokenRefusal) -> Response {
    let mut body = json!({ "error": refusal.error, "error_description": refusal.description });
    if let (Some(code), Some(body)) = (refusal.code, body.as_object_mut()) {
        body.insert("code".into(), json!(code));
    }
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, no_store(), Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Basic realm=\"Sandbox CRM\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
