//! A real child process with a provider and a receiver, and whoever calls it over HTTP.

use axum::http::Method;
use evergrant::db::Db;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::cli::program::{Program, Server};
use crate::support::{Answer, Manners, Received, Receiver, Scripted, until};

/// The linked account of these stories.
pub(super) const ACCOUNT: &str = "acct-1";

/// All that surrounds a child.
pub(super) struct World {
    pub(super) program: Program,
    pub(super) provider: Scripted,
    pub(super) receiver: Receiver,
    /// An API key that may do everything.
    pub(super) key: String,
    pub(super) client_secret: String,
    http: reqwest::Client,
}

/// What the database says of the only connection.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) version: i64,
    pub(super) issued_at: Option<i64>,
    pub(super) lease_until: Option<i64>,
    pub(super) sent_at: Option<i64>,
    pub(super) sealed: Option<Vec<u8>>,
}

/// An answer to a browser: it, and where it leads.
pub(super) struct Seen {
    pub(super) answer: Answer,
    pub(super) location: String,
    pub(super) cookie: String,
}

impl World {
    /// A program with an API key, on an empty database; nothing runs yet.
    pub(super) async fn around(program: Program, provider: Scripted) -> Self {
        let receiver = Receiver::start().await;
        let catalog = program.folder.path().join("catalog");
        std::fs::create_dir(&catalog).unwrap();
        for (slug, text) in provider.catalog() {
            std::fs::write(catalog.join(format!("{slug}.toml")), text).unwrap();
        }
        let allow = format!("{},{}", provider.address, receiver.address);
        let program = program
            .with("EVERGRANT_CATALOG_DIR", catalog.to_str().unwrap())
            .with("EVERGRANT_EGRESS_ALLOW", &allow)
            .with("EVERGRANT_DEBUG_LEASE_MS", "1000");
        let key = program.json(&["key", "create"])["key"].as_str().unwrap().to_owned();
        Self {
            program,
            provider,
            receiver,
            key,
            client_secret: "a client's secret".to_owned(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
        }
    }

    /// Changes a setting of the children to come; empty is not set.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.program.settings.retain(|(known, _)| known != name);
        self.program.settings.push((name.to_owned(), value.to_owned()));
    }

