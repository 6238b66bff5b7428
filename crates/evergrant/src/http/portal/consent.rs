//! Out to the provider and back: the start page and the callback.
//!
//! Both are opened by the customer's browser alone. The start page gives it a cookie; the callback demands it, so that a
//! code obtained in one browser cannot be finished in another (contract section 19, row 9).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::message::{Link, MessagePage, News, Tone};
use super::page::{Frame, PageError, send, with_headers};
use super::session::{self, is_https};
use crate::app::App;
use crate::authorize::{self, Asker, Ended, Ending, LIFETIME, NotCompleted};
use crate::error::Error;
use crate::ids::random_token;
use crate::secret::Secret;

const PLAIN_NAME: &str = "evergrant_browser";
const HOST_NAME: &str = "__Host-evergrant_browser";

/// How long news stay on the screen before their window closes itself: long enough to be read. The official browser
/// client looks every three seconds and takes a window that is gone for a refusal, unless it has seen the success
/// before (contract, 6.4).
const STAYS_MS: u32 = 6_000;

const fn cookie_name(https: bool) -> &'static str {
    if https { HOST_NAME } else { PLAIN_NAME }
}

/// The browser's value, if it has one that we could have given it.
fn browser(app: &App, headers: &HeaderMap) -> Option<Secret> {
    let value = session::cookie_value(headers, cookie_name(is_https(app)))?;
    let ours = value.expose().len() == 43
        && value
            .expose()
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    ours.then_some(value)
}

/// `GET /api/v1/{slug}/start/{id}`: binds the authorisation to this browser and leads to the provider. Works once.
pub async fn start(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Ok(Path((slug, token))) = path else {
        return Ok(no_longer_valid());
    };
    // A browser keeps its value over several authorisations, so that two tabs do not end each other's.
    let browser = browser(&app, &headers).unwrap_or_else(|| random_token(""));
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let return_to = pairs.find(|(name, _)| name == "return_to").map(|(_, value)| value);
    let started = authorize::start(&app, (&slug, &token), browser.expose(), return_to.as_deref()).await?;
    let Some(started) = started else {
        return Ok(no_longer_valid());
    };
    let https = is_https(&app);
    let secure = if https { "; Secure" } else { "" };
    let (name, seconds) = (cookie_name(https), LIFETIME.as_secs());
    let cookie = format!(
        "{name}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        browser.expose()
    );
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Error::Internal("a header of the start page"));
    let headers = [
        (header::LOCATION, value(started.url.as_str())?),
        (header::SET_COOKIE, value(&cookie)?),
    ];
    Ok(with_headers((StatusCode::FOUND, headers, "").into_response(), &[]))
}

/// `GET /api/v1/{slug}/callback`: the provider's answer, in the customer's browser.
pub async fn callback(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let Ok(Path(slug)) = path else {
        return Ok(no_longer_valid());
    };
    let Some(browser) = browser(&app, &headers) else {
        return Ok(no_longer_valid());
    };
    let query = query.unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let Ended { asker, result } = authorize::complete(&app, &slug, &pairs, browser.expose()).await;
    let ending = result.as_ref().map_or_else(Ending::of, |_| Ending::CONNECTED);
    let asker = asker.unwrap_or_default();
    if let Some(address) = asker.address(&slug, ending) {
        return back(&address);
    }
    let way = if asker.origin.is_some() {
        Way::Popup(news(asker, slug, ending))
    } else if session::has_cookie(&app, &headers) {
        Way::Hosted
    } else {
        Way::Popup(None)
    };
    match result {
        Ok(done) => Ok(connected(&done.application, way)),
        Err(error) => not_completed(error, way),
    }
}

/// How the page after a consent is left.
enum Way {
    /// By a link to the hosted pages.
    Hosted,
    /// By closing the window, after its opener has been told.
    Popup(Option<News>),
}

fn news(asker: Asker, slug: String, ending: Ending) -> Option<News> {
    Some(News {
        origin: asker.origin?,
        flow: asker.flow,
        slug,
        outcome: ending.outcome,
        code: ending.code.unwrap_or_default(),
    })
}

/// Back to the page that went to the provider itself, which its environment has registered.
fn back(address: &url::Url) -> Result<Response, PageError> {
    let location =
        HeaderValue::from_str(address.as_str()).map_err(|_| Error::Internal("a header of the callback page"))?;
    let headers = [(header::LOCATION, location)];
    Ok(with_headers((StatusCode::SEE_OTHER, headers, "").into_response(), &[]))
}

fn connected(application: &str, way: Way) -> Response {
    let title = format!("{application} is connected");
    let text = "You can close this window.";
    let page = MessagePage::new(Frame::anonymous(), Tone::Success, &title, text);
    send(StatusCode::OK, &leaving(page, way), &[])
}

fn not_completed(error: NotCompleted, way: Way) -> Result<Response, PageError> {
    let frame = Frame::anonymous();
    Ok(match error {
        NotCompleted::Invalid => no_longer_valid(),
        NotCompleted::Denied { application } => {
            let title = format!("{application} was not connected");
            let text = "Access was not granted, so nothing has changed. You can try again whenever you like.";
            let page = MessagePage::new(frame, Tone::Denied, &title, text);
            send(StatusCode::OK, &leaving(page, way), &[])
        }
        NotCompleted::ProviderProblem { application } => {
            let title = format!("{application} had a problem");
            let text = "Nothing has changed; please try again in a moment.";
            let page = MessagePage::new(frame, Tone::Error, &title, text);
            send(StatusCode::BAD_GATEWAY, &leaving(page, way), &[])
        }
        NotCompleted::NotSetUp { application } => {
            let title = format!("{application} could not be connected");
            let text =
                "It is not set up correctly yet, so nothing has changed. Please tell the team that sent you here.";
            let page = MessagePage::new(frame, Tone::Error, &title, text);
            send(StatusCode::BAD_GATEWAY, &leaving(page, way), &[])
        }
        NotCompleted::NoTokens { application } => {
            let title = format!("{application} did not answer as expected");
            let text =
                "You agreed, but the access could not be fetched. Nothing has changed; please try again in a moment.";
            let page = MessagePage::new(frame, Tone::Error, &title, text);
            send(StatusCode::BAD_GATEWAY, &leaving(page, way), &[])
        }
        NotCompleted::Failed(error) => return Err(error.into()),
    })
}

/// On hosted pages there is a way back; in a popup the window closes itself.
fn leaving(page: MessagePage, way: Way) -> MessagePage {
    match way {
        Way::Hosted => {
            let link = Link {
                href: "/connect".to_owned(),
                label: "Back to your integrations".to_owned(),
            };
            MessagePage {
                link: Some(link),
                ..page
            }
        }
        Way::Popup(news) => MessagePage {
            closes_after_ms: Some(STAYS_MS),
            news,
            ..page
        },
    }
}

fn no_longer_valid() -> Response {
    let text = "It works once, for ten minutes, and in the browser that opened it. Nothing has changed: go back to where you \
                came from and start again.";
    let page = MessagePage::new(Frame::anonymous(), Tone::Error, "This link is no longer valid", text);
    send(StatusCode::BAD_REQUEST, &page, &[])
}
