//! How a page is sent: its frame and its headers; errors as pages.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::message::{MessagePage, Tone};
use super::style;
use crate::error::Error;
use crate::http::error::{class, log, public_message};

/// What stands around every page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Whose page it is: the organisation's name, where one is known.
    pub org: String,
    /// The `name` of the hosted properties.
    pub name: Option<String>,
    /// The `redirect_url` of the hosted properties, found to be registered.
    pub back: Option<String>,
    /// Where the style sheet is.
    pub style: &'static str,
}

impl Frame {
    /// A frame that names nobody.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of("Connections".to_owned())
    }

    /// The frame of an organisation.
    #[must_use]
    pub fn of(org: String) -> Self {
        Self {
            org,
            name: None,
            back: None,
            style: style::path(),
        }
    }

    /// The host that the way back leads to.
    pub(super) fn back_host(&self) -> String {
        let url = self.back.as_deref().and_then(|back| Url::parse(back).ok());
        url.and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default()
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
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {}",
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
pub struct PageError(pub Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        log(&self.0);
        let (title, text) = match &self.0 {
            Error::InvalidSessionToken | Error::MissingSessionToken => (
                "This page has expired",
                "For your safety this page works for a limited time only. Go back to where you came from and open it \
                 again."
                    .to_owned(),
            ),
            Error::ApplicationNotFound { .. } | Error::NotFound(_) => (
                "Not found",
                "There is nothing here. Go back to your integrations and try again.".to_owned(),
            ),
            Error::NoOAuthClient { .. } => (
                "Not ready yet",
                "This application has not been set up here yet, so nothing has changed. Ask the people whose product \
                 led you here."
                    .to_owned(),
            ),
            error => ("That did not work", public_message(error)),
        };
        let page = MessagePage {
            frame: Frame::anonymous(),
            tone: Tone::Error,
            title: title.to_owned(),
            text,
            link: None,
            go_to: None,
            closes_after_ms: None,
            news: None,
        };
        send(class(&self.0).0, &page, &[])
    }
}
