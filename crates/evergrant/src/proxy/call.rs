//! What a caller asks, checked.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Uri, header};

use super::headers;
use crate::catalog::AuthType;
use crate::egress::{Incoming, Limits, path};
use crate::error::{CallFault, Error};

/// Names the auth type, for an application of which a customer has connections of both.
pub const AUTH_TYPE: HeaderName = HeaderName::from_static("x-evergrant-auth-type");
/// Asks for redirects to be followed: how many at most.
pub const FOLLOW: HeaderName = HeaderName::from_static("x-evergrant-follow-redirects");
/// How many redirects may be asked for.
pub const MOST_REDIRECTS: u8 = 10;

/// Where a call goes below the application's API: what the caller's address says, not copied.
pub(super) struct Target {
    uri: Uri,
    /// Where in its path the slug ends.
    behind_slug: usize,
}

impl Target {
    /// Empty, or beginning with a slash.
    pub(super) fn path(&self) -> &str {
        self.uri.path().get(self.behind_slug..).unwrap_or_default()
    }

    /// Byte for byte.
    pub(super) fn query(&self) -> Option<&str> {
        self.uri.query()
    }
}

/// One call. Its headers and query may be secret, so it does not print.
pub struct Call {
    pub(super) method: Method,
    pub(super) target: Target,
    /// Those that go on.
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
    /// How many redirects are followed.
    pub(super) follow: u8,
    /// The auth type that the caller wants.
    pub(super) auth_type: Option<AuthType>,
}

impl Call {
    /// Reads a request; `behind_slug` is where in its path the slug ends.
    pub fn read(parts: Parts, behind_slug: usize, (body, limits): (Incoming, &Limits)) -> Result<Self, Error> {
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            // TRACE sends back what it was sent: the credential.
            return Err(Error::invalid(format!("{} is not passed on", parts.method)));
        }
        if headers::asks_for_upgrade(&parts.headers) {
            return Err(Error::invalid(
                "another protocol (`upgrade`, as WebSockets need it) is not passed on: call the provider with a credential of \
                 this connection instead",
            ));
        }
        let target = Target {
            uri: parts.uri,
            behind_slug,
        };
        path::check(target.path()).map_err(|refused| Error::invalid(refused.to_string()))?;
        let length = body.size_hint();
        if length.lower() > limits.request {
            return Err(Error::Call(CallFault::TooLarge));
        }
        let mut headers = parts.headers;
        let auth_type = word(&headers, &AUTH_TYPE)?.map(auth_type).transpose()?;
        let follow = word(&headers, &FOLLOW)?.map_or(Ok(0), follow)?;
        let had_length = headers.contains_key(header::CONTENT_LENGTH);
        headers = headers::forwarded(headers);
        if let Some(0) = length.exact().filter(|_| had_length) {
            // An empty body of known length is not the same as none: some servers insist on hearing it.
            headers.insert(header::CONTENT_LENGTH, 0.into());
        }
        Ok(Self {
            method: parts.method,
            target,
            headers,
            body,
            follow,
            auth_type,
        })
    }
}

/// The value of one of our own headers.
fn word<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| Error::invalid(format!("the header `{name}` is not text")))?;
    Ok(Some(text.trim()))
}

fn auth_type(word: &str) -> Result<AuthType, Error> {
    AuthType::parse(word)
        .ok_or_else(|| Error::invalid(format!("the header `{AUTH_TYPE}` must be `oauth2` or `keybased`")))
}

fn follow(word: &str) -> Result<u8, Error> {
    let most = word.parse().ok().filter(|most| *most <= MOST_REDIRECTS);
    most.ok_or_else(|| {
        Error::invalid(format!(
            "the header `{FOLLOW}` must be a number from 0 to {MOST_REDIRECTS}: how many redirects are followed at most"
        ))
    })
}
