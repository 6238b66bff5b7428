//! The sandbox driven as a client and a browser drive it, with a clock that only moves when told.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

use super::{Broken, Cause, NewClient, Refused, Sandbox, SandboxApp, SandboxTenant, Settings, Target, Weather};
use crate::clock::{ManualClock, Timestamp};
use crate::secret::Secret;

pub(super) const TENANT: &str = "org/test";
const CLIENT: &str = "acme-tasks";
const SECRET: &str = "s3cret&=+ü";
const CALLBACK: &str = "http://127.0.0.1:8080/api/v1/sandbox-oauth/callback";
pub(super) const ISSUER: &str = "http://127.0.0.1:9000/sandbox";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-0123456789";
pub(super) const SCOPE: &str = "contacts.read echo.write offline_access";

pub(super) struct World {
    pub(super) sandbox: Sandbox,
    clock: ManualClock,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The query of the address that the answer redirects to.
    fn redirected(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 303, "{}", self.text);
        let to = Url::parse(self.headers["location"].to_str().unwrap()).unwrap();
        assert!(to.as_str().starts_with(CALLBACK), "{to}");
        to.query_pairs().into_owned().collect()
    }
}

fn get<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()))
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_704_164_645_678));
        let mut settings = Settings::new(Arc::new(clock.clone()), ISSUER);
        change(&mut settings);
        let world = Self {
            sandbox: Sandbox::new(settings),
            clock,
        };
        world.register(TENANT, CLIENT).unwrap();
        world
    }

    fn register(&self, tenant: &str, client_id: &str) -> Result<(), Refused> {
        let new = NewClient {
            client_id: client_id.to_owned(),
            name: "Acme <Tasks>".to_owned(),
            secret: Secret::from(SECRET.to_owned()),
            redirect_uris: vec![CALLBACK.to_owned()],
            refresh_tokens: true,
        };
        self.sandbox.register_client(tenant, new)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.sandbox.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = match to_bytes(body, 1 << 20).await {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(_) => "[lost]".to_owned(),
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    async fn authorize(&self, change: &[(&str, &str)]) -> Answer {
        let challenge = challenge();
        let usual = [
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", "st&te"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let kept = usual
            .into_iter()
            .filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
        let query = form(&kept.chain(change.iter().copied()).collect::<Vec<_>>());
        let request = Request::get(format!("/oauth/authorize?{query}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn decide(&self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let request = page.text.split("name=\"request\" value=\"").nth(1).unwrap();
        let request = request.split('"').next().unwrap();
        let mut all = vec![("request", request)];
        all.extend_from_slice(fields);
        self.post("/oauth/decision", &all).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form(fields))).unwrap()).await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", CLIENT), ("client_secret", SECRET)];
        all.extend_from_slice(fields);
        self.post("/oauth/token", &all).await
    }

    pub(super) async fn code(&self, account: &str) -> String {
        let page = self.authorize(&[]).await;
        let fields = [("account", account), ("keep", "yes"), ("decision", "allow")];
        let answer = self.decide(&page, &fields).await.redirected();
        assert_eq!(get(&answer, "state"), Some("st&te"));
        assert_eq!(get(&answer, "iss"), Some(ISSUER));
        get(&answer, "code").unwrap().to_owned()
    }

    pub(super) async fn redeem(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// Access and refresh token of a new grant.
    pub(super) async fn connect(&self, account: &str) -> (String, String) {
        pair(&self.redeem(&self.code(account).await).await)
    }

    pub(super) async fn me(&self, access: &str) -> Answer {
        let request = Request::get("/api/me").header("authorization", format!("Bearer {access}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn sms(&self, key: &str) -> Answer {
        let request = Request::get("/sms/me").header("x-sandbox-key", key);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) fn strike(&self, cause: Cause) -> Broken {
        self.sandbox.break_access(TENANT, &Target::everything(cause)).unwrap()
    }
}

fn pair(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn assert_api_error(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.json()["error"]["code"], code);
}

fn assert_token_error(answer: &Answer, error: &str, description: &str) {
    let status = if error == "invalid_client" { 401 } else { 400 };
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["error"], error);
    assert_eq!(answer.json()["error_description"], description);
}

#[tokio::test]
async fn consent_leads_to_tokens_that_work_until_they_expire_and_are_refreshed() {
    let world = World::new();
    let page = world.authorize(&[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Acme &#60;Tasks&#62; wants to use your account"));
    assert!(!page.text.contains("<script"));
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );

    let (access, refresh) = world.connect("bob@acme.example").await;
    assert_eq!(world.me(&access).await.json()["email"], "bob@acme.example");
    world.clock.advance(Duration::from_hours(1));
    assert_api_error(&world.me(&access).await, "token_expired");
    let (access, next) = pair(&world.refresh(&refresh).await);
    assert_ne!(next, refresh);
    assert_eq!(world.me(&access).await.status, 200);
}

#[tokio::test]
async fn a_client_may_authenticate_with_basic_but_not_twice() {
    let world = World::new();
    let (_, refresh) = world.connect("alice@acme.example").await;
    let quoted = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{quoted}")));
    let send = |body: String| {
        Request::post("/oauth/token")
            .header("authorization", &basic)
            .body(Body::from(body))
            .unwrap()
    };
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let twice = form(&[fields[0], fields[1], ("client_secret", SECRET)]);
    assert_eq!(world.send(send(twice)).await.json()["error"], "invalid_request");
    pair(&world.send(send(form(&fields))).await);
}

#[tokio::test]
async fn a_person_who_says_no_is_sent_back_with_access_denied() {
    let world = World::new();
    let page = world.authorize(&[]).await;
    let fields = [("account", "alice@acme.example"), ("decision", "deny")];
    let answer = world.decide(&page, &fields).await.redirected();
    assert_eq!(get(&answer, "error"), Some("access_denied"));
    assert_eq!(get(&answer, "state"), Some("st&te"));
    assert_eq!(get(&answer, "code"), None);
    let again = world
        .decide(&page, &[("account", "alice@acme.example"), ("decision", "allow")])
        .await;
    assert_eq!(again.status, 400, "a decision is made once");
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_is_shown_a_page_and_never_redirects() {
    let world = World::new();
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "http://127.0.0.1:8080/api/v1/sandbox-oauth/callback/"),
        (
            "redirect_uri",
            "http://127.0.0.1:8080/api/v1/sandbox-oauth/callback?x=1",
        ),
        ("redirect_uri", ""),
    ] {
        let answer = world.authorize(&[change]).await;
        assert_eq!(answer.status, 400, "{change:?}");
        assert!(!answer.headers.contains_key("location"), "{change:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_otherwise_goes_back_with_its_error() {
    let world = World::new();
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ] {
        let answer = world.authorize(&[change]).await.redirected();
        assert_eq!(get(&answer, "error"), Some(error), "{change:?}");
        assert_eq!(get(&answer, "state"), Some("st&te"));
        assert_eq!(get(&answer, "iss"), Some(ISSUER));
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_one_minute_and_for_its_verifier_and_redirect_uri() {
    let world = World::new();
    let code = world.code("alice@acme.example").await;
    for (name, value) in [
        ("code_verifier", "x".repeat(43)),
        ("redirect_uri", "http://127.0.0.1/".to_owned()),
    ] {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            (name, &value),
        ];
        let usual = [("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        fields.extend(usual.into_iter().filter(|(known, _)| *known != name));
        assert_eq!(world.token(&fields).await.json()["error"], "invalid_grant", "{name}");
    }
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(world.redeem(&code).await.status, 200);
    let late = world.code("alice@acme.example").await;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.redeem(&late).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn redeeming_a_code_twice_kills_the_grant() {
    let world = World::new();
    let code = world.code("alice@acme.example").await;
    let (access, refresh) = pair(&world.redeem(&code).await);
    assert_eq!(world.redeem(&code).await.json()["error"], "invalid_grant");
    assert_api_error(&world.me(&access).await, "token_revoked");
    assert_token_error(&world.refresh(&refresh).await, "invalid_grant", "refresh token revoked");
}

#[tokio::test]
async fn using_a_refresh_token_twice_kills_the_grant() {
    let world = World::new();
    let (_, first) = world.connect("alice@acme.example").await;
    let (access, second) = pair(&world.refresh(&first).await);
    assert_token_error(&world.refresh(&first).await, "invalid_grant", "refresh token revoked");
    assert_token_error(&world.refresh(&second).await, "invalid_grant", "refresh token revoked");
    assert_api_error(&world.me(&access).await, "token_revoked");
}

#[tokio::test]
async fn a_second_use_within_the_leeway_is_forgiven_and_after_it_is_not() {
    let world = World::with(|settings| settings.reuse_leeway = Duration::from_secs(30));
    let (_, first) = world.connect("alice@acme.example").await;
    pair(&world.refresh(&first).await);
    world.clock.advance(Duration::from_secs(29));
    let (access, _) = pair(&world.refresh(&first).await);
    world.clock.advance(Duration::from_secs(1));
    assert_token_error(&world.refresh(&first).await, "invalid_grant", "refresh token revoked");
    assert_api_error(&world.me(&access).await, "token_revoked");
}

#[tokio::test]
async fn a_grant_gets_no_refresh_token_unless_client_scope_and_person_agree() {
    let allow = [
        ("account", "alice@acme.example"),
        ("decision", "allow"),
        ("keep", "yes"),
    ];
    for (scope, fields) in [("contacts.read", &allow[..]), (SCOPE, &allow[..2])] {
        let world = World::new();
        let page = world.authorize(&[("scope", scope)]).await;
        assert_eq!(page.text.contains("name=\"keep\""), scope == SCOPE);
        let answer = world.decide(&page, fields).await.redirected();
        let (access, refresh) = pair(&world.redeem(get(&answer, "code").unwrap()).await);
        assert_eq!(refresh, "");
        assert_eq!(world.me(&access).await.status, 200);
        assert_eq!(world.strike(Cause::AccessTokenExpired).grants, 1);
        assert_api_error(&world.me(&access).await, "token_expired");
    }
}

#[tokio::test]
async fn scopes_are_enforced() {
    let world = World::new();
    let page = world.authorize(&[("scope", "contacts.read")]).await;
    let allow = [("account", "alice@acme.example"), ("decision", "allow")];
    let answer = world.decide(&page, &allow).await.redirected();
    let (access, _) = pair(&world.redeem(get(&answer, "code").unwrap()).await);
    let call = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {access}"));
        world.send(request.body(Body::from("hello")).unwrap())
    };
    assert_eq!(call("GET", "/api/contacts").await.status, 200);
    let denied = call("POST", "/api/echo").await;
    assert_eq!(denied.status, 403);
    assert_eq!(denied.json()["error"]["code"], "insufficient_scope");
    assert!(
        denied.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("echo.write")
    );
}

#[tokio::test]
async fn each_cause_answers_at_the_token_endpoint_and_at_the_api_as_it_should() {
    for (cause, description, code) in [
        (Cause::TokenRevoked, "refresh token revoked", "token_revoked"),
        (Cause::RefreshTokenExpired, "refresh token expired", "token_expired"),
        (
            Cause::AppUninstalled,
            "the app was uninstalled from this account",
            "app_uninstalled",
        ),
    ] {
        let world = World::new();
        let (access, refresh) = world.connect("alice@acme.example").await;
        assert_eq!(world.strike(cause).grants, 1);
        let denied = world.me(&access).await;
        assert_api_error(&denied, code);
        assert_eq!(denied.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        assert_token_error(&world.refresh(&refresh).await, "invalid_grant", description);
        assert_eq!(
            world.strike(cause),
            Broken::default(),
            "what is dead is not struck again"
        );
        let (access, _) = world.connect("alice@acme.example").await;
        assert_eq!(world.me(&access).await.status, 200, "{cause:?}: a new consent mends it");
    }
}

#[tokio::test]
async fn an_access_token_expired_by_hand_is_refreshed_where_there_is_a_refresh_token() {
    let world = World::new();
    let (access, refresh) = world.connect("alice@acme.example").await;
    assert_eq!(world.strike(Cause::AccessTokenExpired).grants, 1);
    assert_api_error(&world.me(&access).await, "token_expired");
    let (access, _) = pair(&world.refresh(&refresh).await);
    assert_eq!(world.me(&access).await.status, 200);
}

#[tokio::test]
async fn a_deleted_client_and_a_changed_secret_can_be_told_apart_and_mended() {
    let world = World::new();
    let (access, refresh) = world.connect("alice@acme.example").await;
    assert_eq!(world.strike(Cause::ClientSecretChanged).clients, 1);
    assert_token_error(
        &world.refresh(&refresh).await,
        "invalid_client",
        "client secret is wrong",
    );
    assert_eq!(world.me(&access).await.status, 200, "tokens outlive a changed secret");
    assert_eq!(world.strike(Cause::ClientDeleted).clients, 1);
    let denied = world.refresh(&refresh).await;
    assert_token_error(&denied, "invalid_client", "client was deleted");
    assert_eq!(denied.json()["code"], "client_deleted");
    assert_api_error(&world.me(&access).await, "unknown_client");
    let page = world.authorize(&[]).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("This app was deleted"));
    for cause in [Cause::ClientDeleted, Cause::ClientSecretChanged] {
        let mended = world.sandbox.repair(TENANT, &Target::everything(cause)).unwrap();
        assert_eq!(mended.clients, 1);
    }
    assert_eq!(world.me(&access).await.status, 200);
    pair(&world.refresh(&refresh).await);
}

#[tokio::test]
async fn what_a_person_ended_is_not_mended_at_the_provider_but_an_app_can_be_reinstalled() {
    let world = World::new();
    let (access, _) = world.connect("alice@acme.example").await;
    world.strike(Cause::AppUninstalled);
    let mended = world
        .sandbox
        .repair(TENANT, &Target::everything(Cause::AppUninstalled))
        .unwrap();
    assert_eq!(mended.grants, 1);
    assert_eq!(world.me(&access).await.status, 200);
    world.strike(Cause::TokenRevoked);
    let refused = world.sandbox.repair(TENANT, &Target::everything(Cause::TokenRevoked));
    assert_eq!(refused, Err(Refused::TakesAPerson));
}

#[tokio::test]
async fn a_key_works_until_it_expires_is_revoked_or_the_app_is_uninstalled() {
    let world = World::new();
    for (cause, code) in [
        (Cause::KeyExpired, "invalid_api_key"),
        (Cause::TokenRevoked, "invalid_api_key"),
        (Cause::AppUninstalled, "app_uninstalled"),
    ] {
        let key = world.sandbox.create_key(TENANT, None).unwrap();
        assert_eq!(world.sms(key.value.expose()).await.json()["id"], "acc_alice");
        let target = Target {
            key_id: Some(key.id.clone()),
            ..Target::everything(cause)
        };
        assert_eq!(world.sandbox.break_access(TENANT, &target).unwrap().keys, 1);
        assert_api_error(&world.sms(key.value.expose()).await, code);
    }
    assert_api_error(&world.sms("sk_sandbox_nobody").await, "invalid_api_key");
}

#[tokio::test]
async fn only_the_account_or_application_that_is_named_is_struck() {
    let world = World::new();
    let (alice, _) = world.connect("alice@acme.example").await;
    let (bob, _) = world.connect("bob@acme.example").await;
    let key = world.sandbox.create_key(TENANT, Some("bob@acme.example")).unwrap();
    let target = Target {
        app: Some(SandboxApp::Crm),
        account: Some("bob@acme.example".to_owned()),
        ..Target::everything(Cause::AppUninstalled)
    };
    let broken = world.sandbox.break_access(TENANT, &target).unwrap();
    assert_eq!((broken.grants, broken.keys), (1, 0));
    assert_eq!(world.me(&alice).await.status, 200);
    assert_api_error(&world.me(&bob).await, "app_uninstalled");
    assert_eq!(world.sms(key.value.expose()).await.status, 200);
    let nobody = Target {
        account: Some("eve@acme.example".to_owned()),
        ..target
    };
    assert_eq!(world.sandbox.break_access(TENANT, &nobody), Err(Refused::Account));
}

#[tokio::test]
async fn a_lost_reply_has_rotated_the_token_all_the_same() {
    let world = World::new();
    let (_, refresh) = world.connect("alice@acme.example").await;
    let lossy = Weather {
        lose_replies: 1,
        ..Weather::default()
    };
    world.sandbox.set_weather(TENANT, lossy);
    assert_eq!(world.refresh(&refresh).await.text, "[lost]");
    assert_eq!(world.sandbox.weather(TENANT).lose_replies, 0);
    assert_token_error(&world.refresh(&refresh).await, "invalid_grant", "refresh token revoked");
}

#[tokio::test]
async fn bad_weather_passes_and_ends_no_grant() {
    let world = World::new();
    let (access, refresh) = world.connect("alice@acme.example").await;
    let fair = Weather::default();
    for (weather, status) in [
        (Weather { down: true, ..fair }, 503),
        (Weather { throttle: true, ..fair }, 429),
        (Weather { garbage: true, ..fair }, 200),
        (Weather { slow_ms: 20, ..fair }, 200),
    ] {
        world.sandbox.set_weather(TENANT, weather);
        let started = tokio::time::Instant::now();
        let answer = world.me(&access).await;
        assert_eq!(answer.status, status, "{weather:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), status >= 429);
        assert_eq!(answer.text.contains("It works!"), weather.garbage);
        assert!(started.elapsed() >= Duration::from_millis(weather.slow_ms));
    }
    world.sandbox.set_weather(TENANT, Weather { down: true, ..fair });
    assert_eq!(world.refresh(&refresh).await.status, 503);
    world.sandbox.set_weather(TENANT, fair);
    pair(&world.refresh(&refresh).await);
}

#[tokio::test]
async fn revoking_ends_the_grant_and_another_clients_token_is_left_alone() {
    let world = World::new();
    world.register(TENANT, "other").unwrap();
    let (access, refresh) = world.connect("alice@acme.example").await;
    let other = [
        ("client_id", "other"),
        ("client_secret", SECRET),
        ("token", refresh.as_str()),
    ];
    assert_eq!(world.post("/oauth/revoke", &other).await.status, 200);
    assert_eq!(world.me(&access).await.status, 200);
    let own = [
        ("client_id", CLIENT),
        ("client_secret", SECRET),
        ("token", refresh.as_str()),
    ];
    assert_eq!(world.post("/oauth/revoke", &own).await.status, 200);
    assert_api_error(&world.me(&access).await, "token_revoked");
}

#[tokio::test]
async fn one_tenants_levers_touch_nothing_of_another() {
    let world = World::new();
    let (access, _) = world.connect("alice@acme.example").await;
    let key = world.sandbox.create_key(TENANT, None).unwrap();
    let stranger = "other/test";
    assert_eq!(world.register(stranger, CLIENT), Err(Refused::ClientId));
    for cause in [
        Cause::KeyExpired,
        Cause::TokenRevoked,
        Cause::RefreshTokenExpired,
        Cause::AccessTokenExpired,
        Cause::AppUninstalled,
        Cause::ClientDeleted,
        Cause::ClientSecretChanged,
    ] {
        let target = Target {
            client_id: None,
            ..Target::everything(cause)
        };
        assert_eq!(
            world.sandbox.break_access(stranger, &target),
            Ok(Broken::default()),
            "{cause:?}"
        );
    }
    world.sandbox.reset(stranger);
    let down = Weather {
        down: true,
        ..Weather::default()
    };
    world.sandbox.set_weather(stranger, down);
    let seen = world.sandbox.inventory(stranger);
    assert!(seen.clients.is_empty() && seen.grants.is_empty() && seen.keys.is_empty());
    assert_eq!(world.me(&access).await.status, 200);
    assert_eq!(world.sms(key.value.expose()).await.status, 200);
}

#[tokio::test]
async fn the_levers_answer_over_http_only_for_a_tenant() {
    let world = World::new();
    let (access, _) = world.connect("alice@acme.example").await;
    let call = async |path: &str, body: &str, tenant: bool| {
        let mut request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
        if tenant {
            request.extensions_mut().insert(SandboxTenant(TENANT.to_owned()));
        }
        let response = world.sandbox.control_router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let revoke = r#"{"cause":"token_revoked","account":"alice@acme.example"}"#;
    assert_eq!(call("/control/break", revoke, false).await.0, 401);
    assert_eq!(world.me(&access).await.status, 200);
    let (status, body) = call("/control/break", revoke, true).await;
    assert_eq!(
        (status, &body["broken"]),
        (200, &json!({ "clients": 0, "grants": 1, "keys": 0 }))
    );
    assert_api_error(&world.me(&access).await, "token_revoked");
    assert_eq!(call("/control/repair", revoke, true).await.0, 409);
    for wrong in [r#"{"cause":"boredom"}"#, r#"{"cause":"token_revoked","x":1}"#, "{", ""] {
        assert_eq!(call("/control/break", wrong, true).await.0, 400, "{wrong}");
    }
    let (status, body) = call("/control/keys", "", true).await;
    assert_eq!(status, 200);
    assert_eq!(world.sms(body["key"].as_str().unwrap()).await.status, 200);
    let (_, body) = call("/control/weather", r#"{"down":true}"#, true).await;
    assert_eq!(body["weather"]["down"], true);
    let (_, body) = call("/control/reset", "", true).await;
    assert_eq!((&body["grants"], &body["weather"]["down"]), (&json!([]), &json!(false)));
    let client = r#"{"client_id":"c","client_secret":"s","redirect_uris":["javascript:alert(1)"]}"#;
    assert_eq!(call("/control/clients", client, true).await.0, 400);
}
