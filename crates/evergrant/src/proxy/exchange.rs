//! One call, sent: the credential in its place, redirects followed as far as was asked.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::call::Call;
use super::compressed::offer_readable;
use super::headers::without_body;
use super::redirect::{self, Redirect};
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{Access, Credential};
use crate::egress::{Download, StreamError, Streamed, Unreachable, Upload, UploadFault};
use crate::error::{CallFault, Error};
use crate::secret::Secret;

/// A call that can be sent, perhaps twice.
pub(super) struct Exchange {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    pub(super) body: Upload,
    follow: u8,
    /// Ends when the caller has hung up, where that does not end us anyway.
    gone: Option<CancellationToken>,
}

/// An answer, and whether it speaks of the credential: not where a redirect led to another host.
pub(super) struct Sent {
    pub(super) answer: Response<Download>,
    pub(super) with_credential: bool,
}

/// Where the next request goes.
struct Hop {
    method: Method,
    host: Url,
    target: PathAndQuery,
    headers: HeaderMap,
    with_body: bool,
    trusted: bool,
}

impl Exchange {
    /// Of a call. Its body is kept for a second sending only where `keep`, or a redirect, may need one.
    pub(super) fn new(app: &App, call: Call, keep: bool) -> Self {
        let limits = app.egress.limits();
        let kept = if keep || call.follow > 0 { limits.kept } else { 0 };
        let mut headers = call.headers;
        offer_readable(&mut headers);
        Self {
            method: call.method,
            path: call.path,
            query: call.query,
            headers,
            body: Upload::new(call.body, (limits.request, kept)),
            follow: call.follow,
            gone: None,
        }
    }

    /// The same, given up once the caller has gone.
    pub(super) fn ending_with(self, gone: CancellationToken) -> Self {
        Self {
            gone: Some(gone),
            ..self
        }
    }

    /// Sends it with a credential.
    pub(super) async fn send(
        &self,
        app: &App,
        application: &Application,
        credential: &Credential,
    ) -> Result<Sent, Error> {
        let access = Access::of(application, credential)?;
        let mut hop = self.first(application, &access)?;
        let mut left = self.follow;
        loop {
            let mut answer = self.once(app, &mut hop).await?;
            let next = (left > 0)
                .then(|| self.next(&hop, &answer, (application, &access)))
                .flatten();
            let Some(next) = next else {
                conceal(&mut answer, &access);
                return Ok(Sent {
                    answer,
                    with_credential: hop.trusted,
                });
            };
            left -= 1;
            hop = next;
        }
    }

    async fn once(&self, app: &App, hop: &mut Hop) -> Result<Response<Download>, Error> {
        let none = Upload::NONE;
        let request = Streamed {
            method: hop.method.clone(),
            host: &hop.host,
            target: hop.target.clone(),
            headers: std::mem::take(&mut hop.headers),
            body: if hop.with_body { &self.body } else { &none },
        };
        let answer = match &self.gone {
            None => app.egress.stream(request).await,
            Some(gone) => {
                let answer = gone.run_until_cancelled(app.egress.stream(request)).await;
                answer.ok_or(Error::Call(CallFault::BrokenOff))?
            }
        };
        answer.map_err(|error| Error::Call(fault(error)))
    }

    fn first(&self, application: &Application, access: &Access<'_>) -> Result<Hop, Error> {
        let mut text = access.base.path().trim_end_matches('/').to_owned() + &self.path;
        if text.is_empty() {
            text.push('/');
        }
        if let Some(query) = &self.query {
            if names(query).any(|name| access.query.iter().any(|(ours, _)| *ours == name)) {
                return Err(Error::invalid(
                    "the query must not hold the parameter in which this application takes its credential",
                ));
            }
            text.push('?');
            text.push_str(query);
        }
        append(&mut text, access);
        let target = PathAndQuery::from_maybe_shared(Bytes::from(text))
            .map_err(|_| Error::invalid("the path and the query make no address"))?;
        let mut headers = self.headers.clone();
        put(&mut headers, application, access)?;
        Ok(Hop {
            method: self.method.clone(),
            host: access.base.clone(),
            target,
            headers,
            with_body: true,
            trusted: true,
        })
    }

