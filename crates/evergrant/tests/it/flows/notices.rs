//! Providers' notices, each as its provider sends it. `scripts/notices.py` signed them with libraries that share no code
//! with the server's.

mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use evergrant::app::KeySet;
use evergrant::catalog::AuthType;
use evergrant::catalog::notices::Verification;
use evergrant::clients::{self, NewClient};
use evergrant::clock::ManualClock;
use evergrant::connections::{self, Connection, ConnectionStatus, Credential, Fresh, Given, Schedule, Tokens};
use evergrant::ids::ConnectionId;
use evergrant::notices::{self, Address};
use evergrant::secret::Secret;
use evergrant::tenants::{self, Environment, Scopes, Tenant};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Answer, Manners, START, Scripted, Surroundings, TestApp, TestDatabase};

#[derive(Deserialize)]
struct Vectors {
    /// The address that signatures which cover it were made for.
    address: String,
    notices: Vec<Vector>,
    google_keys: Value,
    google_refused: BTreeMap<String, String>,
}

#[derive(Clone, Deserialize)]
struct Vector {
    name: String,
    slug: String,
    reason: String,
    account: String,
    method: String,
    path: Option<String>,
    headers: BTreeMap<String, String>,
    body: String,
    own_secret: Option<String>,
    client_id: String,
    client_secret: String,
    refresh_token: Option<String>,
    /// Whether the signature covers a time.
    signed_time: bool,
    /// Whether the notice says when it happened.
    event_time: bool,
}

impl Vector {
    /// What its provider takes for a receipt: RFC 8935 asks for 202 for a security event token.
    fn thanks(&self) -> StatusCode {
        if self.slug == "google-drive" {
            StatusCode::ACCEPTED
        } else {
            StatusCode::OK
        }
    }

    /// The same notice with its proof spelt otherwise, which proves as much.
    fn respelt(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (name, value) in &self.headers {
            let spelt = match (name.as_str(), value.split_once('=')) {
                ("authorization", _) => vec![value.replace("Basic", "bAsIC"), value.replace(' ', "  ")],
                ("stripe-signature", _) => vec![value.replace("v1=f", "v1=F"), format!("{value},v1=00")],
                (
                    "x-slack-signature" | "x-hub-signature" | "x-hub-signature-256" | "x-zm-signature",
                    Some((of, hex)),
                ) => {
                    vec![format!("{of}={}", hex.to_uppercase())]
                }
                _ => Vec::new(),
            };
            all.extend(spelt.into_iter().map(|value| {
                let mut other = self.clone();
                other.headers.insert(name.clone(), value);
                other
            }));
        }
        if self.slug == "google-drive" {
            all.push(Self {
                body: format!(" {}\n", self.body),
                ..self.clone()
            });
        }
        all
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../data/notices/vectors.json")).unwrap()
}

/// One notice, sent to a team of its own on a server that all share.
struct Lab<'a> {
    t: &'a TestApp,
    vector: Vector,
    address: String,
    /// The team that has set up the address, and a stranger.
    ours: Team,
    theirs: Team,
}

struct Team {
    tenant: Tenant,
    key: String,
}

/// Runs a story for every vector on both databases; each begins an hour before the notice was signed.
async fn for_each(tell: impl AsyncFn(Lab<'_>)) {
    let all = vectors();
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let clock = ManualClock::at(START);
        let t = TestApp::start_in(database, clock, Surroundings::default()).await;
        for vector in &all.notices {
            tell(Lab::start(&t, vector, &all).await).await;
        }
    }
}

async fn team(t: &TestApp, name: &str) -> Team {
    tenants::create_organisation(&t.app, name).await.unwrap();
    let mut conn = t.app.db.read().await.unwrap();
    let found = tenants::store::find_environment(&mut conn, name, Environment::Test)
        .await
        .unwrap();
    drop(conn);
    let environment = found.unwrap();
    let made = tenants::create_key(&t.app, &environment, "key", Scopes::ALL)
        .await
        .unwrap();
    Team {
        tenant: environment.tenant,
        key: made.value.expose().to_owned(),
    }
}

