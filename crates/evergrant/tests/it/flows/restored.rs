//! A flagged connection that works again is told of, once, whichever way it came about.

use std::time::Duration;

use evergrant::sandbox::Cause;
use serde_json::json;

use crate::support::{CRM, SMS, Story, story};

const HOUR: Duration = Duration::from_hours(1);
const CREATED: &str = "Connection Created sandbox-oauth";
const EXPIRED: &str = "Connection Expired sandbox-oauth";
const RESTORED: &str = "Connection Restored sandbox-oauth";

async fn listen(s: &Story) {
    let hook = json!({ "webhook_url": s.receiver.url(), "webhook_events": ["connection-restored"] });
    s.t.post("/api/v2/public/webhook", &hook).ok().await;
}

#[tokio::test]
async fn reconnecting_a_flagged_connection_restores_it_and_reconnecting_a_healthy_one_is_no_news() {
    story(async |s| {
        listen(&s).await;
        let id = s.connect().await;
        s.connect().await;
        s.provider.strike(Cause::TokenRevoked);
        s.live(2, HOUR).await;
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
        assert_eq!(s.events().await, [CREATED, EXPIRED]);
        s.connect().await;
        s.assert_healthy(CRM).await;
        s.connect().await;
        assert_eq!(s.events().await, [CREATED, EXPIRED, RESTORED]);
    })
    .await;
}

#[tokio::test]
async fn a_grant_that_heals_by_itself_is_restored_once_for_each_time_it_was_flagged() {
    story(async |s| {
        listen(&s).await;
        s.connect().await;
        for _ in 0..2 {
            s.provider.strike(Cause::AppUninstalled);
            s.live(2, HOUR).await;
            s.provider.repair(Cause::AppUninstalled);
            s.live(6, 6 * HOUR).await;
            s.assert_healthy(CRM).await;
        }
        assert_eq!(s.events().await, [CREATED, EXPIRED, EXPIRED, RESTORED, RESTORED]);
    })
    .await;
}

#[tokio::test]
async fn a_new_key_restores_a_flagged_connection() {
    story(async |s| {
        listen(&s).await;
        let id = s.connect_key().await;
        s.act(&id, "expire").await;
        let answer = s.save(&json!({ "api_key": s.provider.key() })).await;
        assert_eq!(answer.text, r#"{"success":true}"#);
        s.assert_healthy(SMS).await;
        let told = s.events().await;
        assert_eq!(told.last().map(String::as_str), Some("Connection Restored sandbox-key"));
        assert_eq!(told.len(), 3);
    })
    .await;
}
