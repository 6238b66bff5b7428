//! One call, sent: the credential in its place, redirects followed as far as was asked.

use std::mem;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::call::{Call, Target};
use super::compressed::offer_readable;
use super::headers::{without_alike, without_body};
use super::query;
use super::redirect::{self, Redirect};
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{Access, Credential};
use crate::egress::{Download, StreamError, Streamed, Unreachable, Upload, UploadFault};
use crate::error::{CallFault, Error};

/// A call that can be sent, perhaps twice.
pub(super) struct Exchange {
    method: Method,
    target: Target,
    headers: HeaderMap,
    body: Upload,
    follow: u8,
    /// Whether more than one request may be made of it.
    kept: bool,
    /// Ends when the caller has hung up, where that does not end us anyway.
    gone: Option<CancellationToken>,
    /// Where redirects led, once it has been sent.
    at: Option<Hop>,
    /// Whether a request that may have changed something was answered, by a redirect to where its outcome can be read.
    acted: bool,
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
    /// Without the credential.
    target: PathAndQuery,
    with_body: bool,
    trusted: bool,
    /// How many redirects may still be followed.
    left: u8,
}

impl Exchange {
    /// Of a call. Its body is kept for a second sending only where `keep`, or a redirect, may need one.
    pub(super) fn new(app: &App, call: Call, keep: bool) -> Self {
        let limits = app.egress.limits();
        let kept = keep || call.follow > 0;
        let mut headers = call.headers;
        offer_readable(&mut headers);
        Self {
            method: call.method,
            target: call.target,
            headers,
            body: Upload::new(call.body, (limits.request, if kept { limits.kept } else { 0 })),
            follow: call.follow,
            kept,
            gone: None,
            at: None,
            acted: false,
        }
    }

    /// The same, given up once the caller has gone.
    pub(super) fn ending_with(self, gone: CancellationToken) -> Self {
        Self {
            gone: Some(gone),
            ..self
        }
    }

    /// Whether it can be sent again.
    pub(super) fn can_repeat(&self) -> bool {
        self.kept && (self.at.as_ref().is_some_and(|hop| !hop.with_body) || self.body.is_whole())
    }

    /// What a caller is told of a failure: never that nothing was sent, where something was.
    pub(super) fn told(&self, error: Error) -> Error {
        match error {
            Error::Call(CallFault::NotConnected) | Error::ProviderUnavailable { .. } | Error::Busy if self.acted => {
                Error::Call(CallFault::ReplyLost)
            }
            other => other,
        }
    }

    /// Sends it with a credential. A second time it begins with the request that was answered last: those before were answered by
    /// a redirect, and whoever did what a `POST` asked for must not do it twice.
    pub(super) async fn send(
        &mut self,
        app: &App,
        application: &Application,
        credential: &Credential,
    ) -> Result<Sent, Error> {
        let access = Access::of(application, credential)?;
        let mut hop = match self.at.take() {
            Some(hop) => hop.below(&access.base),
            None => self.first(&access)?,
        };
        loop {
            let sent = self.once(app, (application, &access), &hop).await;
            let mut answer = sent.map_err(|error| self.told(error))?;
            let next = (hop.left > 0)
                .then(|| self.next(&hop, &answer, (application, &access)))
                .flatten();
            let Some(next) = next else {
                conceal(&mut answer, &access);
                let with_credential = hop.trusted;
                self.at = (hop.left < self.follow).then_some(hop);
                return Ok(Sent {
                    answer,
                    with_credential,
                });
            };
            self.acted |= !hop.method.is_safe() && next.method != hop.method;
            hop = next;
        }
    }

    async fn once(
        &mut self,
        app: &App,
        (application, access): (&Application, &Access<'_>),
        hop: &Hop,
    ) -> Result<Response<Download>, Error> {
        let none = Upload::NONE;
        let headers = self.headers(hop, (application, access))?;
        let request = Streamed {
            method: hop.method.clone(),
            host: &hop.host,
            target: hop.target(access)?,
            headers,
            body: if hop.with_body { &self.body } else { &none },
        };
        let answer = match &self.gone {
            None => app.egress.stream(request).await,
            Some(gone) => {
                // Boxed, since it is rare and large.
                let answer = Box::pin(gone.run_until_cancelled(app.egress.stream(request)));
                answer.await.ok_or(Error::Call(CallFault::BrokenOff))?
            }
        };
        answer.map_err(|error| Error::Call(fault(error)))
    }

    fn headers(&mut self, hop: &Hop, (application, access): (&Application, &Access<'_>)) -> Result<HeaderMap, Error> {
        let mut headers = if self.kept {
            self.headers.clone()
        } else {
            mem::take(&mut self.headers)
        };
        if !hop.with_body {
            without_body(&mut headers);
        }
        if hop.trusted {
            put(&mut headers, application, access)?;
        }
        Ok(headers)
    }

    fn first(&self, access: &Access<'_>) -> Result<Hop, Error> {
        let base = access.base.path().trim_end_matches('/');
        let path = match self.target.path() {
            "" if base.is_empty() => "/",
            path => path,
        };
        let text = match self.target.query() {
            None => [base, path].concat(),
            Some(query) if access.query.iter().any(|(ours, _)| query::names(query, ours)) => {
                return Err(Error::invalid(
                    "the query must not hold the parameter in which this application takes its credential",
                ));
            }
            Some(query) => [base, path, "?", query].concat(),
        };
        Ok(Hop {
            method: self.method.clone(),
            host: access.base.as_ref().clone(),
            target: address(text)?,
            with_body: true,
            trusted: true,
            left: self.follow,
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
        let place = (&application.api, &*access.base);
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
        let text = &to[url::Position::BeforePath..url::Position::AfterQuery];
        let text = if trusted {
            query::without_ours(text, &access.query)
        } else {
            text.to_owned()
        };
        Some(Hop {
            method,
            target: address(text).ok()?,
            host: to,
            with_body,
            trusted,
            left: hop.left - 1,
        })
    }
}

impl Hop {
    /// The same, with a credential that may have come with an API elsewhere.
    fn below(self, base: &Url) -> Self {
        Self {
            trusted: self.trusted && self.host.origin() == base.origin(),
            ..self
        }
    }

    /// The target with the credential, where that stands in the query.
    fn target(&self, access: &Access<'_>) -> Result<PathAndQuery, Error> {
        if !self.trusted || access.query.is_empty() {
            return Ok(self.target.clone());
        }
        let mut text = self.target.as_str().to_owned();
        query::append(&mut text, &access.query);
        address(text)
    }
}

fn address(text: String) -> Result<PathAndQuery, Error> {
    PathAndQuery::from_maybe_shared(Bytes::from(text))
        .map_err(|_| Error::invalid("the path and the query make no address"))
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
            without_alike(headers, &name);
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
        if told.into_iter().any(|value| query::holds(value, &access.query)) {
            answer.headers_mut().remove(name);
        }
    }
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
