//! A reconnect that landed on another account than before: the page that says so, and the customer's decision.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::consent::{browser, browser_cookie, no_longer_valid, tell};
use super::message::News;
use super::page::{Frame, PageError, send};
use super::session::Visitor;
use super::standing::shown;
use crate::app::App;
use crate::authorize::{self, Stopped};
use crate::error::Error;
use crate::secret::Secret;

/// The page. Where the customer may decide, it posts `token` and `decision` (`keep`, `replace`) to
/// `/api/v1/{slug}/account`.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What stands around it.
    pub frame: Frame,
    /// The application's name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whose the connection is.
    pub expected: String,
    /// Whose credential came.
    pub found: String,
    /// What names the decision, where there is one.
    pub token: Option<String>,
    /// Where to go from here.
    pub back: Option<String>,
    /// What it says to the window that opened it, once nothing is left to decide.
    pub news: Option<News>,
}

impl AccountPage {
    /// The page for a swap that was stopped.
    #[must_use]
    pub fn new(frame: Frame, (slug, stopped): (&str, &Stopped), back: Option<String>) -> Self {
        Self {
            frame,
            slug: slug.to_owned(),
            name: stopped.application.clone(),
            expected: shown(&stopped.other.expected),
            found: shown(&stopped.other.found),
            token: stopped.token.as_ref().map(|token| token.expose().to_owned()),
            back,
            news: None,
        }
    }

    fn again(&self) -> String {
        let values = [("app", self.name.as_str()), ("account", &self.expected)];
        self.frame.reader.lang.fill("other.again", &values)
    }
}

/// The page after a key form, with the cookie by which the browser that was asked is known again.
pub(super) fn ask(
    app: &App,
    page: &AccountPage,
    (browser, frame_origins): (&Secret, &[String]),
) -> Result<Response, Error> {
    let cookie = browser_cookie(app, browser, page.frame.reader.framed);
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Error::Internal("a cookie"))?;
    let mut response = send(StatusCode::CONFLICT, page, frame_origins);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /api/v1/{slug}/account`: the customer's decision. The token is good once, for ten minutes, in the browser that was
/// asked: another site cannot send that browser's cookie along.
pub async fn decide(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    visitor: Result<Visitor, PageError>,
    form: Result<Form<BTreeMap<String, String>>, FormRejection>,
) -> Result<Response, PageError> {
    let (Ok(Path(slug)), Ok(Form(form)), Some(browser)) = (path, form, browser(&app, &headers)) else {
        return Ok(no_longer_valid());
    };
    let token = form.get("token").map_or("", String::as_str);
    let replace = form.get("decision").map(String::as_str) == Some("replace");
    let ended = authorize::decide(&app, &slug, token, (browser.expose(), replace)).await;
    let frame = visitor.map_or_else(|_| Frame::anonymous(), |visitor| visitor.frame);
    tell(&app, (slug, &headers), frame, ended)
}
