//! Who is looking: from the session token in the address to a cookie, and from the cookie to an account.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::page::{Frame, PageError, with_headers};
use crate::app::App;
use crate::error::Error;
use crate::http::extract::Account;
use crate::ids::{SessionId, sha256_hex};
use crate::secret::Secret;
use crate::sessions::{self, Session, check_properties};
use crate::tenants::{self, EnvironmentRow};

const PLAIN_NAME: &str = "evergrant_session";
const HOST_NAME: &str = "__Host-evergrant_session";

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
    let cookie = cookie(app, token, &session)?;
    let headers = [
        (header::LOCATION, HeaderValue::from_static("/connect")),
        (header::SET_COOKIE, cookie),
    ];
    let response = (StatusCode::SEE_OTHER, headers, "").into_response();
    Ok(with_headers(response, &environment.frame_origins))
}

fn cookie(app: &App, token: &str, session: &Session) -> Result<HeaderValue, Error> {
    let text = cookie_text(is_https(app), token, session.expires_at.since(app.now()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::InvalidSessionToken)?;
    value.set_sensitive(true);
    Ok(value)
}

fn cookie_text(https: bool, token: &str, left: Duration) -> String {
    let secure = if https { "; Secure" } else { "" };
    let (name, seconds) = (cookie_name(https), left.as_secs());
    format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
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

fn csrf_of(token: &Secret) -> String {
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
    let mut frame = Frame::of(environment.org_name.clone());
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
        frame.back = text("redirect_url");
    }
    Ok(frame)
}

/// A form that a visitor sent, with the session's token against forgery.
#[derive(Debug)]
pub struct Posted {
    /// Who sent it.
    pub visitor: Visitor,
    /// What the visitor typed in, by field name (sent as `f.` and the name). Empty texts are left out.
    pub fields: BTreeMap<String, String>,
    /// Everything else, such as `action` and `auth_type`.
    pub values: BTreeMap<String, String>,
}

impl FromRequest<App> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let body = Bytes::from_request(Request::from_parts(parts, body), app)
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
        if sent != Secret::from(visitor.csrf.clone()) {
            return Err(
                Error::invalid("The form did not come from this page. Open it again and repeat the step.").into(),
            );
        }
        Ok(Self {
            visitor,
            fields,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_the_cookie_is_bound_to_this_host_and_never_sent_in_the_clear() {
        assert_eq!(
            cookie_text(true, "st_x", Duration::from_mins(1)),
            "__Host-evergrant_session=st_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            cookie_text(false, "st_x", Duration::from_mins(1)),
            "evergrant_session=st_x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
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
