//! Who is looking: from the session token in the address to a cookie, and from the cookie to an account.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::page::{Frame, PageError, with_headers};
use super::theme::Theme;
use super::words::{Lang, Reader};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Account;
use crate::ids::{SessionId, sha256_hex};
use crate::secret::Secret;
use crate::sessions::{self, check_properties};
use crate::tenants::{self, EnvironmentRow};

const PLAIN_NAME: &str = "evergrant_session";
const HOST_NAME: &str = "__Host-evergrant_session";
/// Names the environment in whose frame the page was opened, for pages that come without a session. No secret.
pub(super) const FRAME_COOKIE: &str = "evergrant_in";

/// An end customer with a page open.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Whose connections the page is about.
    pub account: Account,
    /// The environment, with the origins that may frame the page.
    pub environment: EnvironmentRow,
    /// What stands around the pages.
    pub frame: Frame,
    /// What every form of the session must send back.
    pub csrf: String,
}

/// Trades a session token in an address for a cookie, and leads to the clean address.
pub(super) async fn open(app: &App, token: &str) -> Result<Response, PageError> {
    let session = sessions::authenticate(app, token).await?;
    let environment = tenants::store::get_environment(&mut *app.db.read().await?, &session.tenant.id).await?;
    let reader = Reader::current();
    let framed = reader.framed;
    let place = Place::of(is_https(app), framed);
    let left = session.expires_at.since(app.now());
    // Where the cookie is blocked, the script offers a window. It finds the token in the fragment, which no server, log or
    // referrer sees, and takes it away from there at once.
    let location = if framed {
        reader.at(&format!("/connect?in={}#{token}", environment.tenant.id))
    } else {
        reader.at("/connect")
    };
    let mut response = (StatusCode::SEE_OTHER, "").into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, sensitive(&location)?);
    headers.append(
        header::SET_COOKIE,
        sensitive(&place.cookie(cookie_name(is_https(app)), token, left))?,
    );
    if framed {
        let environment = environment.tenant.id.as_str();
        headers.append(
            header::SET_COOKIE,
            sensitive(&place.cookie(FRAME_COOKIE, environment, left * 5))?,
        );
    }
    Ok(with_headers(response, &environment.frame_origins))
}

/// A header's value that does not print.
pub(super) fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::InvalidSessionToken)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a cookie is to be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On pages that stand by themselves, over http.
    Plain,
    /// The same, over https.
    Secure,
    /// In a frame of one site, and in no other's (CHIPS). Browsers take it over https, and from loopback.
    Framed,
}

impl Place {
    pub(super) const fn of(https: bool, framed: bool) -> Self {
        match (framed, https) {
            (true, _) => Self::Framed,
            (false, true) => Self::Secure,
            (false, false) => Self::Plain,
        }
    }

    pub(super) fn cookie(self, name: &str, value: &str, left: Duration) -> String {
        let attributes = match self {
            Self::Plain => "SameSite=Lax",
            Self::Secure => "SameSite=Lax; Secure",
            Self::Framed => "SameSite=None; Secure; Partitioned",
        };
        format!(
            "{name}={value}; Path=/; Max-Age={}; HttpOnly; {attributes}",
            left.as_secs()
        )
    }
}

pub(super) fn is_https(app: &App) -> bool {
    app.public_url.scheme() == "https"
}

/// `__Host-` where the page is served over https: browsers then take the cookie from this host alone.
const fn cookie_name(https: bool) -> &'static str {
    if https { HOST_NAME } else { PLAIN_NAME }
}

pub(super) fn cookie_value(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| Secret::from(value.to_owned()))
}

/// Whether the browser has hosted pages open; not whether its session is still good.
pub(super) fn has_cookie(app: &App, headers: &HeaderMap) -> bool {
    cookie_value(headers, cookie_name(is_https(app))).is_some()
}

pub(super) fn csrf_of(token: &Secret) -> String {
    sha256_hex(format!("evergrant csrf\0{}", token.expose()).as_bytes())
}

