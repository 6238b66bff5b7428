//! The built-in sandbox as a third party on a socket of its own. What reaches its token endpoint is counted, and can be held.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use evergrant::clock::ManualClock;
use evergrant::egress::{self, Egress, Method, Reply};
use evergrant::sandbox::{Cause, NewClient, Sandbox, Settings, Target, Weather};
use evergrant::secret::Secret;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

/// Whose part of the sandbox all tests use.
pub(crate) const TEAM: &str = "team";
pub(crate) const CLIENT: &str = "acme-tasks";
pub(crate) const CLIENT_SECRET: &str = "s3cret&=+ü";
pub(crate) const ALICE: &str = "alice@acme.example";
pub(crate) const BOB: &str = "bob@acme.example";
const CALLBACK: &str = "http://127.0.0.1:8080/api/v1/sandbox-oauth/callback";

/// The third party. It stops when it is dropped.
pub(crate) struct Provider {
    pub(crate) sandbox: Sandbox,
    /// `host:port`
    pub(crate) address: String,
    traffic: Arc<Traffic>,
    browser: Egress,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Traffic {
    /// Path, and the `grant_type` where there was one.
    seen: Mutex<Vec<String>>,
    gate: Mutex<Option<Arc<Gate>>>,
    /// What the next refreshes get instead of the sandbox's own answer.
    answers: Mutex<VecDeque<Scripted>>,
}

/// Status, headers and body of an answer that the sandbox would never give.
pub(crate) type Scripted = (u16, Vec<(&'static str, &'static str)>, &'static str);

/// Holds requests for tokens on their way to the provider.
struct Gate {
    /// Only those of this kind.
    grant_type: &'static str,
    arrived: Semaphore,
    open: Semaphore,
}

/// Requests for tokens are held until this is let go.
pub(crate) struct Held {
    gate: Arc<Gate>,
    traffic: Arc<Traffic>,
}

impl Held {
    /// Waits until one has arrived.
    pub(crate) async fn arrived(&self) {
        self.gate.arrived.acquire().await.unwrap().forget();
    }

    /// Holds no more; those that have arrived stay held.
    pub(crate) fn no_more(&self) {
        *self.traffic.gate.lock().unwrap() = None;
    }

    /// Lets the held ones on, and holds no more.
    pub(crate) fn release(self) {
        self.no_more();
        self.gate.open.add_permits(1000);
    }
}

/// What the customer says on the provider's page.
#[derive(Clone, Copy)]
pub(crate) struct Consent {
    pub(crate) account: &'static str,
    pub(crate) allow: bool,
    /// Whether access may last: without it there is no refresh token.
    pub(crate) keep: bool,
}

impl Consent {
    pub(crate) const YES: Self = Self {
        account: ALICE,
        allow: true,
        keep: true,
    };
    pub(crate) const NO: Self = Self {
        allow: false,
        ..Self::YES
    };
    pub(crate) const ONCE: Self = Self {
        keep: false,
        ..Self::YES
    };
}

impl Provider {
    /// Listens on a free port, strict unless `change` says otherwise, with the team's client registered.
    pub(crate) async fn start(clock: &ManualClock, change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut settings = Settings::new(Arc::new(clock.clone()), &format!("http://{address}"));
        change(&mut settings);
        let sandbox = Sandbox::new(settings);
        let traffic = Arc::new(Traffic::default());
        let watched = traffic.clone();
        let routes = sandbox.router().layer(from_fn(move |request: Request, next: Next| {
            let traffic = watched.clone();
            async move { pass(&traffic, request, next).await }
        }));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let provider = Self {
            sandbox,
            browser: Egress::new([address.clone()]),
            address,
            traffic,
            _server: server,
        };
        provider.register(CLIENT, CLIENT_SECRET);
        provider
    }

    /// Registers the team's client, or replaces its secret.
    pub(crate) fn register(&self, client_id: &str, secret: &str) {
        let client = NewClient {
            client_id: client_id.to_owned(),
            name: "Acme Tasks".to_owned(),
            secret: Secret::from(secret.to_owned()),
            redirect_uris: vec![CALLBACK.to_owned()],
            refresh_tokens: true,
        };
        self.sandbox.register_client(TEAM, client).unwrap();
    }

    /// The sandbox's origin, for the catalogue.
    pub(crate) fn origin(&self) -> Url {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// Ends access, for a cause.
    pub(crate) fn strike(&self, cause: Cause) {
        self.sandbox.break_access(TEAM, &Target::everything(cause)).unwrap();
    }

    /// Undoes a cause.
    pub(crate) fn repair(&self, cause: Cause) {
        self.sandbox.repair(TEAM, &Target::everything(cause)).unwrap();
    }

    pub(crate) fn weather(&self, weather: Weather) {
        self.sandbox.set_weather(TEAM, weather);
    }

    pub(crate) fn fair(&self) {
        self.weather(Weather::default());
    }

    /// A new key of Sandbox SMS.
    pub(crate) fn key(&self) -> String {
        let key = self.sandbox.create_key(TEAM, None).unwrap();
        key.value.expose().to_owned()
    }

    /// Why each of the team's grants is dead, oldest first; `living` for those that are not.
    pub(crate) fn grants(&self) -> Vec<String> {
        let grants = self.sandbox.inventory(TEAM).grants;
        let word = |grant: evergrant::sandbox::GrantView| {
            grant
                .ended
                .map_or("living".to_owned(), |death| format!("{death:?}").to_lowercase())
        };
        grants.into_iter().map(word).collect()
    }

    /// How often a refresh token has been presented.
    pub(crate) fn refreshes(&self) -> usize {
        self.count("/oauth/token refresh_token")
    }

    /// How many requests of this path, and grant type, came.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.traffic
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter(|one| *one == what)
            .count()
    }

    /// How many requests came at all.
    pub(crate) fn requests(&self) -> usize {
        self.traffic.seen.lock().unwrap().len()
    }

    /// Answers the next refresh like this, without looking at it.
    pub(crate) fn answer_refresh(&self, answer: Scripted) {
        self.traffic.answers.lock().unwrap().push_back(answer);
    }

    /// Holds refreshes from now on.
    pub(crate) fn hold_refreshes(&self) -> Held {
        self.hold("refresh_token")
    }

    /// Holds codes that are to be exchanged from now on.
    pub(crate) fn hold_exchanges(&self) -> Held {
        self.hold("authorization_code")
    }

    fn hold(&self, grant_type: &'static str) -> Held {
        let gate = Arc::new(Gate {
            grant_type,
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        });
        *self.traffic.gate.lock().unwrap() = Some(gate.clone());
        Held {
            gate,
            traffic: self.traffic.clone(),
        }
    }

    /// A grant that another program of the team's obtained: access and refresh token.
    pub(crate) async fn foreign_tokens(&self, consent: Consent) -> (String, String) {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        // The pair of RFC 7636, appendix B.
        query.extend_pairs([
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "contacts.read offline_access"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ]);
        let authorize = format!("http://{}/oauth/authorize?{}", self.address, query.finish());
        let callback = self.decide(&authorize, consent).await;
        let (_, pairs) = callback.split_once('?').unwrap();
        let code = url::form_urlencoded::parse(pairs.as_bytes()).find(|(name, _)| name == "code");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("client_secret", CLIENT_SECRET),
            ("redirect_uri", CALLBACK),
            ("code", &code.unwrap().1),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ]);
        let url = format!("http://{}/oauth/token", self.address);
        let answer = self.browse(Method::POST, &url, Some(form.finish())).await;
        let body = answer.json().unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    /// What a browser gets at the provider; redirects are not followed.
    pub(crate) async fn browse(&self, method: Method, url: &str, form: Option<String>) -> Reply {
        let mut request = egress::Request::new(method, url.parse().unwrap());
        if let Some(form) = form {
            request = request.header(
                "content-type",
                Secret::from("application/x-www-form-urlencoded".to_owned()),
            );
            request.body = Some(Secret::from(form));
        }
        self.browser.send(request).await.unwrap()
    }

    /// The customer reads the provider's page and decides. Returns where that leads: our callback, without our origin.
    pub(crate) async fn decide(&self, authorize: &str, consent: Consent) -> String {
        let page = self.browse(Method::GET, authorize, None).await;
        let text = String::from_utf8(page.body).unwrap();
        assert_eq!(page.status, 200, "{text}");
        let request = text.split("name=\"request\" value=\"").nth(1).unwrap();
        let request = request.split('"').next().unwrap();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("request", request)
            .append_pair("account", consent.account)
            .append_pair("decision", if consent.allow { "allow" } else { "deny" });
        if consent.keep {
            form.append_pair("keep", "yes");
        }
        let url = format!("http://{}/oauth/decision", self.address);
        let answer = self.browse(Method::POST, &url, Some(form.finish())).await;
        assert_eq!(answer.status, 303);
        let to = answer.header("location").unwrap();
        to.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
    }
}

async fn pass(traffic: &Traffic, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let grant_type = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "grant_type")
        .map(|(_, value)| value.into_owned());
    let path = parts.uri.path();
    let what = grant_type
        .as_ref()
        .map_or(path.to_owned(), |kind| format!("{path} {kind}"));
    traffic.seen.lock().unwrap().push(what);
    let gate = traffic.gate.lock().unwrap().clone();
    if let Some(gate) = gate.filter(|gate| grant_type.as_deref() == Some(gate.grant_type)) {
        gate.arrived.add_permits(1);
        gate.open.acquire().await.unwrap().forget();
    }
    if grant_type.as_deref() == Some("refresh_token") {
        let scripted = traffic.answers.lock().unwrap().pop_front();
        if let Some((status, headers, body)) = scripted {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}
