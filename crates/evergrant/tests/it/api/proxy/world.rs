//! Providers on sockets of their own, applications that live there, and customers connected to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use evergrant::catalog::AuthType;
use evergrant::clock::ManualClock;
use evergrant::connections::{self, Connection, Credential, Fresh, Given, Schedule, Tokens};
use evergrant::egress::Limits;
use evergrant::secret::Secret;
use evergrant::tenants::Tenant;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Call, START, Surroundings, TestApp, TestDatabase};

/// The customer.
pub(super) const CUSTOMER: &str = "acct-7";
/// An OAuth application with refresh tokens.
pub(super) const CRM: &str = "crm";
/// An OAuth application with a call that asks who one is.
pub(super) const ASKED_GRANT: &str = "asked-grant";

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    /// Path and query, byte for byte.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// An answer without further headers.
pub(super) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.into(),
    }
}

impl Reply {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Answers = Box<dyn FnMut(&Seen) -> Reply + Send>;

#[derive(Clone)]
struct Shared {
    answers: Arc<Mutex<Answers>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A provider: it answers as it is told to, and remembers everything. It stops when it is dropped.
pub(super) struct Upstream {
    /// `host:port`
    pub(super) address: String,
    shared: Shared,
    _server: JoinSet<()>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let shared = Shared {
            answers: Arc::new(Mutex::new(Box::new(|_: &Seen| reply(200, r#"{"fine":true}"#)))),
            seen: Arc::default(),
        };
        let routes = Router::new().fallback(answer).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            shared,
            _server: server,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Answers like this from now on.
    pub(super) fn answers(&self, answers: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *self.shared.answers.lock().unwrap() = Box::new(answers);
    }

    /// Every request so far, the oldest first.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(super) fn only(&self) -> Seen {
        let all = self.seen();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let seen = Seen {
        method,
        target: uri.path_and_query().unwrap().to_string(),
        headers,
        body,
    };
    let reply = (shared.answers.lock().unwrap())(&seen);
    shared.seen.lock().unwrap().push(seen);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// Issues new tokens at `/token`, and refuses every access token but the newest with 401; everything else is `other`'s.
pub(super) fn rotating(mut other: impl FnMut(&Seen) -> Reply + Send + 'static) -> impl FnMut(&Seen) -> Reply + Send {
    let mut issued = 1;
    move |seen| {
        if seen.target == "/token" {
            issued += 1;
            let body = json!({
                "access_token": format!("at-{issued}"), "refresh_token": format!("rt-{issued}"),
                "token_type": "Bearer", "expires_in": 3600,
            });
            return reply(200, body.to_string());
        }
        if seen.header("authorization") != Some(&format!("Bearer at-{issued}")) {
            return reply(401, r#"{"error":"invalid_token"}"#);
        }
        other(seen)
    }
}

/// The service, a provider, another host, and a customer.
pub(super) struct World {
    pub(super) t: TestApp,
    pub(super) provider: Upstream,
    /// A host that is not the API's.
    pub(super) elsewhere: Upstream,
    /// One that applications name, and nobody has allowed: a private address.
    pub(super) walled: Upstream,
    _folder: tempfile::TempDir,
}

/// Runs a story on SQLite and then on PostgreSQL.
pub(super) async fn on_both<F: Future<Output = ()>>(story: impl Fn(World) -> F) {
    story(World::start(TestDatabase::sqlite(), Limits::default()).await).await;
    story(World::start(TestDatabase::postgres().await, Limits::default()).await).await;
}

impl World {
    pub(super) async fn start(database: TestDatabase, limits: Limits) -> Self {
        let (provider, elsewhere) = (Upstream::start().await, Upstream::start().await);
        Self::around(database, limits, (provider, elsewhere)).await
    }

    pub(super) async fn sqlite() -> Self {
        Self::start(TestDatabase::sqlite(), Limits::default()).await
    }

    async fn around(database: TestDatabase, limits: Limits, (provider, elsewhere): (Upstream, Upstream)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let walled = Upstream::start().await;
        for (slug, text) in applications(&provider.address, &elsewhere.address, walled.port()) {
            std::fs::write(folder.path().join(format!("{slug}.toml")), text).unwrap();
        }
        let around = Surroundings {
            allow: vec![provider.address.clone(), elsewhere.address.clone()],
            custom: Some(folder.path().to_owned()),
            limits,
            ..Surroundings::default()
        };
        let t = TestApp::start_in(database, ManualClock::at(START), around).await;
        t.link(CUSTOMER).await;
        let world = Self {
            t,
            provider,
            elsewhere,
            walled,
            _folder: folder,
        };
        world.set_client().await;
        world
    }

    async fn set_client(&self) {
        let body = json!({ "client_id": "us", "client_secret": "secret-of-ours" });
        for slug in [CRM, ASKED_GRANT] {
            let path = format!("/api/v2/public/application/{slug}/oauth-client");
            self.t.put(&path, &body).ok().await;
        }
    }

    pub(super) fn tenant(&self) -> &Tenant {
        &self.t.environment.tenant
    }

    /// A call through the proxy, for the customer.
    pub(super) fn call(&self, method: Method, path: &str) -> Call<'_> {
        let path = format!("/api/v2/public/proxy/{path}");
        let call = self.t.call(method, &path).header("x-api-key", &self.t.key);
        call.header("linked_account_id", CUSTOMER)
    }

    pub(super) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// Connects the customer with typed-in values.
    pub(super) async fn keys(&self, slug: &str, values: &[(&str, &str)]) -> Connection {
        let value = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::from((*value).to_owned()));
        let fresh = Fresh::keys(values.iter().map(value).collect(), self.t.app.now());
        self.store(self.tenant(), (slug, AuthType::Keybased), fresh).await
    }

    /// Connects the customer with the access token `at-1`, which lives an hour, and the refresh token `rt-1`.
    pub(super) async fn grant(&self, slug: &str) -> Connection {
        self.grant_with(slug, Some("rt-1")).await
    }

    pub(super) async fn grant_with(&self, slug: &str, refresh_token: Option<&str>) -> Connection {
        self.store(self.tenant(), (slug, AuthType::OAuth2), self.tokens(refresh_token))
            .await
    }

    pub(super) fn tokens(&self, refresh_token: Option<&str>) -> Fresh {
        let now = self.t.app.now();
        let credential = Credential::OAuth2(Tokens {
            access_token: Secret::from("at-1".to_owned()),
            refresh_token: refresh_token.map(|token| Secret::from(token.to_owned())),
            scope: None,
            client_id: "us".to_owned(),
            inputs: BTreeMap::new(),
            extras: Secret::from("{}".to_owned()),
        });
        let hour = std::time::Duration::from_hours(1);
        let schedule = Schedule {
            has_refresh_token: refresh_token.is_some(),
            issued_at: Some(now),
            refresh_issued_at: refresh_token.map(|_| now),
            expires_at: refresh_token.map(|_| now.after(hour)),
            ..Schedule::default()
        };
        Fresh { credential, schedule }
    }

    pub(super) async fn store(&self, tenant: &Tenant, (slug, kind): (&str, AuthType), fresh: Fresh) -> Connection {
        let account = evergrant::accounts::find(&self.t.app, tenant, CUSTOMER).await.unwrap();
        let application = self.t.app.catalog.get(slug).unwrap().clone();
        let given = Given {
            account: &account,
            application: &application,
            auth_type: kind,
            fresh,
            identifier: None,
            proved: false,
            switch: evergrant::connections::Switch::Refused,
        };
        let mut tx = self.t.app.db.begin().await.unwrap();
        let (connection, _) = connections::activate(&self.t.app, &mut tx, tenant, given)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        connection
    }

    /// The connection as it is now.
    pub(super) async fn find(&self, connection: &Connection) -> Connection {
        connections::find(&self.t.app, self.tenant(), &connection.id)
            .await
            .unwrap()
    }

    /// Serves the service itself on a socket; it stops with what is returned.
    pub(super) async fn on_a_socket(&self) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = (evergrant::http::router(self.t.app.clone()), evergrant::http::QUIET);
        let mut server = JoinSet::new();
        server.spawn(evergrant::http::serve(listener, service, CancellationToken::new()));
        (address, server)
    }
}

fn head(slug: &str) -> String {
    format!("slug = '{slug}'\nname = '{slug}'\ndescription = 'For tests.'\n")
}

/// An application with one key.
fn keyed(at: &str, slug: &str, placement: &str) -> String {
    format!(
        "{}[api]\nbase_url = 'http://{at}/base'\n[keybased]\n[[keybased.input]]\nname = 'key'\nlabel = 'Key'\n\
         type = 'password'\n[[keybased.placement]]\n{placement}\n",
        head(slug)
    )
}

/// An application with one key and a call that asks who one is.
fn asked(at: &str) -> String {
    let placement = "kind = 'bearer'\ntoken = '{key}'\n[keybased.probe]\nurl = '/whoami'";
    keyed(at, "asked", placement)
}

/// An application whose API is somewhere else than at `at`.
fn private((at, slug): (&str, &str), base: &str) -> String {
    let text = keyed(at, slug, "kind = 'bearer'\ntoken = '{key}'");
    text.replace(&format!("http://{at}/base"), base)
}

/// Applications at `at`, by slug.
fn applications(at: &str, elsewhere: &str, walled: u16) -> Vec<(&'static str, String)> {
    let oauth = format!(
        "[oauth2]\nauthorization_url = 'http://{at}/authorize'\ntoken_url = 'http://{at}/token'\nscopes = ['all']\n\
         client_authentication = 'post'\n"
    );
    let keyed = |slug: &str, placement: &str| keyed(at, slug, placement);
    let crm = format!(
        "{}[api]\nbase_url = 'http://{at}/api/v1'\nheaders = {{ x-version = '3' }}\nredirect_hosts = ['{elsewhere}', 'localhost:{walled}', '127.0.0.1:{walled}']\n{oauth}",
        head(CRM)
    );
    let asked_grant = format!(
        "{}[api]\nbase_url = 'http://{at}/base'\n{oauth}[oauth2.probe]\nurl = '/whoami'\n",
        head(ASKED_GRANT)
    );
    // A provider that answers errors under success.
    let chat = format!(
        "{}[api]\nbase_url = 'http://{at}'\n{oauth}[[rule]]\nname = 'chat.revoked'\nsource = 'unverified'\n\
         phase = ['api_call']\npointer = {{ '/ok' = false, '/error' = 'token_revoked' }}\nmeans = 'credential_revoked'\n\
         positive = [{{ status = 200, body = '{{\"ok\":false,\"error\":\"token_revoked\"}}' }}, \
         {{ status = 200, body = '{{\"ok\":false,\"error\":\"token_revoked\",\"x\":1}}' }}]\n\
         near_miss = [{{ status = 200, body = '{{\"ok\":true}}' }}]\n",
        head("chat")
    );
    let both = format!(
        "{}auth_type = 'oauth2'\n[api]\nbase_url = 'http://{at}'\n{oauth}[keybased]\n[[keybased.input]]\nname = 'key'\n\
         label = 'Key'\ntype = 'password'\n[[keybased.placement]]\nkind = 'header'\nname = 'x-key'\nvalue = '{{key}}'\n",
        head("both")
    );
    let templated = format!(
        "{}[api]\nbase_url = 'http://{at}/{{account}}/rest'\n[keybased]\n[[keybased.input]]\nname = 'account'\n\
         label = 'Account'\nsecret = false\n[[keybased.input]]\nname = 'key'\nlabel = 'Key'\n[[keybased.placement]]\n\
         kind = 'bearer'\ntoken = '{{key}}'\n",
        head("templated")
    );
    let private = |slug: &str, base: &str| private((at, slug), base);
    vec![
        (CRM, crm),
        (ASKED_GRANT, asked_grant),
        ("chat", chat),
        ("both", both),
        ("templated", templated),
        ("private", private("private", &format!("http://127.0.0.1:{walled}/x"))),
        (
            "private-name",
            private("private-name", &format!("http://localhost:{walled}/x")),
        ),
        ("private-far", private("private-far", "https://169.254.169.254/x")),
        ("bearer", keyed("bearer", "kind = 'bearer'\ntoken = '{key}'")),
        ("asked", asked(at)),
        (
            "header",
            keyed("header", "kind = 'header'\nname = 'x-token'\nvalue = 'Token {key}'"),
        ),
        (
            "basic",
            keyed("basic", "kind = 'basic'\nusername = '{key}'\npassword = 'x'"),
        ),
        (
            "query",
            keyed("query", "kind = 'query'\nname = 'api_key'\nvalue = '{key}'"),
        ),
    ]
}

impl World {
    /// A world whose application `templated` is at a socket that the test looks after; the customer is connected to it.
    pub(super) async fn at(listener: &TcpListener, limits: Limits) -> Self {
        let mut provider = Upstream::start().await;
        provider.address = listener.local_addr().unwrap().to_string();
        let elsewhere = Upstream::start().await;
        let world = Self::around(TestDatabase::sqlite(), limits, (provider, elsewhere)).await;
        world.keys("templated", &[("account", "acme"), ("key", "k")]).await;
        world
    }
}
