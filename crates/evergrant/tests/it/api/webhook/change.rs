//! Changing, deleting, and the routes from the time of one webhook per environment.

use std::time::Duration;

use serde_json::{Value, json};

use super::create::{PATH, made};
use crate::support::on_both;

fn ids(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|webhook| webhook["_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn only_the_fields_that_are_sent_change() {
    on_both(async |t| {
        let before = made(&t, json!({ "webhook_headers": { "x-a": "1" }, "description": "d" })).await;
        let path = format!("{PATH}/{}", before["_id"].as_str().unwrap());
        t.clock.advance(Duration::from_secs(1));
        let after = t
            .put(&path, &json!({ "is_enabled": false, "url": "http://other.example" }))
            .ok()
            .await;
        let mut wanted = before.clone();
        wanted["is_enabled"] = json!(false);
        wanted["webhook_url"] = json!("http://other.example");
        wanted["updatedAt"] = json!("2024-01-02T03:04:06.678Z");
        wanted["__v"] = json!(1);
        assert_eq!(after, wanted);
        assert_eq!(t.get(&path).ok().await, wanted);
        let cleared = t
            .put(&path, &json!({ "webhook_headers": {}, "description": "" }))
            .ok()
            .await;
        assert!(cleared.get("webhook_headers").is_none() && cleared.get("description").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_body_is_changed_only_with_the_type_custom() {
    on_both(async |t| {
        let made = made(&t, json!({})).await;
        let path = format!("{PATH}/{}", made["_id"].as_str().unwrap());
        let same = t.put(&path, &json!({ "webhook_body": { "a": 1 } })).ok().await;
        assert_eq!(
            (&same["webhook_body"], &same["webhook_type"]),
            (&json!("{{event}}"), &json!("default"))
        );
        let custom = json!({ "webhook_body": { "a": 1 }, "webhook_type": "custom" });
        let changed = t.put(&path, &custom).ok().await;
        assert_eq!(
            (&changed["webhook_body"], &changed["webhook_type"]),
            (&json!({ "a": 1 }), &json!("custom"))
        );
        assert_eq!(
            t.put(&path, &json!({ "webhook_type": "slack" })).ok().await["webhook_type"],
            "slack"
        );
    })
    .await;
}

#[tokio::test]
async fn deleting_answers_with_the_rest() {
    on_both(async |t| {
        let first = made(&t, json!({})).await;
        t.clock.advance(Duration::from_secs(1));
        let second = made(&t, json!({})).await;
        let path = format!("{PATH}/{}", first["_id"].as_str().unwrap());
        assert_eq!(t.delete(&path).ok().await, json!([second]));
        assert_eq!(t.delete(&path).refused(400).await, "Webhook not found");
        assert_eq!(t.get(PATH).ok().await, json!([second]));
    })
    .await;
}

#[tokio::test]
async fn deleting_without_an_id_takes_the_oldest() {
    on_both(async |t| {
        assert_eq!(t.delete(PATH).refused(400).await, "Webhook not found");
        let first = made(&t, json!({})).await;
        t.clock.advance(Duration::from_secs(1));
        let second = made(&t, json!({})).await;
        let gone = t.delete(PATH).ok().await;
        assert_eq!((&gone["success"], &gone["_id"]), (&json!(true), &first["_id"]));
        assert!(gone["message"].is_string());
        assert_eq!(t.get(PATH).ok().await, json!([second]));
    })
    .await;
}

#[tokio::test]
async fn subscribing_adds_to_the_oldest_and_unsubscribing_removes() {
    on_both(async |t| {
        let (subscribe, unsubscribe) = (format!("{PATH}/subscribe"), format!("{PATH}/unsubscribe"));
        let two = json!({ "webhook_events": ["connection-expired", "connection-created"] });
        assert_eq!(t.post(&subscribe, &two).refused(400).await, "Webhook not found");
        made(&t, json!({})).await;
        let both = json!(["Connection Expired", "Connection Created"]);
        assert_eq!(t.post(&subscribe, &two).ok().await["webhook_events"], both);
        let one = json!({ "webhook_event": "connection-expired" });
        assert_eq!(
            t.post(&unsubscribe, &one).ok().await["webhook_events"],
            json!(["Connection Created"])
        );
        let other = json!({ "events": ["Connection Created", "Workflow Errored"] });
        assert_eq!(t.post(&unsubscribe, &other).ok().await["webhook_events"], json!([]));
        for wrong in [json!({}), json!({ "webhook_events": [] })] {
            t.post(&subscribe, &wrong).refused(400).await;
        }
        let answer = t
            .post(&subscribe, &json!({ "events": ["nonsense"] }))
            .send()
            .await
            .json();
        assert_eq!(answer["error_code"], "INVALID_EVENT");
    })
    .await;
}

#[tokio::test]
async fn a_group_is_set_for_all_or_for_none() {
    on_both(async |t| {
        let path = "/api/v2/public/webhooks/group/edit";
        let (a, b) = (made(&t, json!({})).await, made(&t, json!({})).await);
        let both = json!([a["_id"], b["_id"], a["_id"]]);
        let changed = t.put(path, &json!({ "webhookIds": both, "group": "g" })).ok().await;
        assert_eq!(ids(&changed).len(), 2);
        assert!(
            changed
                .as_array()
                .unwrap()
                .iter()
                .all(|webhook| webhook["group"] == "g")
        );
        let unknown = json!({ "webhookIds": [a["_id"], "65aa00000000000000000000"], "group": "h" });
        assert_eq!(t.put(path, &unknown).refused(400).await, "Webhook not found");
        assert_eq!(t.get(PATH).ok().await[0]["group"], "g");
        let cleared = t.put(path, &json!({ "webhookIds": [a["_id"]] })).ok().await;
        assert!(cleared[0].get("group").is_none());
        for wrong in [json!({}), json!({ "webhookIds": [] })] {
            assert_eq!(t.put(path, &wrong).refused(400).await, "webhookIds is required");
        }
    })
    .await;
}
