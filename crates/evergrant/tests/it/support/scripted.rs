//! A provider on a socket of its own that rotates refresh tokens, counts how often each is presented, keeps everything it
//! is sent, and can be slow or answer whatever a test wants.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::json;
use tokio::task::JoinSet;

use super::Gate;

/// What a second use of a rotated refresh token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It works once more: the first reply may have been lost.
    Grace,
    /// It is taken for theft, and the whole grant dies.
    Strict,
}

/// What a provider knows.
struct Grants {
    manners: Manners,
    /// What every token begins with.
    prefix: String,
    issued: u32,
    refresh_token: String,
    dead: bool,
    /// The seconds that the first access token lives; later ones live an hour.
    first_life: u32,
    presented: BTreeMap<String, u32>,
    seen: Vec<String>,
    instead: BTreeMap<String, VecDeque<(u16, String)>>,
}

impl Grants {
    fn tokens(&mut self, life: u32) -> (u16, String) {
        self.issued += 1;
        self.refresh_token = format!("{}rt-{}", self.prefix, self.issued);
        let body = json!({
            "access_token": format!("{}at-{}", self.prefix, self.issued), "token_type": "Bearer", "expires_in": life,
            "refresh_token": self.refresh_token, "team": format!("{}extra", self.prefix),
        });
        (200, body.to_string())
    }

    fn refresh(&mut self, token: &str) -> (u16, String) {
        *self.presented.entry(token.to_owned()).or_default() += 1;
        let reused = token != self.refresh_token;
        self.dead |= reused && self.manners == Manners::Strict;
        if self.dead {
            return (400, json!({ "error": "invalid_grant" }).to_string());
        }
        self.tokens(3600)
    }

    fn answer(&mut self, path: &str, body: &str) -> (u16, String) {
        if let Some(answer) = self.instead.get_mut(path).and_then(VecDeque::pop_front) {
            return answer;
        }
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        match (path, form.get("refresh_token")) {
            ("/token", Some(token)) => self.refresh(token),
            ("/token", None) => self.tokens(self.first_life),
            _ => (200, json!({ "id": "u-1" }).to_string()),
        }
    }
}

#[derive(Clone)]
struct Shared {
    grants: Arc<Mutex<Grants>>,
    gate: Gate,
}

/// The provider. It stops when it is dropped.
pub(crate) struct Scripted {
    /// `host:port`
    pub(crate) address: String,
    shared: Shared,
    _server: JoinSet<()>,
}

impl Scripted {
    /// Listens on a free port; every token begins with `prefix`, and the first access token lives so many seconds.
    pub(crate) async fn start(manners: Manners, prefix: &str, first_life: u32) -> Self {
        let grants = Grants {
            manners,
            prefix: prefix.to_owned(),
            issued: 0,
            refresh_token: String::new(),
            dead: false,
            first_life,
            presented: BTreeMap::new(),
            seen: Vec::new(),
            instead: BTreeMap::new(),
        };
        let shared = Shared {
            grants: Arc::new(Mutex::new(grants)),
            gate: Gate::default(),
        };
        let routes = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            shared,
            _server: server,
        }
    }

    /// What holds its answers back.
    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// Answers the next request to `path` like this instead.
    pub(crate) fn instead(&self, path: &str, status: u16, body: &str) {
        let mut grants = self.shared.grants.lock().unwrap();
        let answers = grants.instead.entry(path.to_owned()).or_default();
        answers.push_back((status, body.to_owned()));
    }

    /// How often each refresh token was presented.
    pub(crate) fn presented(&self) -> BTreeMap<String, u32> {
        self.shared.grants.lock().unwrap().presented.clone()
    }

    /// Every request: its target, its `authorization` and its body, one after the other.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.grants.lock().unwrap().seen.clone()
    }

    /// Custom applications that live here: `crash` by OAuth 2.0, `crash-key` with a key.
    pub(crate) fn catalog(&self) -> [(&'static str, String); 2] {
        let at = &self.address;
        let oauth = format!(
            "slug = 'crash'\nname = 'Crash'\ndescription = 'For tests.'\n[api]\nbase_url = 'http://{at}'\n\
             [lifetimes]\nrotation = 'always'\n[oauth2]\nauthorization_url = 'http://{at}/authorize'\n\
             token_url = 'http://{at}/token'\nrevocation_url = 'http://{at}/revoke'\nscopes = ['all']\n\
             client_authentication = 'post'\n"
        );
        let key = format!(
            "slug = 'crash-key'\nname = 'Crash Key'\ndescription = 'For tests.'\n[api]\nbase_url = 'http://{at}'\n\
             [keybased]\n[[keybased.input]]\nname = 'api_key'\nlabel = 'API key'\ntype = 'password'\n\
             [[keybased.placement]]\nkind = 'query'\nname = 'key'\nvalue = '{{api_key}}'\n[keybased.probe]\nurl = '/me'\n"
        );
        [("crash", oauth), ("crash-key", key)]
    }
}

async fn answer(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let body = String::from_utf8_lossy(&body).into_owned();
    let authorization = headers
        .get("authorization")
        .map_or("", |value| value.to_str().unwrap_or_default());
    let (status, text) = {
        let mut grants = shared.grants.lock().unwrap();
        grants.seen.push(format!("{uri} {authorization} {body}"));
        grants.answer(uri.path(), &body)
    };
    shared.gate.pass().await;
    let reply = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    reply.body(Body::from(text)).unwrap()
}
