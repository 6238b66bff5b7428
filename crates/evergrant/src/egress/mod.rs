//! The only way out: one guarded HTTP client.
//!
//! No request reaches a private, loopback, link-local or otherwise special address, whether it is named by an IP
//! literal in any spelling or by a host name that resolves to one, unless its exact `host:port` is on the operator's
//! list. Redirects are never followed here. Replies are cut at a limit. Proxies of the environment are ignored, since
//! they would decide for us where a request ends up.

mod address;
mod body;
pub mod path;
mod pool;
mod reply;
mod stream;
mod transport;

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::secret::Secret;

pub use address::is_public;
pub use body::{BoxError, Download, Incoming, Upload, UploadFault};
pub use reply::Reply;
pub use reqwest::Method;
pub use stream::{Limits, StreamError, Streamed};
pub use transport::{Carried, Transport, Trust};

/// How long connecting may take, unless the limits say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole exchange may take unless the request says otherwise. Below the refresh lease.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a reply is read.
const MAX_REPLY: usize = 256 * 1024;

/// One request. Header values and the body may be secret, so none of it prints.
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Names and values.
    pub headers: Vec<(String, Secret)>,
    /// The body, if any.
    pub body: Option<Secret>,
    /// The limit for the whole exchange.
    pub timeout: Duration,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Secret>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl From<evergrant_oauth::HttpRequest> for Request {
    fn from(request: evergrant_oauth::HttpRequest) -> Self {
        let headers = request
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self {
            method: Method::POST,
            url: request.url,
            headers,
            body: Some(request.body),
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// No usable reply arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The address is not one that this server may call.
    #[error("the address is not public; the operator can allow its exact host:port with EVERGRANT_EGRESS_ALLOW")]
    Forbidden,
    /// The host name, the connection or TLS failed: nothing was sent.
    #[error("no connection to the host")]
    NotConnected,
    /// The request may have been received; its reply is lost.
    #[error("the connection broke before the reply was read")]
    ReplyLost,
    /// The request may have been received; its reply did not come in time.
    #[error("the host did not answer in time")]
    TimedOut,
}

impl Unreachable {
    /// Whether the request may have had an effect.
    #[must_use]
    pub const fn may_have_arrived(self) -> bool {
        matches!(self, Self::ReplyLost | Self::TimedOut)
    }
}

/// The guarded client.
#[derive(Clone)]
pub struct Egress {
    transport: Arc<dyn Transport>,
    streams: Arc<stream::Clients>,
    allow: Arc<HashSet<String>>,
    limits: Limits,
}

impl Egress {
    /// `allow` holds exact `host:port` pairs that may be private.
    pub fn new(allow: impl IntoIterator<Item = String>) -> Self {
        Self {
            transport: Arc::new(transport::Network::default()),
            streams: Arc::default(),
            allow: Arc::new(allow.into_iter().map(|pair| pair.to_ascii_lowercase()).collect()),
            limits: Limits::default(),
        }
    }

    /// The same with other limits for what is streamed.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The limits for what is streamed.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same over another way than the network, behind the same guard.
    #[must_use]
    pub fn over(self, transport: Arc<dyn Transport>) -> Self {
        Self { transport, ..self }
    }

    /// Sends one request and reads its reply, whatever its status.
    pub async fn send(&self, request: Request) -> Result<Reply, Unreachable> {
        let trust = self.admit(&request.url)?;
        self.transport.carry(request, trust).await
    }

    /// Whether this URL may be called. A host name is judged again by the resolver, once its addresses are known.
    fn admit(&self, url: &Url) -> Result<Trust, Unreachable> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Unreachable::Forbidden);
        }
        let (host, port) = (
            url.host().ok_or(Unreachable::Forbidden)?,
            url.port_or_known_default().unwrap_or(0),
        );
        if !self.allow.is_empty() {
            let listed = match url.port() {
                // As the parser has it, in lower case.
                Some(_) => self
                    .allow
                    .contains(&url[url::Position::BeforeHost..url::Position::AfterPort]),
                None => self.allow.contains(&format!("{host}:{port}").to_ascii_lowercase()),
            };
            if listed {
                return Ok(Trust::Listed);
            }
        }
        // The resolver is not asked for IP literals. The URL parser has already turned 0x7f000001 and 2130706433
        // into 127.0.0.1, so every spelling ends up here.
        let public = match host {
            Host::Domain(_) => true,
            Host::Ipv4(ip) => is_public(ip.into()),
            Host::Ipv6(ip) => is_public(ip.into()),
        };
        public.then_some(Trust::IfPublic).ok_or(Unreachable::Forbidden)
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

/// The cause of that type, somewhere below an error.
fn cause_of<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

/// All addresses of a name must be public: a name with one private address is somebody's attempt.
#[derive(Debug, thiserror::Error)]
#[error("the host name resolves to an address that is not public")]
struct NotPublic;

struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move { Ok(Box::new(public_addresses(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

/// The addresses of a host name, if all of them are public.
async fn public_addresses(name: &str) -> Result<Vec<SocketAddr>, BoxError> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    if found.iter().any(|address| !is_public(address.ip())) {
        return Err(Box::new(NotPublic));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn send(egress: &Egress, url: &str) -> Result<Reply, Unreachable> {
        egress
            .send(Request::new(reqwest::Method::GET, url.parse().unwrap()))
            .await
    }

    async fn stream(egress: &Egress, url: &str) -> Result<(), StreamError> {
        let request = Streamed {
            method: Method::GET,
            host: &url.parse().unwrap(),
            target: http::uri::PathAndQuery::from_static("/"),
            headers: http::HeaderMap::new(),
            body: &Upload::NONE,
        };
        egress.stream(request).await.map(drop)
    }

    #[tokio::test]
    async fn a_private_address_is_refused_in_every_spelling() {
        let egress = Egress::new([]);
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "0x7f000001",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "[fe80::1]",
            "[fc00::1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
        ] {
            let got = send(&egress, &format!("http://{host}:9/")).await;
            assert!(matches!(got, Err(Unreachable::Forbidden)), "{host}: {got:?}");
            let streamed = stream(&egress, &format!("http://{host}:9/")).await;
            assert_eq!(streamed, Err(Unreachable::Forbidden.into()), "{host}");
        }
    }

    #[tokio::test]
    async fn only_the_exact_pair_on_the_list_is_let_through() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let egress = Egress::new([format!("127.0.0.1:{port}")]);
        assert_eq!(
            send(&egress, &format!("http://127.0.0.1:{port}/")).await.unwrap_err(),
            Unreachable::NotConnected
        );
        assert_eq!(
            send(&egress, "http://127.0.0.1:9/").await.unwrap_err(),
            Unreachable::Forbidden
        );
        assert_eq!(
            send(&egress, "ftp://127.0.0.1/").await.unwrap_err(),
            Unreachable::Forbidden
        );
    }
}
