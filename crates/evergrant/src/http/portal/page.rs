//! How a page is sent: its frame and its headers; errors as pages.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::message::{Link, MessagePage, Tone};
use super::style;
use super::words::{Lang, Reader};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::http::error::{class, log};
use crate::tenants::EnvironmentRow;

/// What stands around every page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Who reads it, and in which language.
    pub reader: Reader,
    /// Whose page it is: the organisation's name, where one is known.
    pub org: Option<String>,
    /// The `name` of the hosted properties.
    pub name: Option<String>,
    /// The `redirect_url` of the hosted properties, found to be registered.
    pub back: Option<String>,
    /// The team's colours: a style sheet on this server.
    pub theme: Option<String>,
    /// Origins that are told what happens here, while one of them shows the page.
    pub embedders: Vec<String>,
}

impl Frame {
    /// A frame that names nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            reader: Reader::current(),
            ..Self::default()
        }
    }

    /// The frame of an environment.
    #[must_use]
    pub fn of(environment: &EnvironmentRow) -> Self {
        let reader = Reader::current();
        Self {
            embedders: if reader.framed {
                environment.frame_origins.clone()
            } else {
                Vec::new()
            },
            reader,
            org: Some(environment.org_name.clone()),
            ..Self::default()
        }
    }

    /// What the page says.
    #[must_use]
    pub fn say(&self, key: &'static str) -> &'static str {
        self.reader.lang.say(key)
    }

    /// What the page says of an application.
    #[must_use]
    pub fn app(&self, key: &'static str, name: &str) -> String {
        self.reader.lang.fill(key, &[("app", name)])
    }

    /// What the page says of an account.
    #[must_use]
    pub fn account(&self, key: &'static str, account: &str) -> String {
        self.reader.lang.fill(key, &[("account", account)])
    }

    /// Where something of ours is, as the reader's browser has to ask for it.
    pub(super) fn at(&self, path: &str) -> String {
        self.reader.at(path)
    }

    /// A sentence about a day.
    pub(super) fn dated(&self, key: &'static str, at: Timestamp) -> String {
        self.reader.lang.fill(key, &[("date", &self.reader.lang.day(at))])
    }

    /// The organisation, or what stands in for it.
    pub(super) fn org(&self) -> &str {
        self.org.as_deref().unwrap_or_else(|| self.say("frame.anonymous"))
    }

    /// Its first letter.
    pub(super) fn monogram(&self) -> String {
        self.org()
            .chars()
            .filter(|c| c.is_alphanumeric())
            .take(1)
            .flat_map(char::to_uppercase)
            .collect()
    }

    pub(super) fn languages(&self) -> impl Iterator<Item = (Lang, bool)> {
        Lang::ALL.into_iter().map(|lang| (lang, lang == self.reader.lang))
    }

    /// The words for the way back.
    pub(super) fn back_words(&self) -> String {
        let url = self.back.as_deref().and_then(|back| Url::parse(back).ok());
        let host = url
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        self.reader.lang.fill("frame.back", &[("host", &host)])
    }

    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn style(&self) -> &'static str {
        style::style_path()
    }

    #[expect(clippy::unused_self, reason = "templates ask the frame")]
    pub(super) fn script(&self) -> &'static str {
        style::script_path()
    }
}

/// `frame-ancestors` of the content security policy: nobody, or the origins that the environment names.
#[must_use]
pub fn frame_ancestors(origins: &[String]) -> String {
    let origins: Vec<_> = origins
        .iter()
        .filter_map(|text| Url::parse(text).ok())
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .map(|url| url.origin().ascii_serialization())
        .collect();
    if origins.is_empty() {
        "'none'".to_owned()
    } else {
        origins.join(" ")
    }
}

/// Sends a page. `origins` may show it in a frame; nobody else.
///
/// There is no `Cross-Origin-Opener-Policy`: it would make `popup.closed` read true in the official browser client
/// (contract, section 3).
pub fn send(status: StatusCode, page: &impl Template, origins: &[String]) -> Response {
    match page.render() {
        Ok(html) => with_headers((status, html).into_response(), origins),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Puts a page's headers on a response.
pub(super) fn with_headers(mut response: Response, origins: &[String]) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {}",
        frame_ancestors(origins)
    );
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// An [`Error`] on its way to a person.
#[derive(Debug)]
pub struct PageError {
    error: Error,
    /// Whether the person has hosted pages to go back to.
    home: bool,
    /// What stands around those.
    within: Option<Box<Frame>>,
}

impl PageError {
    /// What went wrong for a visitor, who keeps a way back to their pages, and the look of them. In a frame the page says
    /// nothing of anybody, so that it can be shown there whoever's the frame is.
    pub(super) fn within(frame: &Frame, error: impl Into<Error>) -> Self {
        Self {
            error: error.into(),
            home: true,
            within: (!frame.reader.framed).then(|| Box::new(frame.clone())),
        }
    }
}

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            home: false,
            within: None,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        log(&self.error);
        let known = self.within.is_some();
        let frame = self.within.map_or_else(Frame::anonymous, |frame| *frame);
        let (title, text) = match &self.error {
            Error::InvalidSessionToken | Error::MissingSessionToken if frame.reader.framed && frame.reader.entering => {
                (frame.say("error.blocked"), frame.say("error.blocked_text"))
            }
            Error::InvalidSessionToken | Error::MissingSessionToken => {
                (frame.say("error.expired"), frame.say("error.expired_text"))
            }
            Error::ApplicationNotFound { .. } | Error::NotFound(_) => {
                (frame.say("error.missing"), frame.say("error.missing_text"))
            }
            Error::NoOAuthClient { .. } => (frame.say("error.not_ready"), frame.say("error.not_ready_text")),
            Error::Invalid { .. } => (frame.say("error.forged"), frame.say("error.forged_text")),
            _ => (frame.say("error.failed"), frame.say("error.failed_text")),
        };
        let home = Link {
            href: frame.at("/connect"),
            label: frame.say("error.home").to_owned(),
        };
        let page = MessagePage {
            reopens: title == frame.say("error.blocked"),
            link: (self.home || title == frame.say("error.missing")).then_some(home),
            ..MessagePage::new(frame.clone(), Tone::Error, title, text)
        };
        let status = class(&self.error).0;
        if known {
            return send(status, &page, &[]);
        }
        anybodys(send(status, &page, &[]))
    }
}

/// Marks a page that says nothing of anybody: in a frame it may be shown to whoever the frame's environment allows, since
/// without it people would see their browser's own error inside the team's product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anybodys;

pub(super) fn anybodys(mut response: Response) -> Response {
    response.extensions_mut().insert(Anybodys);
    response
}
