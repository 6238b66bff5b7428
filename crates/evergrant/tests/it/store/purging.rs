//! What is past its time goes, over all tenants, and nothing else.

use std::time::Duration;

use evergrant::catalog::AuthType;
use evergrant::incidents::{self, ClosedBy, Closing, Sighting, Witness};
use evergrant::reason::Reason;
use evergrant::verdict::Evidence;
use evergrant::{authorize, connections, jobs, webhooks};
use serde_json::json;

use crate::api::connected::connect;
use crate::support::on_both;

#[tokio::test]
async fn authorizations_go_after_ten_minutes() {
    on_both(async |t| {
        t.link("a").await;
        let client = json!({ "client_id": "c", "client_secret": "s" });
        t.put("/api/v2/public/application/slack/oauth-client", &client)
            .ok()
            .await;
        let path = "/api/v2/public/linked-account/integration/oauth-url/slack?linked_account_id=a";
        t.get(path).ok().await;
        let purge = async || {
            let mut tx = t.app.db.begin().await.unwrap();
            let gone = authorize::store::purge_of_all_tenants(&mut tx, t.app.now())
                .await
                .unwrap();
            tx.commit().await.unwrap();
            gone
        };
        t.clock.advance(Duration::from_millis(599_999));
        assert_eq!(purge().await, 0);
        t.clock.advance(Duration::from_millis(1));
        assert_eq!(purge().await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_of_a_connection_goes_after_its_time_and_a_live_one_stays() {
    on_both(async |t| {
        t.link("a").await;
        for slug in ["copper", "twilio"] {
            connect(&t, &t.environment.tenant, "a", slug, AuthType::Keybased).await;
        }
        t.delete("/api/v2/public/linked-account/integration/copper?linked_account_id=a")
            .ok()
            .await;
        let purge = async |before| {
            let mut tx = t.app.db.begin().await.unwrap();
            let gone = connections::store::purge_of_all_tenants(&mut tx, before).await.unwrap();
            tx.commit().await.unwrap();
            gone
        };
        let now = t.app.now();
        assert_eq!(purge(now).await, 0);
        assert_eq!(purge(now.after(Duration::from_millis(1))).await, 1);
    })
    .await;
}

#[tokio::test]
async fn incidents_that_are_over_go_after_ninety_days_and_open_ones_stay() {
    on_both(async |t| {
        let tenant = &t.environment.tenant.id;
        let evidence = Evidence {
            rule: "test".to_owned(),
            words: String::new(),
            status: 401,
        };
        let mut tx = t.app.db.begin().await.unwrap();
        for slug in ["slack", "hubspot"] {
            let seen = Sighting {
                slug,
                witness: Witness::Consent,
                reason: Reason::OauthClientSecretInvalid,
                deletion_stated: false,
                evidence: &evidence,
                now: t.app.now(),
            };
            incidents::store::open(&mut tx, tenant, &seen).await.unwrap().unwrap();
        }
        let closing = Closing {
            at: t.app.now(),
            by: ClosedBy::Hand,
        };
        let ended = incidents::store::close(&mut tx, tenant, ("slack", Witness::Team), closing).await;
        assert!(ended.unwrap().is_some());
        tx.commit().await.unwrap();
        let left = async || {
            incidents::list(&t.app, &t.environment.tenant, false)
                .await
                .unwrap()
                .len()
        };
        t.clock.advance(incidents::KEPT_AFTER_CLOSING);
        jobs::run_due(&t.app).await.unwrap();
        assert_eq!(left().await, 2);
        t.clock.advance(Duration::from_millis(1));
        let mut tx = t.app.db.begin().await.unwrap();
        let before = t.app.now().before(incidents::KEPT_AFTER_CLOSING);
        let gone = incidents::store::purge_of_all_tenants(&mut tx, before).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((gone, left().await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_overdue_where_nothing_waits() {
    on_both(async |t| {
        let mut conn = t.app.db.read().await.unwrap();
        let waiting = webhooks::outbox::overdue_of_all_tenants(&mut conn, t.app.now())
            .await
            .unwrap();
        assert_eq!(waiting, 0);
    })
    .await;
}
