//! Links that a team can put into an e-mail: one a break, dead with it, revocable, in no table in the clear.

use std::time::Duration;

use axum::http::Method;
use evergrant::connections::{self, Opened};
use evergrant::error::Error;
use evergrant::refresh;
use evergrant::sandbox::Cause;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{CRM, Story, run_due, story};

const DAY: Duration = Duration::from_hours(24);

/// Connects, and lets the provider withdraw the grant. Returns the connection's id.
async fn broken(s: &Story) -> String {
    let id = s.connect().await;
    s.provider.strike(Cause::TokenRevoked);
    s.act(&id, "check").await;
    id
}

/// The address in the error that a use of the connection meets.
async fn of_error(s: &Story, id: &str) -> String {
    let used = refresh::live(&s.t.app, s.tenant(), &id.parse().unwrap(), Duration::from_mins(1)).await;
    let Err(Error::ReauthRequired(told)) = used else {
        panic!("served")
    };
    told.reauth_url.unwrap()
}

/// The address in the last "Connection Expired".
async fn of_event(s: &Story) -> String {
    run_due(&s.t.app).await;
    let got = s.receiver.received();
    let expired = got.iter().rfind(|one| one.body.contains("Connection Expired")).unwrap();
    let body: Value = serde_json::from_str(&expired.body).unwrap();
    body["reauth_url"].as_str().unwrap().to_owned()
}

fn token(url: &str) -> &str {
    url.strip_prefix("http://127.0.0.1:8080/reauth/").unwrap()
}

async fn opened(s: &Story, url: &str) -> Opened {
    connections::open_link(&s.t.app, token(url)).await.unwrap()
}

#[tokio::test]
async fn events_and_errors_of_one_break_carry_one_link_which_ends_with_it() {
    story(async |s| {
        let id = broken(&s).await;
        let url = of_event(&s).await;
        assert_eq!(of_error(&s, &id).await, url);
        s.pass(DAY * 2);
        assert_eq!(of_error(&s, &id).await, url);
        let Opened::Broken(linked) = opened(&s, &url).await else {
            panic!("not broken")
        };
        assert_eq!(linked.connection.id.as_str(), id);

        s.connect().await;
        assert!(matches!(opened(&s, &url).await, Opened::Mended(_)));
        s.provider.strike(Cause::TokenRevoked);
        s.act(&id, "check").await;
        assert!(
            matches!(opened(&s, &url).await, Opened::Ended),
            "a later break does not wake it"
        );
        let next = of_event(&s).await;
        assert_ne!(next, url);
        assert!(matches!(opened(&s, &next).await, Opened::Broken(_)));
        s.disconnect(CRM, "").await;
        assert!(matches!(opened(&s, &next).await, Opened::Ended));
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_about_to_end_or_is_revoked_makes_room_for_another() {
    story(async |s| {
        let id = broken(&s).await;
        let first = of_error(&s, &id).await;
        s.pass(DAY * 6);
        assert_eq!(of_error(&s, &id).await, first);
        s.pass(Duration::from_millis(1));
        let second = of_error(&s, &id).await;
        assert_ne!(second, first);
        assert!(
            matches!(opened(&s, &first).await, Opened::Broken(_)),
            "it has its day left"
        );
        s.pass(DAY);
        assert!(matches!(opened(&s, &first).await, Opened::Ended), "expired");
        let path = format!("/api/v2/public/connection/{id}/reauth-link");
        assert_eq!(
            s.t.delete(&path).ok().await,
            json!({ "success": true, "revoked_count": 1 })
        );
        assert!(matches!(opened(&s, &second).await, Opened::Ended), "revoked");
        assert_ne!(of_error(&s, &id).await, second);
    })
    .await;
}

#[tokio::test]
async fn a_team_makes_links_of_its_own_while_the_connection_is_broken() {
    story(async |s| {
        let id = s.connect().await;
        let path = format!("/api/v2/public/connection/{id}/reauth-link");
        s.t.post(&path, &json!({})).refused(409).await;
        s.provider.strike(Cause::TokenRevoked);
        s.act(&id, "check").await;
        let made = s.t.post(&path, &json!({})).ok().await;
        assert_eq!(made["expires_at"], s.t.app.now().after(DAY * 7).iso());
        let long = s.t.post(&path, &json!({ "expires_in": 7_776_000 })).ok().await;
        assert_eq!(long["expires_at"], s.t.app.now().after(DAY * 90).iso());
        for bad in [json!(59), json!(7_776_001), json!(-1), json!("7 days")] {
            s.t.post(&path, &json!({ "expires_in": bad })).refused(400).await;
        }
        s.t.post(
            "/api/v2/public/connection/65aa00000000000000000001/reauth-link",
            &json!({}),
        )
        .refused(404)
        .await;

        let stranger = s.t.stranger().await;
        let theirs = s.t.call(Method::GET, &path).header("x-api-key", &stranger);
        theirs.refused(404).await;
        let listed = s.t.get(&path).ok().await;
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert!(!listed.to_string().contains("rl_"), "addresses are told once");
        let one = format!("{path}/{}", made["id"].as_str().unwrap());
        s.t.call(Method::DELETE, &one)
            .header("x-api-key", &stranger)
            .refused(404)
            .await;
        s.t.delete(&one).ok().await;
        s.t.delete(&one).refused(404).await;
        assert!(matches!(opened(&s, made["url"].as_str().unwrap()).await, Opened::Ended));
        assert!(matches!(
            opened(&s, long["url"].as_str().unwrap()).await,
            Opened::Broken(_)
        ));
    })
    .await;
}

#[tokio::test]
async fn a_template_says_where_to_repair_and_no_table_does_so_in_the_clear() {
    story(async |s| {
        let hook = json!({
            "webhook_url": s.receiver.url(), "webhook_events": ["Connection Expired"],
            "webhook_type": "custom", "webhook_body": { "text": "Please repair: {{reauth_url}}" },
            "webhook_headers": { "x-link": "{{event.reauth_url}}" },
        });
        s.t.post("/api/v2/public/webhook", &hook).ok().await;
        let id = broken(&s).await;
        let url = of_error(&s, &id).await;
        run_due(&s.t.app).await;
        let got = s.receiver.received();
        let own = got.iter().find(|one| one.body.contains("Please repair")).unwrap();
        assert_eq!(own.body, json!({ "text": format!("Please repair: {url}") }).to_string());
        assert_eq!(own.header("x-link"), url);
        assert!(own.is_signed_with(&s.t.key));
        let mut conn = s.t.app.db.read().await.unwrap();
        for (dump, least) in [
            ("SELECT body FROM events", 2),
            ("SELECT body FROM deliveries WHERE body IS NOT NULL", 1),
            ("SELECT hash FROM reauth_links", 1),
        ] {
            let rows = sqlx::query(dump).fetch_all(&mut *conn).await.unwrap();
            assert!(rows.len() >= least, "{dump}");
            for row in rows {
                let text: String = row.try_get(0).unwrap();
                assert!(!text.contains("rl_") && !text.contains(token(&url)), "{dump}: {text}");
            }
        }
    })
    .await;
}