impl<'a> Lab<'a> {
    async fn start(t: &'a TestApp, vector: &Vector, all: &Vectors) -> Self {
        t.clock.set(START.before(Duration::from_hours(1)));
        let ours = team(t, &format!("ours: {}", vector.name)).await;
        let theirs = team(t, &format!("theirs: {}", vector.name)).await;
        // The address is part of what some providers sign: whoever had it before has gone.
        let mut tx = t.app.db.begin().await.unwrap();
        if let Some(before) = notices::store::by_id_of_all_tenants(&mut tx, &all.address)
            .await
            .unwrap()
        {
            assert!(
                notices::store::remove(&mut tx, &before.tenant, &before.slug)
                    .await
                    .unwrap()
            );
        }
        tx.commit().await.unwrap();
        let lab = Self {
            t,
            address: all.address.clone(),
            vector: vector.clone(),
            ours,
            theirs,
        };
        lab.keys(&all.google_keys);
        let client = NewClient {
            client_id: vector.client_id.clone(),
            secret: Some(Secret::from(vector.client_secret.clone())),
            scopes: None,
        };
        clients::set(&t.app, lab.tenant(), &vector.slug, client).await.unwrap();
        lab.set_up(vector.own_secret.as_deref()).await;
        lab
    }

    fn tenant(&self) -> &Tenant {
        &self.ours.tenant
    }

    /// Puts the issuer's keys where they would be after they were fetched.
    fn keys(&self, keys: &Value) {
        let application = self.t.app.catalog.get("google-drive").unwrap();
        let Verification::SecurityEventToken(issuer) = &application.notices.as_ref().unwrap().verified_by else {
            panic!("Google signs security event tokens")
        };
        let mut sets = self.t.app.key_sets.write().unwrap();
        let set = KeySet {
            asked_at: START,
            read: Some((START, Arc::new(keys.clone()))),
        };
        sets.insert(issuer.jwks_url.clone(), set);
    }

    /// The address with a signing secret, made anew.
    async fn set_up(&self, secret: Option<&str>) {
        let slug = &self.vector.slug;
        let made = notices::provide(&self.t.app, self.tenant(), slug, None, "test")
            .await
            .unwrap();
        let mut tx = self.t.app.db.begin().await.unwrap();
        notices::store::remove(&mut tx, &self.tenant().id, slug).await.unwrap();
        let known = Address {
            id: self.address.clone(),
            sealed_secret: None,
            ..made
        };
        assert!(notices::store::put(&mut tx, &known).await.unwrap());
        tx.commit().await.unwrap();
        if let Some(secret) = secret {
            let secret = Some(Secret::from(secret.to_owned()));
            notices::provide(&self.t.app, self.tenant(), slug, secret, "test")
                .await
                .unwrap();
        }
    }

    async fn connect(&self, team: &Team, customer: &str, external: &str, client_id: &str) -> Connection {
        let tenant = &team.tenant;
        if evergrant::accounts::find(&self.t.app, tenant, customer).await.is_err() {
            let key = &team.key;
            let new = json!({ "linked_account_id": customer });
            let call = self
                .t
                .call(Method::POST, "/api/v2/public/linked-account")
                .header("x-api-key", key);
            call.json(&new).ok().await;
        }
        let account = evergrant::accounts::find(&self.t.app, tenant, customer).await.unwrap();
        let application = self.t.app.catalog.get(&self.vector.slug).unwrap().clone();
        let now = self.t.app.now();
        let tokens = Tokens {
            access_token: Secret::from("at".to_owned()),
            refresh_token: self.vector.refresh_token.clone().map(Secret::from),
            scope: None,
            client_id: client_id.to_owned(),
            inputs: BTreeMap::from([("shop".to_owned(), "lab".to_owned())]),
            extras: Secret::from("{}".to_owned()),
        };
        let given = Given {
            account: &account,
            application: &application,
            auth_type: AuthType::OAuth2,
            fresh: Fresh {
                credential: Credential::OAuth2(tokens),
                schedule: Schedule {
                    issued_at: Some(now),
                    has_refresh_token: self.vector.refresh_token.is_some(),
                    ..Schedule::default()
                },
            },
            identifier: Some(json!({ "id": external, "name": "Lab" })),
            proved: true,
            switch: connections::Switch::Refused,
        };
        let mut tx = self.t.app.db.begin().await.unwrap();
        let (connection, _) = connections::activate(&self.t.app, &mut tx, tenant, given)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        connection
    }