    /// A call with these headers.
    pub(super) async fn call(
        &self,
        (method, url): (Method, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    /// A call with the API key, for the account.
    pub(super) async fn by_key(&self, server: &Server, (method, path): (Method, &str), body: Option<&Value>) -> Answer {
        let url = format!("http://{}{path}", server.address);
        let headers = [("x-api-key", self.key.as_str()), ("linked_account_id", ACCOUNT)];
        self.call((method, &url), &headers, body.map(Value::to_string).as_deref())
            .await
    }

    /// The same, and it succeeds.
    pub(super) async fn ok(&self, server: &Server, call: (Method, &str), body: Option<&Value>) -> Value {
        let answer = self.by_key(server, call, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// A page that a browser opens.
    pub(super) async fn browse(&self, url: &str, cookie: &str) -> Seen {
        let answer = self.call((Method::GET, url), &[("cookie", cookie)], None).await;
        let header = |name: &str| answer.headers.get(name).map_or("", |value| value.to_str().unwrap());
        Seen {
            location: header("location").to_owned(),
            cookie: header("set-cookie").split(';').next().unwrap_or_default().to_owned(),
            answer,
        }
    }

    /// What comes before any consent: account, OAuth client, webhook.
    pub(super) async fn prepare(&self, server: &Server) {
        let account = json!({ "linked_account_id": ACCOUNT });
        self.ok(server, (Method::POST, "/api/v2/public/linked-account"), Some(&account))
            .await;
        let client = json!({ "client_id": "the-client", "client_secret": self.client_secret });
        let path = "/api/v2/public/application/crash/oauth-client";
        self.ok(server, (Method::PUT, path), Some(&client)).await;
        let events = ["Connection Created", "Connection Expired", "Connection Deleted"];
        let hook = json!({ "webhook_url": self.receiver.url(), "webhook_events": events });
        self.ok(server, (Method::POST, "/api/v2/public/webhook"), Some(&hook))
            .await;
    }

    /// Goes to the provider's consent page; where that page is, and the browser's cookie.
    pub(super) async fn to_consent(&self, server: &Server) -> (url::Url, String) {
        let path = "/api/v2/public/linked-account/integration/oauth-url/crash";
        let begun = self.ok(server, (Method::GET, path), None).await;
        let start = self.browse(begun["auth_url"].as_str().unwrap(), "").await;
        (start.location.parse().unwrap(), start.cookie)
    }

    /// Comes back from the consent page with these parameters.
    pub(super) async fn come_back(&self, (page, cookie): &(url::Url, String), more: &[(&str, &str)]) -> Answer {
        let find = |wanted: &str| page.query_pairs().find(|(name, _)| name == wanted).unwrap().1;
        let mut back: url::Url = find("redirect_uri").parse().unwrap();
        back.query_pairs_mut()
            .append_pair("state", &find("state"))
            .extend_pairs(more);
        self.browse(back.as_str(), cookie).await.answer
    }

    /// Connects the account by OAuth 2.0, as a browser does.
    pub(super) async fn connect(&self, server: &Server) {
        let consent = self.to_consent(server).await;
        let done = self.come_back(&consent, &[("code", "a-code")]).await;
        assert_eq!(done.status, 200, "{}", done.text);
    }

    /// The database's address.
    pub(super) fn database_url(&self) -> String {
        let set = self
            .program
            .settings
            .iter()
            .find(|(name, _)| name == "EVERGRANT_DATABASE_URL");
        set.map_or_else(
            || format!("sqlite://{}", self.program.data().join("evergrant.db").display()),
            |(_, url)| url.clone(),
        )
    }

    /// What the database says of the only connection of an application.
    pub(super) async fn row_of(&self, slug: &str) -> Row {
        let db = Db::connect(&self.database_url(), Some(1)).await.unwrap();
        let query = "SELECT id, status, version, issued_at, lease_until, sent_at, sealed_credential FROM connections \
            WHERE slug = $1";
        let row = sqlx::query(query)
            .bind(slug)
            .fetch_one(&mut *db.read().await.unwrap())
            .await
            .unwrap();
        db.close().await;
        Row {
            id: row.get(0),
            status: row.get(1),
            version: row.get(2),
            issued_at: row.get(3),
            lease_until: row.get(4),
            sent_at: row.get(5),
            sealed: row.get(6),
        }
    }

    /// The same of the OAuth application.
    pub(super) async fn row(&self) -> Row {
        self.row_of("crash").await
    }

    /// How the connection stands, as the team sees it.
    pub(super) async fn view(&self, server: &Server, id: &str) -> Value {
        let path = format!("/api/v2/public/connection/{id}");
        self.ok(server, (Method::GET, &path), None).await
    }

    /// The events that have come, once there are so many; one that came twice counts once, as for every receiver: a kill may
    /// fall between the receiver's answer and its record.
    pub(super) async fn events(&self, at_least: usize) -> Vec<Received> {
        until("so many events have come", async || {
            let mut got = self.receiver.received();
            let mut seen = std::collections::HashSet::new();
            got.retain(|one| seen.insert(one.header("webhook-id").to_owned()));
            Some(got).filter(|got| got.len() >= at_least)
        })
        .await
    }

    /// Every request that has come to the receiver, repetitions too, once there are so many.
    pub(super) async fn deliveries(&self, at_least: usize) -> Vec<Received> {
        until("so many webhooks have come", async || {
            Some(self.receiver.received()).filter(|got| got.len() >= at_least)
        })
        .await
    }
}

/// Programs on SQLite and on PostgreSQL.
pub(super) async fn programs() -> [Program; 2] {
    [Program::sqlite(), Program::postgres().await]
}

/// A provider whose first access token lives so many seconds.
pub(super) async fn provider(manners: Manners, first_life: u32) -> Scripted {
    Scripted::start(manners, "", first_life).await
}
