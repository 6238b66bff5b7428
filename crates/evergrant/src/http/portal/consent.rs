//! Out to the provider and back: the start page and the callback.
//!
//! Both are opened by the customer's browser alone. The start page gives it a cookie; the callback demands it, so that a
//! code obtained in one browser cannot be finished in another (contract section 19, row 9).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::account::AccountPage;
use super::link;
use super::message::{Link, MessagePage, News, Tone};
use super::page::{Frame, PageError, anybodys, send, with_headers};
use super::session::{self, Place, Visitor, is_https};
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
pub(super) fn browser(app: &App, headers: &HeaderMap) -> Option<Secret> {
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
    let cookie = browser_cookie(&app, &browser, false);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Error::Internal("a header of the start page"));
    let headers = [
        (header::LOCATION, value(started.url.as_str())?),
        (header::SET_COOKIE, value(&cookie)?),
    ];
    Ok(with_headers((StatusCode::FOUND, headers, "").into_response(), &[]))
}

/// `HEAD` on the start page or the callback: whoever scans links asks so, and must neither use one up nor end a consent.
pub async fn unopened() -> Response {
    with_headers(StatusCode::OK.into_response(), &[])
}

/// The cookie by which a browser is known again for ten minutes.
pub(super) fn browser_cookie(app: &App, browser: &Secret, framed: bool) -> String {
    let https = is_https(app);
    Place::of(https, framed).cookie(cookie_name(https), browser.expose(), LIFETIME)
}

/// `GET /api/v1/{slug}/callback`: the provider's answer, in the customer's browser.
pub async fn callback(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    visitor: Result<Visitor, PageError>,
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
    let ended = authorize::complete(&app, &slug, &pairs, browser.expose()).await;
    let frame = visitor.map_or_else(|_| Frame::anonymous(), |visitor| visitor.frame);
    tell(&app, (slug, &headers), frame, ended)
}

/// Tells the customer, and the page that asked, how it ended.
pub(super) fn tell(
    app: &App,
    (slug, headers): (String, &HeaderMap),
    frame: Frame,
    ended: Ended,
) -> Result<Response, PageError> {
    let Ended { asker, result } = ended;
    let ending = result.as_ref().map_or_else(Ending::of, |_| Ending::CONNECTED);
    let asker = asker.unwrap_or_default();
    let address = asker.address(&slug, ending);
    if let Err(NotCompleted::OtherAccount(stopped)) = &result {
        let own = match asker.origin {
            Some(_) => None,
            None if session::has_cookie(app, headers) => Some(frame.at("/connect")),
            None => link::has_cookie(app, headers).then(|| frame.at("/repair")),
        };
        let origins = frame.embedders.clone();
        let page = AccountPage::new(frame, (&slug, stopped), address.map(String::from).or(own));
        // Where there is something to decide, it has not ended yet.
        let news = page.token.is_none().then(|| news(asker, slug, ending)).flatten();
        return Ok(send(StatusCode::CONFLICT, &AccountPage { news, ..page }, &origins));
    }
    if let Some(address) = address {
        return back(&address);
    }
    let way = if asker.origin.is_some() {
        Way::Popup(news(asker, slug, ending))
    } else if session::has_cookie(app, headers) {
        Way::Hosted(slug)
    } else if link::has_cookie(app, headers) {
        Way::Linked
    } else {
        Way::Popup(None)
    };
    match result {
        Ok(done) => Ok(connected(frame, &done.application, way)),
        Err(error) => not_completed(frame, error, way),
    }
}

/// How the page after a consent is left.
enum Way {
    /// By a link to the hosted pages: after what may go better another time, to the application's own.
    Hosted(String),
    /// By closing the window, which a re-auth link had opened; or by another try.
    Linked,
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

fn connected(frame: Frame, application: &str, way: Way) -> Response {
    let title = frame.app("done.connected", application);
    let text = match way {
        Way::Hosted(_) => "",
        Way::Linked | Way::Popup(_) => frame.say("done.connected_text"),
    };
    let page = MessagePage::new(frame, Tone::Success, &title, text);
    let page = leaving(page, way);
    send(StatusCode::OK, &page, &page.frame.embedders)
}

fn not_completed(frame: Frame, error: NotCompleted, way: Way) -> Result<Response, PageError> {
    const BAD: StatusCode = StatusCode::BAD_GATEWAY;
    let (status, tone, said, application) = match error {
        NotCompleted::Invalid => return Ok(no_longer_valid()),
        NotCompleted::Failed(error) => return Err(error.into()),
        NotCompleted::OtherAccount(stopped) => {
            let page = AccountPage::new(frame, ("", &stopped), None);
            return Ok(send(StatusCode::CONFLICT, &page, &[]));
        }
        NotCompleted::Denied { application } => {
            let said = ("done.denied", "done.denied_text");
            (StatusCode::OK, Tone::Denied, said, application)
        }
        NotCompleted::ProviderProblem { application } => {
            (BAD, Tone::Error, ("done.problem", "done.problem_text"), application)
        }
        NotCompleted::NotSetUp { application } => (
            BAD,
            Tone::Error,
            ("done.not_set_up", "done.not_set_up_text"),
            application,
        ),
        NotCompleted::NoTokens { application } => {
            (BAD, Tone::Error, ("done.no_tokens", "done.no_tokens_text"), application)
        }
    };
    let (title, text) = (frame.app(said.0, &application), frame.say(said.1));
    let page = MessagePage::new(frame, tone, &title, text);
    let page = leaving(page, way);
    Ok(send(status, &page, &page.frame.embedders))
}

/// On hosted pages there is a way back, and another try where that may help, as after a link; in a popup the window closes
/// itself.
fn leaving(page: MessagePage, way: Way) -> MessagePage {
    let link = |href: &str, label: &'static str| {
        Some(Link {
            href: page.frame.at(href),
            label: label.to_owned(),
        })
    };
    let link = match way {
        Way::Hosted(slug) if page.tone != Tone::Success => {
            let also = link("/connect", page.frame.say("done.back"));
            let again = link(&format!("/connect/{slug}"), page.frame.say("done.again"));
            return MessagePage {
                link: again,
                also,
                ..page
            };
        }
        Way::Hosted(_) => link("/connect", page.frame.say("done.back")),
        Way::Linked if page.tone != Tone::Success => link("/repair", page.frame.say("done.again")),
        Way::Linked => None,
        Way::Popup(news) => {
            return MessagePage {
                closes_after_ms: Some(STAYS_MS),
                news,
                ..page
            };
        }
    };
    MessagePage { link, ..page }
}

pub(super) fn no_longer_valid() -> Response {
    let frame = Frame::anonymous();
    let (title, text) = (frame.say("error.stale"), frame.say("error.stale_text"));
    let page = MessagePage::new(frame, Tone::Error, title, text);
    anybodys(send(StatusCode::BAD_REQUEST, &page, &[]))
}
