//! The authorization endpoint and its consent page (RFC 6749, section 4.1; RFC 7636; RFC 9207).
//!
//! Until the client and the redirect URI are known to belong together nothing redirects: a person is shown a page
//! instead, since sending them to an address that nobody registered would make this an open redirector.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use url::Url;

use super::grants::{self, OFFLINE};
use super::model::{ACCOUNTS, Account, PENDING_LIFE, Pending, account, lookup};
use super::token::Form;
use super::{Sandbox, model};

/// What a client gets that asks for nothing in particular.
const DEFAULT_SCOPE: &str = "contacts.read echo.write";

/// Forms may go anywhere on the web: browsers apply `form-action` to the whole chain of redirects after the form, and
/// where the client's callback leads is the client's business.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/oauth/authorize", get(authorize))
        .route("/oauth/decision", post(decide))
        .route("/oauth/style.css", get(style))
}

#[derive(Template)]
#[template(path = "sandbox/consent.html")]
struct Consent<'a> {
    client: &'a str,
    request: &'a str,
    host: &'a str,
    scopes: Vec<&'a str>,
    accounts: &'a [Account],
    chosen: &'a str,
    offline: bool,
}

#[derive(Template)]
#[template(path = "sandbox/refused.html")]
struct Refused<'a> {
    title: &'a str,
    text: &'a str,
}

/// A request that must not redirect.
struct Stop {
    title: &'static str,
    text: &'static str,
}

/// An error that the client is told by redirect.
struct Back {
    redirect_uri: String,
    state: Option<String>,
    error: &'static str,
    description: &'static str,
}

enum Wrong {
    Page(Stop),
    Client(Back),
}

/// `GET /oauth/authorize`: asks the person.
async fn authorize(State(sandbox): State<Sandbox>, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let tenant = form
        .as_ref()
        .and_then(|form| sandbox.state().tenant_of_client(form.get("client_id")?));
    let work = || match ask(&sandbox, form.as_ref()) {
        Ok(page) => page,
        Err(Wrong::Page(stop)) => refused(&stop),
        Err(Wrong::Client(back)) => {
            let error = [("error", back.error), ("error_description", back.description)];
            redirect(&sandbox, &back.redirect_uri, back.state.as_deref(), &error)
        }
    };
    sandbox.under_weather(tenant, work).await
}

fn ask(sandbox: &Sandbox, form: Option<&Form>) -> Result<Response, Wrong> {
    let form = form.ok_or(Wrong::Page(Stop {
        title: "This link is malformed",
        text: "A parameter of the authorization request appears twice.",
    }))?;
    let now = sandbox.now();
    let mut state = sandbox.state();
    let (client_id, redirect_uri) = known_client(&state, form).map_err(Wrong::Page)?;
    let scope = checked_scope(form, redirect_uri).map_err(Wrong::Client)?;
    let name = state.clients.get(client_id).map(|client| client.name.clone());
    let pending = Pending {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        state: form.get("state").map(str::to_owned),
        challenge: form.get("code_challenge").unwrap_or_default().to_owned(),
        scope: scope.to_owned(),
        expires_at: now.after(PENDING_LIFE),
    };
    let request = state.ask(pending, now);
    drop(state);
    let host = Url::parse(redirect_uri).ok();
    let hint = form.get("login_hint").and_then(account).unwrap_or(&ACCOUNTS[0]);
    let page = Consent {
        client: name.as_deref().unwrap_or(client_id),
        request: request.expose(),
        host: host.as_ref().and_then(Url::host_str).unwrap_or_default(),
        scopes: scope
            .split_ascii_whitespace()
            .filter(|scope| *scope != OFFLINE)
            .collect(),
        accounts: &ACCOUNTS,
        chosen: hint.email,
        offline: scope.split_ascii_whitespace().any(|scope| scope == OFFLINE),
    };
    Ok(html(StatusCode::OK, &page))
}

