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
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::body::{BoxError, Download, Sending, Upload, UploadFault};
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

type Pool = Client<HttpsConnector<HttpConnector<Resolver>>, Sending>;

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
        clients.get_or_init(|| pool(Resolver { public_only }, limits.connect))
    }
}

fn pool(resolver: Resolver, connect: Duration) -> Pool {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(connect));
    let https = HttpsConnectorBuilder::new()
        .with_platform_verifier()
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(https)
}

/// The system's resolver, which is not asked for IP literals: [`Egress::admit`] has judged those.
#[derive(Clone, Copy)]
struct Resolver {
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
        *out.uri_mut() = uri(request.host, request.target).ok_or(Unreachable::Forbidden)?;
        *out.method_mut() = request.method;
        *out.headers_mut() = request.headers;
        out.headers_mut().entry(USER_AGENT).or_insert(USER_AGENT_OF_OURS);
        if !request.body.is_empty() && out.body().size_hint().exact().is_none() {
            // Said for methods with which a body is rare: left to itself, hyper sends those without it.
            let chunked = HeaderValue::from_static("chunked");
            out.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        let answer = head(pool.request(out), request.body, self.limits.head).await?;
        let (parts, body) = answer.into_parts();
        let download = Download::new(body, (self.limits.response, self.limits.idle), has_length);
        Ok(Response::from_parts(parts, download))
    }
}

fn uri(host: &Url, target: PathAndQuery) -> Option<Uri> {
    let authority = &host[url::Position::BeforeHost..url::Position::AfterPort];
    Uri::builder()
        .scheme(host.scheme())
        .authority(authority)
        .path_and_query(target)
        .build()
        .ok()
}

/// Waits for the head of the answer, as long as the request's body moves.
async fn head(
    answer: hyper_util::client::legacy::ResponseFuture,
    upload: &Upload,
    patience: Duration,
) -> Result<Response<hyper::body::Incoming>, StreamError> {
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

fn classify(error: &Error) -> StreamError {
    if let Some(fault) = cause_of::<UploadFault>(error) {
        return (*fault).into();
    }
    let unreachable = if cause_of::<NotPublic>(error).is_some() {
        Unreachable::Forbidden
    } else if error.is_connect() {
        Unreachable::NotConnected
    } else {
        Unreachable::ReplyLost
    };
    unreachable.into()
}