impl FromRequestParts<App> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let token = cookie_value(&parts.headers, cookie_name(is_https(app))).ok_or(Error::MissingSessionToken)?;
        let session = sessions::authenticate(app, token.expose()).await?;
        let environment = tenants::store::get_environment(&mut *app.db.read().await?, &session.tenant.id).await?;
        let frame = frame(app, &environment, &session.id).await?;
        Ok(Self {
            account: session.into(),
            environment,
            frame,
            csrf: csrf_of(&token),
        })
    }
}

/// The frame as the hosted properties want it. They are checked again: an origin may have been taken off the list.
async fn frame(app: &App, environment: &EnvironmentRow, session: &SessionId) -> Result<Frame, Error> {
    let mut frame = Frame::of(environment);
    let text = sessions::properties(app, &environment.tenant.id, session).await?;
    if check_properties(&text, &environment.return_origins).is_ok() {
        let properties: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let text = |name: &str| {
            properties[name]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        frame.name = text("name");
        // As it was understood when it was checked, and not as a browser may understand it beside our own address.
        frame.back = text("redirect_url")
            .and_then(|url| Url::parse(&url).ok())
            .map(String::from);
        frame.theme = Theme::of(&properties).path();
        if let (false, Some(lang)) = (frame.reader.chosen, text("lang").and_then(|tag| Lang::parse(&tag))) {
            frame.reader.lang = lang;
        }
    }
    Ok(frame)
}

/// A form that a visitor sent, with the session's token against forgery.
#[derive(Debug)]
pub struct Posted {
    /// Who sent it.
    pub visitor: Visitor,
    /// What was sent.
    pub form: SentForm,
}

/// What a form holds.
#[derive(Debug)]
pub struct SentForm {
    /// What the visitor typed in, by field name (sent as `f.` and the name). Empty texts are left out.
    pub fields: BTreeMap<String, String>,
    /// Everything else, such as `action` and `auth_type`.
    pub values: BTreeMap<String, String>,
    /// Whether it was a script of ours that sent it, and wants to be told where to go.
    pub by_script: bool,
}

impl SentForm {
    /// A form that asks nothing.
    pub(super) const fn empty() -> Self {
        Self {
            fields: BTreeMap::new(),
            values: BTreeMap::new(),
            by_script: false,
        }
    }

    /// Reads a form that carries `csrf`.
    pub(super) async fn read(request: Request, app: &App, csrf: &str) -> Result<Self, PageError> {
        let accept = request.headers().get(header::ACCEPT);
        let by_script = accept.is_some_and(|value| value == "application/json");
        let body = Bytes::from_request(request, app)
            .await
            .map_err(|_| Error::invalid("The form is too large or was cut off."))?;
        let (mut fields, mut values) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in url::form_urlencoded::parse(&body) {
            match name.strip_prefix("f.") {
                Some(_) if value.is_empty() => {}
                Some(name) => drop(fields.insert(name.to_owned(), value.into_owned())),
                None => drop(values.insert(name.into_owned(), value.into_owned())),
            }
        }
        let sent = Secret::from(values.remove("csrf").unwrap_or_default());
        if sent != Secret::from(csrf.to_owned()) {
            return Err(Error::invalid("The form did not come from this page.").into());
        }
        Ok(Self {
            fields,
            values,
            by_script,
        })
    }
}

impl FromRequest<App> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let form = SentForm::read(Request::from_parts(parts, body), app, &visitor.csrf).await?;
        Ok(Self { visitor, form })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_the_cookie_is_bound_to_this_host_and_in_a_frame_to_that_frame() {
        let cookie =
            |https, framed| Place::of(https, framed).cookie(cookie_name(https), "st_x", Duration::from_mins(1));
        assert_eq!(
            cookie(true, false),
            "__Host-evergrant_session=st_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            cookie(false, false),
            "evergrant_session=st_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            cookie(true, true),
            "__Host-evergrant_session=st_x; Path=/; Max-Age=60; HttpOnly; SameSite=None; Secure; Partitioned"
        );
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; xevergrant_session=no; evergrant_session="),
        );
        assert!(cookie_value(&headers, PLAIN_NAME).is_none());
        headers.append(header::COOKIE, HeaderValue::from_static("b=2;evergrant_session=yes"));
        assert_eq!(cookie_value(&headers, PLAIN_NAME).unwrap().expose(), "yes");
        assert!(cookie_value(&headers, HOST_NAME).is_none());
    }
}