    /// The request that a redirect asks for, if it may be followed.
    fn next(
        &self,
        hop: &Hop,
        answer: &Response<Download>,
        (application, access): (&Application, &Access<'_>),
    ) -> Option<Hop> {
        let from = hop.host.join(hop.target.as_str()).ok()?;
        let place = (&application.api, &access.base);
        let found = redirect::read((answer.status(), answer.headers()), (&hop.method, &from), place)?;
        let Redirect {
            to,
            method,
            with_body,
            trusted,
        } = found;
        // Whoever was asked without the credential may not choose where it goes next.
        let trusted = trusted && hop.trusted;
        let with_body = hop.with_body && with_body;
        if with_body && !self.body.is_whole() {
            return None;
        }
        let mut headers = self.headers.clone();
        if !with_body {
            without_body(&mut headers);
        }
        let mut text = to[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        if trusted {
            put(&mut headers, application, access).ok()?;
            append(&mut text, access);
        }
        let target = PathAndQuery::from_maybe_shared(Bytes::from(text)).ok()?;
        Some(Hop {
            method,
            host: to,
            target,
            headers,
            with_body,
            trusted,
        })
    }
}

/// The names in a query, decoded.
fn names(query: &str) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name)
}

/// Appends the credential to the query of an address, unless a redirect has brought it along.
fn append(text: &mut String, access: &Access<'_>) {
    for (name, value) in &access.query {
        let query = text.split_once('?').map(|(_, query)| query);
        if query.is_some_and(|query| names(query).any(|known| known == *name)) {
            continue;
        }
        text.push(if query.is_some() { '&' } else { '?' });
        text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        text.push('=');
        text.extend(url::form_urlencoded::byte_serialize(value.expose().as_bytes()));
    }
}

/// Puts the credential into the headers, over whatever the caller says there. What the application's file wants besides may be
/// said otherwise by the caller.
fn put(headers: &mut HeaderMap, application: &Application, access: &Access<'_>) -> Result<(), Error> {
    let unfit = |_| Error::Internal("a stored credential that no header can carry");
    let fixed = application.api.headers.len();
    for (at, (name, value)) in access.headers.iter().enumerate() {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::Internal("a header name of the catalogue that is none"))?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        if at < fixed {
            headers.entry(name).or_insert(value);
        } else {
            headers.insert(name, value);
        }
    }
    Ok(())
}

/// A redirect may repeat our query: the part of it that is the credential is not the caller's to know.
fn conceal(answer: &mut Response<Download>, access: &Access<'_>) {
    if access.query.is_empty() {
        return;
    }
    for name in [header::LOCATION, header::CONTENT_LOCATION, header::LINK] {
        let told = answer.headers().get_all(&name).iter();
        if told.into_iter().any(|value| holds(value, &access.query)) {
            answer.headers_mut().remove(name);
        }
    }
}

fn holds(value: &HeaderValue, query: &[(String, Secret)]) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes());
    query.iter().any(|(_, secret)| {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
        text.contains(secret.expose()) || text.contains(&encoded)
    })
}

const fn fault(error: StreamError) -> CallFault {
    match error {
        StreamError::Upload(UploadFault::TooLarge) => CallFault::TooLarge,
        StreamError::Upload(UploadFault::BrokenOff | UploadFault::Stalled) => CallFault::BrokenOff,
        StreamError::Unreachable(Unreachable::Forbidden | Unreachable::NotConnected) => CallFault::NotConnected,
        StreamError::Unreachable(Unreachable::ReplyLost) => CallFault::ReplyLost,
        StreamError::Unreachable(Unreachable::TimedOut) => CallFault::TimedOut,
    }
}