/// The client and its redirect URI, compared as text (RFC 9700, section 2.1).
fn known_client<'a>(state: &model::State, form: &'a Form) -> Result<(&'a str, &'a str), Stop> {
    let client_id = form.get("client_id").unwrap_or_default();
    let client = state.clients.get(client_id).ok_or(Stop {
        title: "This app is not known here",
        text: "The client_id of the request belongs to no app of Sandbox CRM. Nothing was shared.",
    })?;
    if client.deleted {
        return Err(Stop {
            title: "This app was deleted",
            text: "Its maker has removed the app from Sandbox CRM (deleted_client). Only they can bring it back.",
        });
    }
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    if !client.redirect_uris.iter().any(|known| known == redirect_uri) {
        return Err(Stop {
            title: "This link leads somewhere unexpected",
            text: "The redirect_uri of the request is not one that the app registered, so nobody is sent there.",
        });
    }
    Ok((client_id, redirect_uri))
}

fn checked_scope<'a>(form: &'a Form, redirect_uri: &str) -> Result<&'a str, Back> {
    let back = |error, description| Back {
        redirect_uri: redirect_uri.to_owned(),
        state: form.get("state").map(str::to_owned),
        error,
        description,
    };
    if form.get("response_type") != Some("code") {
        return Err(back(
            "unsupported_response_type",
            "only response_type=code is supported",
        ));
    }
    let challenge = form.get("code_challenge").unwrap_or_default();
    if form.get("code_challenge_method") != Some("S256") || challenge.len() != 43 {
        return Err(back(
            "invalid_request",
            "PKCE with code_challenge_method=S256 is required",
        ));
    }
    Ok(form
        .get("scope")
        .filter(|scope| !scope.trim().is_empty())
        .unwrap_or(DEFAULT_SCOPE))
}

/// `POST /oauth/decision`: the person has chosen. The hidden `request` is 256 random bits that only the reader of the
/// consent page knows, and good once: it stands in for a CSRF token.
async fn decide(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    let now = sandbox.now();
    let mut state = sandbox.state();
    let pending = form
        .get("request")
        .and_then(|request| state.pending.remove(&lookup(request)))
        .filter(|pending| pending.expires_at > now);
    let Some(pending) = pending else {
        return refused(&Stop {
            title: "This page is out of date",
            text: "The request was answered before or is older than ten minutes. Start again from the app.",
        });
    };
    let deleted = state
        .clients
        .get(&pending.client_id)
        .is_none_or(|client| client.deleted);
    if deleted {
        return refused(&Stop {
            title: "This app was deleted",
            text: "Its maker has removed the app from Sandbox CRM. Nothing was shared.",
        });
    }
    let chosen = form.get("account").and_then(account);
    let (Some("allow"), Some(chosen)) = (form.get("decision"), chosen) else {
        drop(state);
        let error = [("error", "access_denied"), ("error_description", "the person said no")];
        return redirect(&sandbox, &pending.redirect_uri, pending.state.as_deref(), &error);
    };
    let code = grants::allow(&mut state, &pending, chosen, form.get("keep").is_some(), now);
    drop(state);
    let code = [("code", code.expose())];
    redirect(&sandbox, &pending.redirect_uri, pending.state.as_deref(), &code)
}

async fn style() -> Response {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, css)], include_str!("style.css")).into_response()
}

fn redirect(sandbox: &Sandbox, to: &str, state: Option<&str>, answer: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(to) else {
        return refused(&Stop {
            title: "This link leads nowhere",
            text: "The registered redirect_uri is not a URL.",
        });
    };
    url.query_pairs_mut()
        .extend_pairs(answer)
        .extend_pairs(state.map(|state| ("state", state)))
        .append_pair("iss", &sandbox.settings().issuer);
    let headers = [
        (header::LOCATION, url.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn refused(stop: &Stop) -> Response {
    let page = Refused {
        title: stop.title,
        text: stop.text,
    };
    html(StatusCode::BAD_REQUEST, &page)
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    let Ok(text) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(text)).into_response()
}
