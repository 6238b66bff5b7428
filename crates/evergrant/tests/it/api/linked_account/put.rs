//! Changing or creating an account.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::PATH;
use crate::support::on_both;

#[tokio::test]
async fn an_upsert_creates_and_then_changes_only_what_is_sent() {
    on_both(async |t| {
        let body = json!({ "linked_account_id": "a", "name": "Acme", "udf": { "plan": "free", "seats": 1 } });
        let made = t.put(PATH, &body).ok().await;
        assert_eq!(made["new_account"], true);
        assert!(made.get("integrations").is_none());
        t.clock.advance(Duration::from_secs(5));
        let body = json!({ "linked_account_id": "a", "udf": { "plan": "pro", "seats": null, "new": 1.5 } });
        let changed = t.put(PATH, &body).ok().await;
        assert_eq!(changed["new_account"], false);
        assert_eq!((&changed["_id"], &changed["name"]), (&made["_id"], &json!("Acme")));
        assert_eq!(changed["createdAt"], made["createdAt"]);
        assert_eq!(changed["updatedAt"], "2024-01-02T03:04:10.678Z");
        assert_eq!(changed["__v"], 1);
        let udf = changed["udf"].as_array().unwrap();
        let keys: Vec<_> = udf.iter().map(|f| f["key_name"].as_str().unwrap()).collect();
        assert_eq!(keys, ["plan", "new"]);
        assert_eq!(
            (&udf[0]["key_value"], &udf[1]["key_value"]),
            (&json!("pro"), &json!(1.5))
        );
        assert_eq!(udf[0]["createdAt"], made["createdAt"]);
        assert_eq!(udf[0]["updatedAt"], changed["updatedAt"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_needs_an_id_and_a_session_token_brings_its_own() {
    on_both(async |t| {
        assert_eq!(
            t.put(PATH, &json!({ "name": "x" })).refused(400).await,
            "linked_account_id required"
        );
        t.link("a").await;
        t.link("b").await;
        let token = t.session("a").await;
        let flat = t
            .by_session(Method::PUT, PATH, &token)
            .json(&json!({ "name": "Flat" }))
            .ok()
            .await;
        assert_eq!((&flat["account_id"], &flat["name"]), (&json!("a"), &json!("Flat")));
        let theirs = json!({ "linked_account_id": "b", "payload": { "linked_account_id": "b", "name": "Mine" } });
        let nested = t.by_session(Method::PUT, PATH, &token).json(&theirs).ok().await;
        assert_eq!((&nested["account_id"], &nested["name"]), (&json!("a"), &json!("Mine")));
        assert_eq!(t.get(&format!("{PATH}/b")).ok().await["name"], "");
    })
    .await;
}

#[tokio::test]
async fn an_account_never_has_more_than_100_fields() {
    on_both(async |t| {
        let fields = |from: u32| {
            (from..from + 60)
                .map(|n| (format!("k{n}"), json!(n)))
                .collect::<serde_json::Map<_, _>>()
        };
        t.put(PATH, &json!({ "linked_account_id": "a", "udf": fields(0) }))
            .ok()
            .await;
        let message = t
            .put(PATH, &json!({ "linked_account_id": "a", "udf": fields(60) }))
            .refused(400)
            .await;
        assert_eq!(message, "an account has at most 100 fields");
        let kept = t.get(&format!("{PATH}/a")).ok().await;
        assert_eq!(kept["udf"].as_array().unwrap().len(), 60);
    })
    .await;
}
