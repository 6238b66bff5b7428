//! Requests whose bodies pass through in pieces, both ways: the proxy's way out, under the same guard as every other.
//!
//! The pieces go straight from one connection to the other, so a slow side slows the other one down, and nothing piles up.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{TRANSFER_ENCODING, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body as _;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::body::{BoxError, Download, Upload, UploadFault};
use super::pool::{Arriving, Failed, Pool};
use super::{CONNECT_TIMEOUT, Egress, NotPublic, Trust, Unreachable, cause_of, public_addresses};

const USER_AGENT_OF_OURS: HeaderValue = HeaderValue::from_static(concat!("evergrant/", env!("CARGO_PKG_VERSION")));

/// Limits for what is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long an answer's head may take, counted from the last piece of the request.
    pub head: Duration,
    /// How long a body may stand still.
    pub idle: Duration,
    /// The longest request body, in bytes.
    pub request: u64,
    /// The longest answer, in bytes.
    pub response: u64,
    /// How much of a request body is kept for a second sending, in bytes.
    pub kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            head: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            request: 128 * 1024 * 1024,
            response: 1024 * 1024 * 1024,
            kept: 256 * 1024,
        }
    }
}

/// A request whose body is streamed. Header values may be secret, so it does not print.
pub struct Streamed<'a> {
    /// The HTTP method.
    pub method: Method,
    /// Scheme, host and port; the rest of it is not looked at.
    pub host: &'a Url,
    /// Path and query, as they go out.
    pub target: PathAndQuery,
    /// All headers but `host`, `content-length` and what belongs to the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: &'a Upload,
}

/// No usable answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Because of the way there.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Because of the request's body.
    #[error(transparent)]
    Upload(#[from] UploadFault),
}

/// Made when first used, as those of the transport are.
#[derive(Default)]
pub(super) struct Clients {
    guarded: OnceLock<Pool>,
    listed: OnceLock<Pool>,
}

impl Clients {
    fn of(&self, admitted: Trust, limits: &Limits) -> &Pool {
        let (clients, public_only) = match admitted {
            Trust::Listed => (&self.listed, false),
            Trust::IfPublic => (&self.guarded, true),
        };
        clients.get_or_init(|| Pool::new(Resolver { public_only }, limits.connect))
    }
}

/// The system's resolver, which is not asked for IP literals: [`Egress::admit`] has judged those.
#[derive(Clone, Copy)]
pub(super) struct Resolver {
    public_only: bool,
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let public_only = self.public_only;
        Box::pin(async move {
            let found = if public_only {
                public_addresses(name.as_str()).await?
            } else {
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect()
            };
            Ok(found.into_iter())
        })
    }
}

impl Egress {
    /// Sends one request, and returns as soon as the answer's head is there, whatever its status.
    pub async fn stream(&self, request: Streamed<'_>) -> Result<Response<Download>, StreamError> {
        let pool = self.streams.of(self.admit(request.host)?, &self.limits);
        let has_length = request.method != Method::HEAD;
        let body = request.body.send().ok_or(UploadFault::BrokenOff)?;
        let mut out = Request::new(body);
        *out.uri_mut() = Uri::from(request.target);
        *out.method_mut() = request.method;
        *out.headers_mut() = request.headers;
        out.headers_mut().entry(USER_AGENT).or_insert(USER_AGENT_OF_OURS);
        if !request.body.is_empty() && out.body().size_hint().exact().is_none() {
            // Said for methods with which a body is rare: left to itself, hyper sends those without it.
            let chunked = HeaderValue::from_static("chunked");
            out.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        let answer = head(pool.send(request.host, out), request.body, self.limits.head).await?;
        let (parts, mut body) = answer.into_parts();
        if !request.body.is_sent() {
            body.apart();
        }
        let download = Download::new(body, (self.limits.response, self.limits.idle), has_length);
        Ok(Response::from_parts(parts, download))
    }
}

/// Waits for the head of the answer, as long as the request's body moves.
async fn head(
    answer: impl Future<Output = Result<Response<Arriving>, Failed>>,
    upload: &Upload,
    patience: Duration,
) -> Result<Response<Arriving>, StreamError> {
    let mut answer = std::pin::pin!(answer);
    let mut until = Instant::now() + patience;
    loop {
        match timeout_at(until, answer.as_mut()).await {
            Ok(done) => return done.map_err(|error| classify(&error)),
            Err(_) => match upload.moved() {
                Some((moved, _)) if moved + patience > until => until = moved + patience,
                Some((_, true)) => return Err(UploadFault::Stalled.into()),
                _ => return Err(Unreachable::TimedOut.into()),
            },
        }
    }
}

fn classify(failed: &Failed) -> StreamError {
    match failed {
        Failed::Connect(error) if cause_of::<NotPublic>(&**error).is_some() => Unreachable::Forbidden.into(),
        Failed::Connect(_) => Unreachable::NotConnected.into(),
        Failed::Exchange(error) => match cause_of::<UploadFault>(error) {
            Some(fault) => (*fault).into(),
            None => Unreachable::ReplyLost.into(),
        },
    }
}
