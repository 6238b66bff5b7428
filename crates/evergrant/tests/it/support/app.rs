//! The whole service in memory.

use std::path::PathBuf;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use evergrant::app::{App, Handles};
use evergrant::catalog::Catalog;
use evergrant::clock::{ManualClock, Timestamp};
use evergrant::db::Db;
use evergrant::egress::{self, Egress};
use evergrant::secret::Secret;
use evergrant::steps::Steps;
use evergrant::tenants::{self, Environment, EnvironmentRow, Scopes};
use evergrant::vault::Keyring;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use super::TestDatabase;

/// 2024-01-02T03:04:05.678Z, the instant of the contract's examples.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_704_164_645_678);

/// The service, and what a test needs of it.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    /// The environment `test` of the organisation `default`.
    pub(crate) environment: EnvironmentRow,
    /// A key of that environment with every scope.
    pub(crate) key: String,
    pub(crate) database: TestDatabase,
    world: World,
}

/// What all processes of a test have in common.
struct World {
    master: Secret,
    around: Surroundings,
}

/// What is around the service.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// Private `host:port` pairs that may be called.
    pub(crate) allow: Vec<String>,
    /// The sandbox's origin.
    pub(crate) sandbox: Option<Url>,
    /// The folder of the operator's own applications.
    pub(crate) custom: Option<PathBuf>,
    /// Limits for what passes through.
    pub(crate) limits: egress::Limits,
    /// Where customers find the server; on its own port otherwise.
    pub(crate) public_url: Option<Url>,
}

impl World {
    async fn app(&self, database: &TestDatabase, clock: &ManualClock) -> App {
        App::new(Handles {
            db: Db::connect(&database.url, Some(4)).await.unwrap(),
            keyring: Keyring::parse(&self.master).unwrap(),
            data_keys: std::sync::RwLock::default(),
            key_sets: std::sync::RwLock::default(),
            catalog: Catalog::load(self.around.custom.as_deref(), self.around.sandbox.as_ref()).unwrap(),
            egress: Egress::new(self.around.allow.clone()).limited(self.around.limits),
            clock: Box::new(clock.clone()),
            public_url: self
                .around
                .public_url
                .clone()
                .unwrap_or_else(|| "http://127.0.0.1:8080".parse().unwrap()),
            pace: evergrant::pace::Pace::default(),
            flights: evergrant::flights::Flights::default(),
            foretell: evergrant::app::FORETELL,
            probe_every: evergrant::app::PROBE_EVERY,
            steps: Steps::default(),
        })
    }
}

impl TestApp {
    /// A server on an empty database, with a key in `default` / `test`.
    pub(crate) async fn start(database: TestDatabase) -> Self {
        Self::start_allowing(database, Vec::new()).await
    }

    /// The same, allowed to call these private `host:port` pairs.
    pub(crate) async fn start_allowing(database: TestDatabase, allow: Vec<String>) -> Self {
        let around = Surroundings {
            allow,
            ..Surroundings::default()
        };
        Self::start_in(database, ManualClock::at(START), around).await
    }

    /// The same with a clock that others look at too, and with all that is around it.
    pub(crate) async fn start_in(database: TestDatabase, clock: ManualClock, around: Surroundings) -> Self {
        let world = World {
            master: Keyring::generate(),
            around,
        };
        let app = world.app(&database, &clock).await;
        app.db.migrate(app.now()).await.unwrap();
        assert!(tenants::ensure_default(&app).await.unwrap());
        let environment = Self::find(&app, "default", Environment::Test).await;
        let key = tenants::create_key(&app, &environment, "tests", Scopes::ALL)
            .await
            .unwrap();
        Self {
            app,
            clock,
            environment,
            key: key.value.expose().to_owned(),
            database,
            world,
        }
    }

    /// A second process on the same database and clock: what a restart, or another node, finds.
    pub(crate) async fn another_process(&self) -> App {
        self.world.app(&self.database, &self.clock).await
    }

    /// A key of another organisation's `test` environment.
    pub(crate) async fn stranger(&self) -> String {
        tenants::create_organisation(&self.app, "stranger").await.unwrap();
        let environment = Self::find(&self.app, "stranger", Environment::Test).await;
        tenants::create_key(&self.app, &environment, "theirs", Scopes::ALL)
            .await
            .unwrap()
            .value
            .expose()
            .to_owned()
    }

    /// The present instant as the API writes it.
    pub(crate) fn clock_text(&self) -> String {
        self.app.now().iso()
    }

    async fn find(app: &App, org: &str, environment: Environment) -> EnvironmentRow {
        let mut conn = app.db.read().await.unwrap();
        tenants::store::find_environment(&mut conn, org, environment)
            .await
            .unwrap()
            .unwrap()
    }

    /// A call to the service.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            app: &self.app,
            request: Request::builder().method(method).uri(path),
            body: Body::empty(),
        }
    }

    /// A GET with the key.
    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path).header("x-api-key", &self.key)
    }

    /// A POST with the key.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::POST, path).header("x-api-key", &self.key).json(body)
    }

    /// A PUT with the key.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::PUT, path).header("x-api-key", &self.key).json(body)
    }

    /// A DELETE with the key.
    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path).header("x-api-key", &self.key)
    }
}

/// A call under construction.
pub(crate) struct Call<'a> {
    app: &'a App,
    request: axum::http::request::Builder,
    body: Body,
}

impl Call<'_> {
    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Adds a header of any bytes.
    pub(crate) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sets a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    /// Sets any body, as JSON.
    pub(crate) fn raw(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// Sends it.
    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let response = evergrant::http::router(self.app.clone())
            .oneshot(request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text,
        }
    }

    /// Sends it and expects 200 and JSON.
    pub(crate) async fn ok(self) -> Value {
        let answer = self.send().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Sends it and expects an error of this status in the contract's shape; returns its message.
    pub(crate) async fn refused(self, status: u16) -> String {
        let answer = self.send().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        let body = answer.json();
        assert_eq!(body["status_code"], status);
        for member in [
            "http_error_type",
            "error_type",
            "error",
            "error_code",
            "message",
            "request_id",
        ] {
            assert!(body[member].is_string(), "{member} is missing in {body}");
        }
        body["message"].as_str().unwrap().to_owned()
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}
