//! From a notice to the team's webhook, and from an issuer's address to its keys.

use evergrant::clock::{Clock as _, SystemClock, Timestamp};
use evergrant::webhooks::deliver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::{Manners, Receiver, Scripted, until};

impl Lab<'_> {
    /// The customer's connection, and the team's webhook that wants to know of its end.
    async fn connect_and_listen(&self, receiver: &Receiver) -> Connection {
        let hook = json!({ "webhook_url": receiver.url(), "webhook_events": ["Connection Expired"] });
        let call = self.t.call(Method::POST, "/api/v2/public/webhook");
        call.header("x-api-key", &self.ours.key).json(&hook).ok().await;
        self.connect(&self.ours, "one", &self.vector.account, &self.vector.client_id)
            .await
    }

    /// Asserts that the flag, its reason and its event are there.
    async fn assert_flagged_and_told(&self, connection: &Connection) {
        let ConnectionStatus::ReauthRequired(flag) = self.status(self.tenant(), &connection.id).await else {
            panic!("{}: not flagged", self.vector.name)
        };
        assert_eq!(flag.reason.as_str(), self.vector.reason, "{}", self.vector.name);
        assert_eq!(self.expired_events().await, 1, "{}", self.vector.name);
    }

    /// How many deliveries wait for nothing but to be looked for.
    async fn due(&self, at: Timestamp) -> i64 {
        let mut conn = self.t.app.db.read().await.unwrap();
        let sql = "SELECT COUNT(*) FROM deliveries WHERE tenant = $1 AND next_try_at <= $2";
        let due = sqlx::query_scalar(sql).bind(self.tenant().id.as_str());
        due.bind(at.as_millis()).fetch_one(&mut *conn).await.unwrap()
    }
}

async fn listening(database: TestDatabase, receiver: &Receiver) -> TestApp {
    let around = Surroundings {
        allow: vec![receiver.address.clone()],
        ..Surroundings::default()
    };
    TestApp::start_in(database, ManualClock::at(START), around).await
}

#[tokio::test]
async fn before_a_notice_is_answered_its_flag_reason_and_event_are_committed_and_the_webhook_is_due() {
    let all = vectors();
    let slack = all.notices.iter().find(|one| one.slug == "slack").unwrap();
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let receiver = Receiver::start().await;
        let t = listening(database, &receiver).await;
        let lab = Lab::start(&t, slack, &all).await;
        let meant = lab.connect_and_listen(&receiver).await;
        lab.now();
        assert_eq!(lab.due(START).await, 0);
        assert_eq!(lab.send(slack).await.status, StatusCode::OK);
        lab.assert_flagged_and_told(&meant).await;
        // The first look sends it: it waits for nothing else.
        assert_eq!(lab.due(START).await, 1);
        assert_eq!(deliver::run_due(&t.app).await.unwrap(), 1);
        let told: Value = serde_json::from_str(&receiver.only().body).unwrap();
        assert_eq!(
            (&told["event"], &told["linked_account_id"]),
            (&json!("Connection Expired"), &json!("one")),
            "{told}"
        );
    }
}

/// Prints how long it takes, with the loops' real waits, on whatever machine this is: no time decides the test.
#[tokio::test]
async fn the_running_server_tells_the_team_of_a_notice_by_itself() {
    let all = vectors();
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let receiver = Receiver::start().await;
        let t = listening(database, &receiver).await;
        let (app, stop) = (t.app.clone(), CancellationToken::new());
        let mut engine = JoinSet::new();
        let told = stop.clone();
        engine.spawn(async move { deliver::keep_running(&app, &told).await });
        let mut times = Vec::new();
        for vector in all.notices.iter().take(6) {
            let lab = Lab::start(&t, vector, &all).await;
            let meant = lab.connect_and_listen(&receiver).await;
            lab.now();
            let (began, before) = (SystemClock.steady(), receiver.received().len());
            assert_eq!(lab.send(vector).await.status, StatusCode::OK, "{}", vector.name);
            lab.assert_flagged_and_told(&meant).await;
            until("the team is told", async || {
                (receiver.received().len() > before).then_some(())
            })
            .await;
            times.push(SystemClock.steady().saturating_sub(began).as_millis());
        }
        println!("from a notice to the team's webhook: {times:?} ms");
        stop.cancel();
        engine.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(receiver.received().len(), times.len(), "once each");
    }
}

/// The application of Google's notices, with its keys at an address of ours.
fn google_at(address: &str) -> String {
    let file = include_str!("../../../../../../catalog/google-drive.toml");
    let (slug, keys) = ("slug = \"google-drive\"", "https://www.googleapis.com/oauth2/v3/certs");
    assert!(file.contains(slug) && file.contains(keys));
    let file = file.replace(slug, "slug = \"google-lab\"");
    file.replace(keys, &format!("http://{address}/keys"))
}

#[tokio::test]
async fn an_issuers_keys_are_fetched_once_and_again_for_a_new_key_and_serve_while_it_is_down() {
    let all = vectors();
    let google = all.notices.iter().filter(|one| one.slug == "google-drive");
    let signed: Vec<_> = google
        .map(|one| Vector {
            slug: "google-lab".to_owned(),
            ..one.clone()
        })
        .collect();
    let issuer = Scripted::start(Manners::Grace, "", 60).await;
    let custom = tempfile::tempdir().unwrap();
    std::fs::write(custom.path().join("google-lab.toml"), google_at(&issuer.address)).unwrap();
    let around = Surroundings {
        allow: vec![issuer.address.clone()],
        custom: Some(custom.path().to_owned()),
        ..Surroundings::default()
    };
    let t = TestApp::start_in(TestDatabase::sqlite(), ManualClock::at(START), around).await;
    let lab = Lab::start(&t, &signed[0], &all).await;
    let meant = lab
        .connect(&lab.ours, "one", &signed[0].account, &signed[0].client_id)
        .await;
    lab.now();
    let fetched = || issuer.seen().iter().filter(|one| one.starts_with("/keys ")).count();
    let refused = async |vector: &Vector| lab.send(vector).await.status == StatusCode::UNAUTHORIZED;

    // The token's key is newer than the set: that is looked for again after a minute, and not for each token that comes.
    issuer.instead("/keys", 200, r#"{"keys":[{"kid":"an-older-key"}]}"#);
    assert!(refused(&signed[0]).await && refused(&signed[0]).await);
    assert_eq!(fetched(), 1);
    t.clock.advance(Duration::from_secs(61));
    issuer.instead("/keys", 200, &all.google_keys.to_string());
    assert!(!refused(&signed[0]).await);
    let ConnectionStatus::ReauthRequired(flag) = lab.status(lab.tenant(), &meant.id).await else {
        panic!("not flagged")
    };
    assert_eq!((flag.reason.as_str(), fetched()), (signed[0].reason.as_str(), 2));

    // What is known is kept for an hour, and no longer; while the issuer is down, beyond that.
    t.clock.advance(Duration::from_mins(59));
    assert!(!refused(&signed[1]).await);
    assert_eq!(fetched(), 2);
    t.clock.advance(Duration::from_mins(2));
    issuer.instead("/keys", 503, "");
    assert!(!refused(&signed[2]).await);
    assert_eq!(fetched(), 3);
}
