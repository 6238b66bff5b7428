//! The token endpoint of a provider with any number of grants: every refresh token is good, the client's secret is what
//! is looked at.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::Response;
use tokio::task::JoinSet;

#[derive(Default)]
struct Shared {
    secret: String,
    /// What is answered instead, while it is set.
    refusal: Option<&'static str>,
    accepted: usize,
    refused: usize,
}

/// The endpoint. It stops when it is dropped.
pub(crate) struct Many {
    /// `host:port`
    pub(crate) address: String,
    shared: Arc<Mutex<Shared>>,
    _server: JoinSet<()>,
}

impl Many {
    pub(crate) const CLIENT: &'static str = "the-client";

    /// Listens on a free port.
    pub(crate) async fn start(secret: &str) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let routes = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let many = Self {
            address,
            shared,
            _server: server,
        };
        many.accept(secret);
        many
    }

    /// The secret that is accepted from now on, and nothing refused for another cause.
    pub(crate) fn accept(&self, secret: &str) {
        let mut shared = self.shared.lock().unwrap();
        secret.clone_into(&mut shared.secret);
        shared.refusal = None;
    }

    /// Refuses every client with this body.
    pub(crate) fn refuse(&self, body: &'static str) {
        self.shared.lock().unwrap().refusal = Some(body);
    }

    /// How many refreshes were accepted and refused so far.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let shared = self.shared.lock().unwrap();
        (shared.accepted, shared.refused)
    }

    /// The application `many`, for the custom folder.
    pub(crate) fn catalog(&self) -> String {
        let at = &self.address;
        format!(
            "slug = 'many'\nname = 'Many'\ndescription = 'For tests.'\n[api]\nbase_url = 'http://{at}'\n\
             [lifetimes]\nrotation = 'none'\n[oauth2]\nauthorization_url = 'http://{at}/authorize'\n\
             token_url = 'http://{at}/token'\nscopes = ['all']\nclient_authentication = 'post'\n"
        )
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, body: Bytes) -> Response<Body> {
    let mut shared = shared.lock().unwrap();
    let secret = url::form_urlencoded::parse(&body).find(|(name, _)| name == "client_secret");
    let is_right = secret.is_some_and(|(_, secret)| secret == shared.secret.as_str());
    let (status, text) = match shared.refusal {
        Some(refusal) => (401, refusal),
        None if !is_right => (401, r#"{"error":"invalid_client"}"#),
        None => (200, r#"{"access_token":"at","token_type":"Bearer","expires_in":3600}"#),
    };
    if status == 200 {
        shared.accepted += 1;
    } else {
        shared.refused += 1;
    }
    let reply = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    reply.body(Body::from(text)).unwrap()
}