    async fn send(&self, vector: &Vector) -> Answer {
        let method = Method::from_bytes(vector.method.as_bytes()).unwrap();
        let path = vector
            .path
            .clone()
            .unwrap_or_else(|| format!("/notices/{}", self.address));
        let mut call = self.t.call(method, &path);
        for (name, value) in &vector.headers {
            call = call.header(name, value);
        }
        call.raw(vector.body.clone()).send().await
    }

    async fn status(&self, tenant: &Tenant, id: &ConnectionId) -> ConnectionStatus {
        connections::find(&self.t.app, tenant, id).await.unwrap().status
    }

    async fn expired_events(&self) -> i64 {
        let mut conn = self.t.app.db.read().await.unwrap();
        let sql = "SELECT COUNT(*) FROM events WHERE event = 'Connection Expired' AND tenant = $1";
        let mine = sqlx::query_scalar(sql).bind(self.tenant().id.as_str());
        mine.fetch_one(&mut *conn).await.unwrap()
    }

    /// To the moment at which the notices were signed.
    fn now(&self) {
        self.t.clock.set(START);
    }
}

#[tokio::test]
async fn a_notice_flags_the_connections_of_its_account_tenant_and_client_and_no_others() {
    for_each(async |lab: Lab<'_>| {
        let name = &lab.vector.name;
        let own_client = lab.vector.client_id.clone();
        let meant = lab.connect(&lab.ours, "one", &lab.vector.account, &own_client).await;
        let other_client = lab
            .connect(&lab.ours, "two", &lab.vector.account, "a-former-client")
            .await;
        let foreign = lab
            .connect(&lab.theirs, "three", &lab.vector.account, &own_client)
            .await;
        let other_account = if lab.vector.refresh_token.is_none() {
            Some(lab.connect(&lab.ours, "four", "somebody-else", &own_client).await)
        } else {
            None
        };
        lab.now();
        let answer = lab.send(&lab.vector).await;
        assert_eq!(answer.status, lab.vector.thanks(), "{name}: {}", answer.text);
        let ConnectionStatus::ReauthRequired(flag) = lab.status(lab.tenant(), &meant.id).await else {
            panic!("{name}: not flagged")
        };
        assert_eq!(flag.reason.as_str(), lab.vector.reason, "{name}");
        assert!(
            flag.evidence.rule.starts_with("notice."),
            "{name}: {}",
            flag.evidence.rule
        );
        assert_eq!(flag.confidence.as_str(), "stated");
        assert_eq!(
            lab.status(lab.tenant(), &other_client.id).await,
            ConnectionStatus::Active,
            "{name}: client"
        );
        assert_eq!(
            lab.status(&lab.theirs.tenant, &foreign.id).await,
            ConnectionStatus::Active,
            "{name}: tenant"
        );
        if let Some(other) = other_account {
            assert_eq!(
                lab.status(lab.tenant(), &other.id).await,
                ConnectionStatus::Active,
                "{name}: account"
            );
        }
        assert_eq!(lab.expired_events().await, 1, "{name}");
    })
    .await;
}

