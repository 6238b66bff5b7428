//! What carries a request that has been let through: the network, or in a simulation the provider itself.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{CONNECT_TIMEOUT, MAX_REPLY, NotPublic, PublicOnly, Reply, Request, Unreachable, cause_of};

/// Why a URL may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Its exact `host:port` is on the operator's list.
    Listed,
    /// Its host is a public address, or a name whose addresses must all be.
    IfPublic,
}

/// A request on its way.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<Reply, Unreachable>> + Send + 'a>>;

/// Carries requests, and brings their replies back.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and reads its reply, whatever its status.
    fn carry(&self, request: Request, trust: Trust) -> Carried<'_>;
}

/// The network. Its clients are made when first used: reading the system's certificates takes longer than starting the server.
#[derive(Default)]
pub(super) struct Network {
    guarded: OnceLock<reqwest::Client>,
    allowed: OnceLock<reqwest::Client>,
}

impl Transport for Network {
    fn carry(&self, request: Request, trust: Trust) -> Carried<'_> {
        Box::pin(self.send(request, trust))
    }
}

impl Network {
    async fn send(&self, request: Request, trust: Trust) -> Result<Reply, Unreachable> {
        let client = match trust {
            Trust::Listed => self.allowed.get_or_init(|| built(builder())),
            Trust::IfPublic => self
                .guarded
                .get_or_init(|| built(builder().dns_resolver(Arc::new(PublicOnly)))),
        };
        let mut out = client.request(request.method, request.url).timeout(request.timeout);
        for (name, value) in &request.headers {
            let mut value =
                reqwest::header::HeaderValue::from_str(value.expose()).map_err(|_| Unreachable::NotConnected)?;
            value.set_sensitive(true);
            out = out.header(name.as_str(), value);
        }
        if let Some(body) = &request.body {
            out = out.body(body.expose().to_owned());
        }
        let response = out.send().await.map_err(|error| classify(&error))?;
        let status = response.status().as_u16();
        let headers = text_headers(response.headers());
        let body = read_body(response).await?;
        Ok(Reply { status, headers, body })
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("evergrant/", env!("CARGO_PKG_VERSION")))
}

fn built(builder: reqwest::ClientBuilder) -> reqwest::Client {
    builder.build().expect("the TLS library is compiled in")
}

fn text_headers(headers: &reqwest::header::HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        value
            .to_str()
            .ok()
            .map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, Unreachable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        let room = MAX_REPLY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_REPLY {
            break;
        }
    }
    Ok(body)
}

fn classify(error: &reqwest::Error) -> Unreachable {
    if cause_of::<NotPublic>(error).is_some() {
        return Unreachable::Forbidden;
    }
    if error.is_connect() || error.is_builder() {
        Unreachable::NotConnected
    } else if error.is_timeout() {
        Unreachable::TimedOut
    } else {
        Unreachable::ReplyLost
    }
}
