//! What is past its time goes, over all tenants, and nothing else.

use std::time::Duration;

use evergrant::catalog::AuthType;
use evergrant::{authorize, connections, webhooks};
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