/// What somebody would try who does not know the secret.
fn forgeries(vector: &Vector) -> Vec<Vector> {
    let proof = [
        "authorization",
        "x-slack-signature",
        "x-shopify-hmac-sha256",
        "x-hub-signature-256",
        "x-hubspot-signature-v3",
        "x-zm-signature",
        "stripe-signature",
        "x-hub-signature",
    ];
    let mut forgeries = Vec::new();
    if vector.method == "POST" {
        // One byte of the body is another; and no body.
        let mut changed = vector.clone();
        let middle = changed.body.len() / 2;
        let other = if changed.body.as_bytes()[middle] == b'x' {
            "y"
        } else {
            "x"
        };
        changed.body.replace_range(middle..=middle, other);
        let mut empty = vector.clone();
        empty.body = String::new();
        forgeries.extend([changed, empty]);
    }
    if vector.slug != "google-drive" {
        let mut unsigned = vector.clone();
        unsigned.headers.retain(|header, _| !proof.contains(&header.as_str()));
        forgeries.push(unsigned);
    }
    forgeries
}

#[tokio::test]
async fn a_forged_notice_is_refused_and_its_sender_learns_nothing() {
    for_each(async |lab: Lab<'_>| {
        let name = &lab.vector.name;
        let meant = lab
            .connect(&lab.ours, "one", &lab.vector.account, &lab.vector.client_id)
            .await;
        lab.now();
        let forgeries = forgeries(&lab.vector);
        for forged in &forgeries {
            let answer = lab.send(forged).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
            assert_eq!(answer.json()["message"], "The notice was refused", "{name}");
        }
        // Another secret than the provider's.
        let wrong = lab.vector.own_secret.as_deref().map(|_| "another-secret");
        let client = NewClient {
            client_id: lab.vector.client_id.clone(),
            secret: Some(Secret::from("another-client-secret".to_owned())),
            scopes: None,
        };
        clients::set(&lab.t.app, lab.tenant(), &lab.vector.slug, client)
            .await
            .unwrap();
        lab.set_up(wrong).await;
        if lab.vector.slug != "google-drive" {
            assert_eq!(
                lab.send(&lab.vector).await.status,
                StatusCode::UNAUTHORIZED,
                "{name}: another secret"
            );
        }
        assert_eq!(
            lab.status(lab.tenant(), &meant.id).await,
            ConnectionStatus::Active,
            "{name}"
        );
        assert_eq!(lab.expired_events().await, 0, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_stale_notice_is_refused_on_both_sides_of_its_window() {
    for_each(async |lab: Lab<'_>| {
        if !lab.vector.signed_time {
            return;
        }
        let name = &lab.vector.name;
        let meant = lab
            .connect(&lab.ours, "one", &lab.vector.account, &lab.vector.client_id)
            .await;
        let week = lab.vector.slug == "google-drive";
        // An hour early: signed in the future.
        assert_eq!(
            lab.send(&lab.vector).await.status,
            StatusCode::UNAUTHORIZED,
            "{name}: from the future"
        );
        lab.now();
        lab.t.clock.advance(if week {
            Duration::from_hours(7 * 24 + 1)
        } else {
            Duration::from_secs(302)
        });
        if week {
            // The keys have been read again meanwhile.
            lab.keys(&vectors().google_keys);
        }
        assert_eq!(
            lab.send(&lab.vector).await.status,
            StatusCode::UNAUTHORIZED,
            "{name}: too late"
        );
        assert_eq!(
            lab.status(lab.tenant(), &meant.id).await,
            ConnectionStatus::Active,
            "{name}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_replayed_notice_changes_nothing() {
    for_each(async |lab: Lab<'_>| {
        let name = &lab.vector.name;
        let connect = async || {
            lab.connect(&lab.ours, "one", &lab.vector.account, &lab.vector.client_id)
                .await
        };
        let meant = connect().await;
        lab.now();
        assert_eq!(lab.send(&lab.vector).await.status, lab.vector.thanks(), "{name}");
        // The customer reconnects, and somebody who has overheard the notice sends it again. (Its own time is older than the
        // new grant; one that names none is not believed twice.)
        lab.t.clock.advance(Duration::from_secs(2));
        assert_eq!(connect().await.id, meant.id);
        let wanted = match (lab.vector.slug.as_str(), lab.vector.signed_time) {
            // A transmitter that is told of an error sends the token again and again.
            ("google-drive", _) => StatusCode::ACCEPTED,
            (_, true) => StatusCode::CONFLICT,
            (_, false) => StatusCode::OK,
        };
        assert_eq!(lab.send(&lab.vector).await.status, wanted, "{name}");
        // The same proof, spelt otherwise.
        for respelt in lab.vector.respelt() {
            assert_eq!(lab.send(&respelt).await.status, wanted, "{name}: {:?}", respelt.headers);
        }
        assert_eq!(
            lab.status(lab.tenant(), &meant.id).await,
            ConnectionStatus::Active,
            "{name}"
        );
        assert_eq!(lab.expired_events().await, 1, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_notice_older_than_the_present_grant_never_flags() {
    for_each(async |lab: Lab<'_>| {
        if !lab.vector.event_time {
            return;
        }
        lab.now();
        lab.t.clock.advance(Duration::from_secs(2));
        let meant = lab
            .connect(&lab.ours, "one", &lab.vector.account, &lab.vector.client_id)
            .await;
        lab.t.clock.advance(Duration::from_secs(2));
        assert_eq!(
            lab.send(&lab.vector).await.status,
            lab.vector.thanks(),
            "{}",
            lab.vector.name
        );
        assert_eq!(
            lab.status(lab.tenant(), &meant.id).await,
            ConnectionStatus::Active,
            "{}",
            lab.vector.name
        );
    })
    .await;
}

#[tokio::test]
async fn an_account_that_nobody_knows_is_ignored_quietly() {
    for_each(async |lab: Lab<'_>| {
        lab.now();
        assert_eq!(
            lab.send(&lab.vector).await.status,
            lab.vector.thanks(),
            "{}",
            lab.vector.name
        );
        assert_eq!(lab.expired_events().await, 0);
        let nowhere = Vector {
            path: Some("/notices/nobody-has-this-address".to_owned()),
            ..lab.vector.clone()
        };
        assert_eq!(lab.send(&nowhere).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

/// The headers of a notice that is signed like GitHub's.
fn signed_like_github(secret: &str, body: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, body.as_bytes());
    format!("sha256={}", evergrant::ids::hex(signature.as_ref()))
}

#[tokio::test]
async fn a_nul_names_nothing() {
    let all = vectors();
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let t = TestApp::start_in(database, ManualClock::at(START), Surroundings::default()).await;
        let of = |name: &str| all.notices.iter().find(|one| one.name == name).unwrap();
        let pipedrive = Lab::start(&t, of("pipedrive"), &all).await;
        for method in [Method::POST, Method::GET] {
            assert!(t.call(method, "/notices/%00").refused(404).await.contains("not found"));
        }
        let mut stranger = pipedrive.vector.clone();
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("a\0b:x"));
        stranger.headers.insert("authorization".to_owned(), basic);
        assert_eq!(pipedrive.send(&stranger).await.status, StatusCode::UNAUTHORIZED);

        let github = Lab::start(&t, of("github authorization"), &all).await;
        github.now();
        let mut signed = github.vector.clone();
        signed.body = r#"{"action":"revoked","sender":{"login":"x","id":"5\u0000"}}"#.to_owned();
        let signature = signed_like_github(signed.own_secret.as_deref().unwrap(), &signed.body);
        signed.headers.insert("x-hub-signature-256".to_owned(), signature);
        let answer = github.send(&signed).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
}

#[tokio::test]
async fn whoever_sends_too_much_gets_an_answer_of_the_contract() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let too_much = "x".repeat(300 * 1024);
    for (method, path) in [
        (Method::POST, "/notices/x"),
        (Method::DELETE, "/api/v1/pipedrive/callback"),
    ] {
        let message = t.call(method, path).raw(too_much.clone()).refused(400).await;
        assert!(message.contains("too large"), "{message}");
    }
}

/// A token that nobody has signed, which names a key.
fn unsigned(key: &str) -> String {
    let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(json!({ "alg": "RS256", "kid": key })),
        part(json!({ "iss": "https://issuer.example", "iat": 1, "jti": "1", "aud": "x" })),
        part(json!("no signature"))
    )
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_keys_by_one_at_a_time_and_once_a_minute_at_most() {
    let issuer = Scripted::start(Manners::Grace, "", 60).await;
    let custom = tempfile::tempdir().unwrap();
    let at = &issuer.address;
    let file = format!(
        "slug = 'issuer'\nname = 'Issuer'\ndescription = 'For tests.'\n[api]\nbase_url = 'http://{at}'\n\
         [oauth2]\nauthorization_url = 'http://{at}/authorize'\ntoken_url = 'http://{at}/token'\nscopes = ['all']\n\
         client_authentication = 'post'\n[oauth2.probe]\nurl = '/me'\n[oauth2.identity]\nfrom = 'probe'\nid = '/id'\n\
         [notices]\nsource = 'https://issuer.example/docs'\nsetup = 'Nowhere.'\n\
         [notices.verified_by.security_event_token]\nissuer = ['https://issuer.example']\njwks_url = 'http://{at}/keys'\n\
         [[notices.event]]\nname = 'issuer.gone'\nreason = 'token_revoked'\npresent = ['/gone']\naccount = ['/gone']\n\
         positive = [{{ accounts = ['1'], body = '{{\"gone\":\"1\"}}' }}, {{ accounts = ['2'], body = '{{\"gone\":\"2\"}}' }}]\n\
         near_miss = [{{ body = '{{}}' }}]\n"
    );
    std::fs::write(custom.path().join("issuer.toml"), file).unwrap();
    let around = Surroundings {
        allow: vec![issuer.address.clone()],
        custom: Some(custom.path().to_owned()),
        ..Surroundings::default()
    };
    let t = TestApp::start_in(TestDatabase::sqlite(), ManualClock::at(START), around).await;
    let made = t
        .put("/api/v2/public/application/issuer/notices", &json!({}))
        .ok()
        .await;
    let url = made["url"].as_str().unwrap().replace("http://127.0.0.1:8080", "");
    let forge = async |key: &str| {
        let answer = t.call(Method::POST, &url).raw(unsigned(key)).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    };
    let asked = || issuer.seen().iter().filter(|seen| seen.starts_with("/keys")).count();
    // It is down: that is remembered too.
    issuer.instead("/keys", 500, "");
    tokio::join!(forge("a"), forge("b"), forge("c"));
    forge("d").await;
    assert_eq!(asked(), 1);
    // It answers again, and holds another key than is asked for.
    t.clock.advance(Duration::from_mins(1));
    issuer.instead("/keys", 200, r#"{"keys":[{"kid":"known"}]}"#);
    tokio::join!(forge("known"), forge("b"), forge("known"));
    assert_eq!(asked(), 2);
    // A key that is known is not asked for within the hour; one that is not, once a minute.
    t.clock.advance(Duration::from_mins(2));
    forge("known").await;
    assert_eq!(asked(), 2);
    issuer.instead("/keys", 500, "");
    forge("unknown").await;
    forge("known").await;
    assert_eq!(asked(), 3);
}

#[tokio::test]
async fn a_token_that_google_has_not_signed_for_us_is_refused() {
    let all = vectors();
    let google = all.notices.iter().find(|one| one.slug == "google-drive").unwrap();
    let t = TestApp::start_in(TestDatabase::sqlite(), ManualClock::at(START), Surroundings::default()).await;
    let lab = Lab::start(&t, google, &all).await;
    let meant = lab.connect(&lab.ours, "one", &google.account, &google.client_id).await;
    lab.now();
    for (what, body) in &all.google_refused {
        let forged = Vector {
            body: body.clone(),
            ..google.clone()
        };
        assert_eq!(lab.send(&forged).await.status, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(lab.status(lab.tenant(), &meant.id).await, ConnectionStatus::Active);
    let path = "/api/v2/public/application/google-drive/notices";
    let seen = t.call(Method::GET, path).header("x-api-key", &lab.ours.key).ok().await;
    assert!(seen["last_refused_for"].is_string(), "the team sees why: {seen}");
}
