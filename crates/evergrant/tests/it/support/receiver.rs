//! A receiver of webhooks on a socket of its own: it keeps what it gets, and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use evergrant::secret::Secret;
use tokio::task::JoinSet;

use super::Gate;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether the signature is the one of this key over the bytes that came.
    pub(crate) fn is_signed_with(&self, key: &str) -> bool {
        let key = Secret::from(key.to_owned());
        self.header("x-cobalt-signature") == evergrant::webhooks::sign(&key, self.body.as_bytes())
    }
}

/// What the receiver got and what it is going to answer.
#[derive(Default)]
struct State {
    got: Vec<Received>,
    answers: VecDeque<StatusCode>,
}

/// The receiver. It stops when it is dropped.
pub(crate) struct Receiver {
    /// `host:port`
    pub(crate) address: String,
    /// What holds its answers back.
    pub(crate) gate: Gate,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

impl Receiver {
    /// Listens on a free port and answers 200.
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let gate = Gate::default();
        let (shared, door) = (state.clone(), gate.clone());
        let routes = Router::new().fallback(async move |method: Method, headers: HeaderMap, body: Bytes| {
            let body = String::from_utf8(body.to_vec()).unwrap();
            let answer = {
                let mut state = shared.lock().unwrap();
                state.got.push(Received { method, headers, body });
                state.answers.pop_front().unwrap_or(StatusCode::OK)
            };
            door.pass().await;
            answer
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            gate,
            state,
            _server: server,
        }
    }

    /// Where webhooks are to be sent.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next requests like this, and then 200 again.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        let statuses = statuses.iter().map(|&status| StatusCode::from_u16(status).unwrap());
        self.state.lock().unwrap().answers.extend(statuses);
    }

    /// All that came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().got.clone()
    }

    /// The only request that came so far.
    pub(crate) fn only(&self) -> Received {
        let mut got = self.received();
        assert_eq!(got.len(), 1, "{got:?}");
        got.remove(0)
    }
}
