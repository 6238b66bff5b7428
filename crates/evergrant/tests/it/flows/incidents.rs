//! A broken OAuth client is the team's trouble: one alarm, nobody flagged without proof, everything healed once mended.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use evergrant::catalog::AuthType;
use evergrant::clock::ManualClock;
use evergrant::connections::{self, Connection, Fresh, Given};
use evergrant::{accounts, refresh, webhooks};
use evergrant_oauth::{Extras, TokenSet};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{CLIENT, CRM, Consent, Many, Receiver, START, Surroundings, TestApp, TestDatabase, story};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
const EVENTS: [&str; 5] = [
    "Connection Created",
    "Connection Expired",
    "Connection Restored",
    "Application Incident Opened",
    "Application Incident Closed",
];

/// A team whose customers all use one application.
struct Crowd {
    t: TestApp,
    provider: Many,
    receiver: Receiver,
    _custom: tempfile::TempDir,
}

impl Crowd {
    async fn start(database: TestDatabase, size: usize) -> Self {
        let clock = ManualClock::at(START);
        let (provider, receiver) = (Many::start("right").await, Receiver::start().await);
        let custom = tempfile::tempdir().unwrap();
        std::fs::write(custom.path().join("many.toml"), provider.catalog()).unwrap();
        let around = Surroundings {
            allow: vec![provider.address.clone(), receiver.address.clone()],
            custom: Some(custom.path().to_owned()),
            ..Surroundings::default()
        };
        let t = TestApp::start_in(database, clock, around).await;
        let crowd = Self {
            t,
            provider,
            receiver,
            _custom: custom,
        };
        crowd.set_secret("right").await;
        for n in 0..size {
            crowd.join(&format!("customer-{n}")).await;
        }
        let hook = json!({ "webhook_url": crowd.receiver.url(), "webhook_events": EVENTS });
        crowd.t.post("/api/v2/public/webhook", &hook).ok().await;
        crowd
    }

    async fn set_secret(&self, secret: &str) {
        let body = json!({ "client_id": Many::CLIENT, "client_secret": secret });
        self.t
            .put("/api/v2/public/application/many/oauth-client", &body)
            .ok()
            .await;
    }

