//! A team, its customer, the third party and the receiver of webhooks: everything that a whole story needs.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::app::App;
use evergrant::clock::ManualClock;
use evergrant::ids::ConnectionId;
use evergrant::sandbox::Settings;
use evergrant::tenants::Tenant;
use evergrant::{refresh, webhooks};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::app::Surroundings;
use super::provider::{CLIENT, CLIENT_SECRET, Consent, Provider};
use super::{Answer, Receiver, START, TestApp, TestDatabase};

/// The OAuth application of the sandbox.
pub(crate) const CRM: &str = "sandbox-oauth";
/// Its application with keys.
pub(crate) const SMS: &str = "sandbox-key";
/// An application of the operator's own.
pub(crate) const OWN: &str = "own-app";
const OWN_APP: &str = r#"
slug = "own-app"
name = "Own"
description = "Things"
[api]
base_url = "https://api.own.example"
[keybased]
input = [{ name = "key", label = "Key" }]
placement = [{ kind = "bearer", token = "{key}" }]
"#;
/// The customer.
pub(crate) const CUSTOMER: &str = "acct-7";

/// The world of a story.
pub(crate) struct Story {
    pub(crate) t: TestApp,
    pub(crate) provider: Provider,
    pub(crate) receiver: Receiver,
    _custom: tempfile::TempDir,
}

/// Runs a story on SQLite and then on PostgreSQL.
pub(crate) async fn story<F: Future<Output = ()>>(tell: impl Fn(Story) -> F) {
    story_with(|_| {}, tell).await;
}

/// The same with a provider that is not as strict, or as patient, as usual.
pub(crate) async fn story_with<F: Future<Output = ()>>(change: impl Fn(&mut Settings), tell: impl Fn(Story) -> F) {
    tell(Story::start(TestDatabase::sqlite(), &change).await).await;
    tell(Story::start(TestDatabase::postgres().await, &change).await).await;
}

/// Sweeps and delivers until nothing is due.
pub(crate) async fn run_due(app: &App) {
    for _ in 0..20 {
        let swept = refresh::run_due(app, &CancellationToken::new()).await.unwrap();
        let delivered = webhooks::deliver::run_due(app).await.unwrap();
        if swept + delivered == 0 {
            return;
        }
    }
    panic!("something is due for ever");
}

/// An authorisation that has been opened in a browser.
pub(crate) struct Opened {
    /// The provider's page.
    pub(crate) authorize: String,
    /// What the browser sends from then on.
    pub(crate) cookie: String,
}

impl Story {
    async fn start(database: TestDatabase, change: impl Fn(&mut Settings)) -> Self {
        let clock = ManualClock::at(START);
        let provider = Provider::start(&clock, change).await;
        let receiver = Receiver::start().await;
        let custom = tempfile::tempdir().unwrap();
        std::fs::write(custom.path().join("own-app.toml"), OWN_APP).unwrap();
        let around = Surroundings {
            allow: vec![provider.address.clone(), receiver.address.clone()],
            sandbox: Some(provider.origin()),
            custom: Some(custom.path().to_owned()),
            ..Surroundings::default()
        };
        let t = TestApp::start_in(database, clock, around).await;
        let story = Self {
            t,
            provider,
            receiver,
            _custom: custom,
        };
        story.t.link(CUSTOMER).await;
        story.set_client(CLIENT, CLIENT_SECRET).await;
        let events = ["Connection Created", "Connection Expired", "Connection Deleted"];
        let hook = json!({ "webhook_url": story.receiver.url(), "webhook_events": events });
        story.t.post("/api/v2/public/webhook", &hook).ok().await;
        story
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        &self.t.environment.tenant
    }

    /// Pushes the clock.
    pub(crate) fn pass(&self, time: Duration) {
        self.t.clock.advance(time);
    }

    /// Lets time pass in steps, with a sweep after each.
    pub(crate) async fn live(&self, steps: u32, step: Duration) {
        for _ in 0..steps {
            self.pass(step);
            run_due(&self.t.app).await;
        }
    }

    /// Sets the team's OAuth client.
    pub(crate) async fn set_client(&self, id: &str, secret: &str) {
        let body = json!({ "client_id": id, "client_secret": secret });
        let path = format!("/api/v2/public/application/{CRM}/oauth-client");
        self.t.put(&path, &body).ok().await;
    }

    /// `GET integrate` with the customer's session: our start page's path.
    pub(crate) async fn integrate(&self) -> String {
        let token = self.t.session(CUSTOMER).await;
        let path = format!("/api/v1/{CRM}/integrate");
        let answer = self.t.by_session(Method::GET, &path, &token).ok().await;
        let url = answer["auth_url"].as_str().unwrap();
        url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
    }

    /// Our start page, in a browser that may have a cookie already.
    pub(crate) async fn visit(&self, path: &str, cookie: Option<&str>) -> Answer {
        let call = self.t.call(Method::GET, path);
        let call = match cookie {
            Some(cookie) => call.header("cookie", cookie),
            None => call,
        };
        call.send().await
    }

    /// Opens a start page, which must lead to the provider.
    pub(crate) async fn open(&self, path: &str, cookie: Option<&str>) -> Opened {
        let answer = self.visit(path, cookie).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.text);
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let cookie = header("set-cookie");
        assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
        Opened {
            authorize: header("location"),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }

    /// From "connect" to just before the callback: its path, and the browser's cookie.
    pub(crate) async fn consent(&self, consent: Consent) -> (String, String) {
        let opened = self.open(&self.integrate().await, None).await;
        (self.provider.decide(&opened.authorize, consent).await, opened.cookie)
    }

    /// The whole way, which must end well. Returns the connection's id.
    pub(crate) async fn connect(&self) -> String {
        self.connect_with(Consent::YES).await
    }

    /// The same with another decision at the provider.
    pub(crate) async fn connect_with(&self, consent: Consent) -> String {
        let (callback, cookie) = self.consent(consent).await;
        let page = self.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        self.id_of(CRM).await
    }

    /// Saves a key with the customer's session.
    pub(crate) async fn save(&self, body: &Value) -> Answer {
        let token = self.t.session(CUSTOMER).await;
        let path = format!("/api/v2/app/{SMS}/save");
        self.t.by_session(Method::POST, &path, &token).json(body).send().await
    }

    /// Connects the application with keys. Returns the connection's id.
    pub(crate) async fn connect_key(&self) -> String {
        let answer = self.save(&json!({ "api_key": self.provider.key() })).await;
        assert_eq!(answer.text, r#"{"success":true}"#);
        self.id_of(SMS).await
    }

    /// The application object, as the back end and the browser both see it, alone and in the list.
    pub(crate) async fn application(&self, slug: &str) -> Value {
        let path = format!("/api/v2/public/application/{slug}");
        let one = self.t.get(&path).header("linked_account_id", CUSTOMER).ok().await;
        let all = self.t.get("/api/v2/public/application");
        let all = all.header("linked_account_id", CUSTOMER).ok().await;
        let listed = all.as_array().unwrap().iter().find(|app| app["slug"] == slug);
        assert_eq!(listed, Some(&one));
        let token = self.t.session(CUSTOMER).await;
        let path = format!("/api/v2/f-sdk/application/{slug}");
        assert_eq!(self.t.by_session(Method::GET, &path, &token).ok().await, one);
        one
    }

    /// The id of the only connection to an application.
    pub(crate) async fn id_of(&self, slug: &str) -> String {
        let application = self.application(slug).await;
        let all = application["connected_accounts"].as_array().unwrap();
        assert_eq!(all.len(), 1);
        all[0]["connection_id"].as_str().unwrap().to_owned()
    }

    /// Asserts that the application stands as if nothing had ever been connected.
    pub(crate) async fn assert_never_connected(&self, slug: &str) {
        let application = self.application(slug).await;
        assert_eq!(application["reauth_required"], false);
        assert!(application.get("connected").is_none(), "{application}");
        assert!(application.get("connected_accounts").is_none(), "{application}");
    }

    /// Asserts that the application is connected and well.
    pub(crate) async fn assert_healthy(&self, slug: &str) {
        let application = self.application(slug).await;
        assert_eq!(application["reauth_required"], false, "{application}");
        assert_eq!(application["connected"], true);
        assert_eq!(application["connected_accounts"][0]["status"], "active");
    }

    /// The connection object.
    pub(crate) async fn connection(&self, id: &str) -> Value {
        self.t.get(&format!("/api/v2/public/connection/{id}")).ok().await
    }

    /// `check`, `refresh` or `expire`.
    pub(crate) async fn act(&self, id: &str, verb: &str) -> Value {
        let path = format!("/api/v2/public/connection/{id}/{verb}");
        self.t.post(&path, &json!({})).ok().await
    }

    /// The connection as the library has it.
    pub(crate) async fn find(&self, id: &str) -> evergrant::connections::Connection {
        let id: ConnectionId = id.parse().unwrap();
        evergrant::connections::find(&self.t.app, self.tenant(), &id)
            .await
            .unwrap()
    }

    /// Ends the connections to an application from the server.
    pub(crate) async fn disconnect(&self, slug: &str, query: &str) -> Value {
        let path = format!("/api/v2/public/linked-account/integration/{slug}{query}");
        self.t.delete(&path).header("linked_account_id", CUSTOMER).ok().await
    }

    /// Everything that the team has been told so far, as `event slug`, sorted: no order is promised (contract, 13.4).
    pub(crate) async fn events(&self) -> Vec<String> {
        while webhooks::deliver::run_due(&self.t.app).await.unwrap() > 0 {}
        let got = self.receiver.received();
        let mut told: Vec<_> = got
            .iter()
            .map(|one| {
                assert!(one.is_signed_with(&self.t.key));
                let body: Value = serde_json::from_str(&one.body).unwrap();
                assert_eq!(body["linked_account_id"], CUSTOMER);
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                format!("{} {}", text("event"), text("slug"))
            })
            .collect();
        told.sort();
        told
    }
}

/// The kinds of a connection object's timeline, the oldest first, without observations that changed nothing.
pub(crate) fn timeline(connection: &Value) -> Vec<String> {
    let entries = connection["timeline"].as_array().unwrap();
    let kinds = entries.iter().map(|one| one["event"].as_str().unwrap().to_owned());
    kinds.rev().filter(|kind| kind != "observed").collect()
}