    /// One more customer, with a grant that ends in an hour.
    async fn join(&self, id: &str) {
        let (app, tenant) = (&self.t.app, &self.t.environment.tenant);
        self.t.link(id).await;
        let account = accounts::find(app, tenant, id).await.unwrap();
        let application = app.catalog.get("many").unwrap().clone();
        let set = TokenSet {
            access_token: "at".to_owned().into(),
            refresh_token: Some(format!("rt-{id}").into()),
            token_type: None,
            expires_in: Some(HOUR),
            refresh_expires_in: None,
            scope: None,
            id_token: None,
            extras: Extras::from(serde_json::Map::new()),
        };
        let life = (&application.lifetimes, app.now());
        let fresh = Fresh::granted(set, Many::CLIENT.to_owned(), BTreeMap::new(), life);
        let given = Given {
            account: &account,
            application: &application,
            auth_type: AuthType::OAuth2,
            fresh,
            identifier: None,
            proved: false,
            switch: evergrant::connections::Switch::Refused,
        };
        let mut tx = app.db.begin().await.unwrap();
        connections::activate(app, &mut tx, tenant, given).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Lets time pass in steps, with all that is due after each.
    async fn live(&self, steps: u32, step: Duration) {
        for _ in 0..steps {
            self.t.clock.advance(step);
            while refresh::run_due(&self.t.app, &CancellationToken::new()).await.unwrap() > 0 {}
        }
    }

    async fn all(&self) -> Vec<Connection> {
        let mut conn = self.t.app.db.read().await.unwrap();
        let tenant = &self.t.environment.tenant.id;
        connections::store::live_of_application(&mut conn, tenant, "many")
            .await
            .unwrap()
    }

    async fn flagged(&self) -> usize {
        self.all().await.iter().filter(|one| one.is_flagged()).count()
    }

    async fn incidents(&self) -> Vec<Value> {
        let all = self.t.get("/api/v2/public/incident").ok().await;
        all.as_array().unwrap().clone()
    }

    /// How often the team was told each of [`EVENTS`].
    async fn told(&self) -> [usize; 5] {
        while webhooks::deliver::run_due(&self.t.app).await.unwrap() > 0 {}
        let got = self.receiver.received();
        EVENTS.map(|event| {
            let named = |body: &str| body.contains(&format!(r#""event":"{event}""#));
            got.iter().filter(|one| named(&one.body)).count()
        })
    }
}

async fn crowd<F: Future<Output = ()>>(size: usize, tell: impl Fn(Crowd) -> F) {
    tell(Crowd::start(TestDatabase::sqlite(), size).await).await;
    tell(Crowd::start(TestDatabase::postgres().await, size).await).await;
}

/// Five hours of a changed secret, and its mending.
async fn changed_secret(c: Crowd) {
    c.provider.accept("another");
    c.live(9, 10 * MINUTE).await;
    assert_eq!(c.flagged().await, 0, "a changed secret flags nobody");
    let incidents = c.incidents().await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["state"], "confirmed");
    assert_eq!(incidents[0]["reason"], "oauth_client_secret_invalid");
    assert_eq!(c.told().await, [0, 0, 0, 1, 0]);
    let (_, refused) = c.provider.counts();
    assert!(
        refused < 250,
        "five hours of a thousand connections: {refused} refreshes"
    );

    c.set_secret("another").await;
    c.live(1, Duration::from_millis(1)).await;
    assert!(c.provider.counts().0 <= 2, "they do not all come at once");
    c.live(30, MINUTE).await;
    let all = c.all().await;
    let now = c.t.app.now();
    assert!(all.iter().all(|one| one.trouble.is_none() && !one.is_flagged()));
    assert!(
        all.iter().all(|one| one.schedule.expires_at.unwrap() > now),
        "every token is renewed"
    );
    let incidents = c.incidents().await;
    assert_eq!(
        (incidents.len(), &incidents[0]["closed_by"]),
        (1, &json!("works_again"))
    );
    assert_eq!(c.told().await, [0, 0, 0, 1, 1]);
}

#[tokio::test]
async fn a_changed_secret_of_a_thousand_connections_is_one_incident_and_all_heal_once_it_is_mended() {
    changed_secret(Crowd::start(TestDatabase::sqlite(), 1000).await).await;
}

#[tokio::test]
async fn a_changed_secret_of_a_thousand_connections_on_postgresql_is_one_incident_too() {
    changed_secret(Crowd::start(TestDatabase::postgres().await, 1000).await).await;
}

#[tokio::test]
async fn a_client_that_two_hear_is_deleted_flags_all_and_they_are_restored_when_it_is_back() {
    crowd(5, async |c| {
        c.provider
            .refuse(r#"{"error":"deleted_client","error_description":"The OAuth client was deleted."}"#);
        c.live(12, 10 * MINUTE).await;
        assert_eq!(c.flagged().await, 5);
        let reasons: Vec<_> = c
            .all()
            .await
            .iter()
            .map(|one| one.status.flag().unwrap().reason.as_str())
            .collect();
        assert_eq!(reasons, ["oauth_app_deleted"; 5]);
        assert!(c.incidents().await[0]["deleted_at"].is_string());
        assert_eq!(c.told().await, [0, 5, 0, 1, 0]);

        c.provider.accept("right");
        c.set_secret("right").await;
        c.live(30, MINUTE).await;
        assert_eq!(c.flagged().await, 0);
        assert_eq!(c.told().await, [0, 5, 5, 1, 1]);
    })
    .await;
}

#[tokio::test]
async fn the_teams_word_that_the_client_is_gone_flags_all_and_asks_for_confirmation_where_it_removes_it() {
    crowd(3, async |c| {
        c.provider.accept("another");
        c.live(12, 10 * MINUTE).await;
        let id = c.incidents().await[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v2/public/incident/{id}");
        let client = "/api/v2/public/application/many/oauth-client";
        let refused = c.t.delete(client).send().await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(c.flagged().await, 0);
        let answer = c.t.post(&format!("{path}/confirm-deletion"), &json!({})).ok().await;
        assert_eq!(answer, json!({ "flagged": 3 }));
        assert_eq!(c.flagged().await, 3);
        assert!(c.t.get(&path).ok().await["deleted_at"].is_string());

        let closed = c.t.post(&format!("{path}/close"), &json!({})).ok().await;
        assert_eq!(
            (&closed["state"], &closed["closed_by"]),
            (&json!("closed"), &json!("hand"))
        );
        let again = c.t.post(&format!("{path}/confirm-deletion"), &json!({})).send().await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert_eq!(c.told().await, [0, 3, 0, 1, 1]);
        c.t.delete(&format!("{client}?confirm=true")).ok().await;
        let unknown = c.t.get("/api/v2/public/incident/65aa000000000000000000f1").send().await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(c.t.get("/api/v2/public/incident?state=open").ok().await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_alone_is_confirmed_by_a_question_that_needs_no_grant() {
    crowd(1, async |c| {
        c.provider.accept("another");
        c.live(1, HOUR).await;
        assert_eq!(c.incidents().await[0]["state"], "suspected");
        assert_eq!(c.provider.counts(), (0, 1), "one sight alone asks nobody");
        c.live(2, 10 * MINUTE).await;
        let incidents = c.incidents().await;
        assert_eq!(
            (incidents.len(), &incidents[0]["state"]),
            (1, &json!("confirmed")),
            "{incidents:?}"
        );
        let refused = c.provider.counts().1;
        c.live(6, 10 * MINUTE).await;
        assert!(c.provider.counts().1 - refused <= 6, "confirmed once is enough");
        assert_eq!((c.flagged().await, c.told().await), (0, [0, 0, 0, 1, 0]));
        c.set_secret("another").await;
        c.live(3, MINUTE).await;
        assert_eq!(c.told().await, [0, 0, 0, 1, 1]);
    })
    .await;
}

#[tokio::test]
async fn the_only_one_that_is_refused_while_others_work_alarms_once() {
    crowd(2, async |c| {
        let all = c.all().await;
        let (tenant, first, second) = (&c.t.environment.tenant, &all[0].id, &all[1].id);
        let forced = async |id| {
            refresh::renew(&c.t.app, tenant, id, refresh::Why::Forced)
                .await
                .unwrap()
        };
        for _ in 0..5 {
            c.provider.accept("another");
            forced(first).await;
            c.provider.accept("right");
            forced(second).await;
            c.t.clock.advance(HOUR);
        }
        assert_eq!(c.incidents().await.len(), 1);
        assert_eq!(c.told().await, [0, 0, 0, 1, 1]);
        assert_eq!(c.flagged().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_browser_says_of_the_client_opens_an_incident_and_flags_nobody() {
    story(async |s| {
        s.connect().await;
        let (callback, cookie) = s.consent(Consent::YES).await;
        let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let forged = format!("/api/v1/{CRM}/callback?error=unauthorized_client&state={state}");
        let page = s.visit(&forged, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY);
        let open = s.t.get("/api/v2/public/incident?state=open").ok().await;
        assert_eq!(
            (&open[0]["slug"], &open[0]["state"]),
            (&json!(CRM), &json!("suspected"))
        );
        assert_eq!(open[0]["deleted_at"], Value::Null);
        s.assert_healthy(CRM).await;
        s.live(1, HOUR).await;
        assert_eq!(
            s.t.get("/api/v2/public/incident?state=open").ok().await,
            json!([]),
            "a refresh refutes it"
        );
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_refused_because_of_the_client_counts_and_the_next_one_that_works_closes_it() {
    story(async |s| {
        s.provider.register(CLIENT, "the new one");
        let (callback, cookie) = s.consent(Consent::YES).await;
        assert_eq!(s.visit(&callback, Some(&cookie)).await.status, StatusCode::BAD_GATEWAY);
        let open = s.t.get("/api/v2/public/incident?state=open").ok().await;
        assert_eq!(open[0]["reason"], "oauth_client_secret_invalid");
        s.set_client(CLIENT, "the new one").await;
        s.connect().await;
        assert_eq!(s.t.get("/api/v2/public/incident?state=open").ok().await, json!([]));
    })
    .await;
}
