//! Credentials of the default app (contract, section 12).

use axum::http::Method;
use serde_json::json;

use crate::support::on_both;

const BASE: &str = "/api/v2/public/linked-account/default-app/auth-credentials";

#[tokio::test]
async fn credentials_are_added_updated_and_deleted() {
    on_both(async |t| {
        let body = json!({ "linked_account_id": "a", "your_app": { "auth_credentials": { "seed": "1" } } });
        t.post("/api/v2/public/linked-account", &body).ok().await;
        let path = |key: &str| format!("{BASE}/{key}?linked_account_id=a");
        let added = t.put(&path("k"), &json!({ "value": "v" })).ok().await;
        assert_eq!(
            added,
            json!({ "success": true, "message": "Auth credential 'k' added successfully", "action": "added" })
        );
        for value in [json!(5), json!(true), json!([1]), json!({})] {
            let updated = t.put(&path("k"), &json!({ "value": value })).ok().await;
            assert_eq!(updated["message"], "Auth credential 'k' updated successfully");
            assert_eq!(updated["action"], "updated");
        }
        let deleted = t.delete(&path("seed")).ok().await;
        assert_eq!(
            deleted,
            json!({ "success": true, "message": "Auth credential 'seed' deleted successfully" })
        );
        assert_eq!(
            t.delete(&path("seed")).refused(404).await,
            "Auth credential key 'seed' not found"
        );
        let token = t.session("a").await;
        let own = t.by_session(Method::PUT, &format!("{BASE}/by%20session"), &token);
        let own = own.json(&json!({ "value": "" })).ok().await;
        assert_eq!(own["message"], "Auth credential 'by session' added successfully");
        t.by_session(Method::DELETE, &format!("{BASE}/k"), &token).ok().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_default_app_there_is_nothing_to_set() {
    on_both(async |t| {
        t.link("a").await;
        let path = format!("{BASE}/k?linked_account_id=a");
        let answer = t.put(&path, &json!({ "value": "v" })).send().await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["error_code"], "RESOURCE_NOT_FOUND");
        assert_eq!(
            answer.json()["message"],
            "Default app integration not found for linked account a"
        );
        assert_eq!(
            t.delete(&path).refused(404).await,
            "Default app integration not found for linked account a"
        );
    })
    .await;
}

#[tokio::test]
async fn hostile_input_is_refused() {
    on_both(async |t| {
        let body = json!({ "linked_account_id": "a", "your_app": { "auth_credentials": {} } });
        t.post("/api/v2/public/linked-account", &body).ok().await;
        let path = format!("{BASE}/k?linked_account_id=a");
        assert_eq!(t.put(&path, &json!({})).refused(400).await, "value is required");
        assert_eq!(
            t.put(&path, &json!({ "value": null })).refused(400).await,
            "value is required"
        );
        for bad in ["{", "[]", "7"] {
            t.call(Method::PUT, &path)
                .header("x-api-key", &t.key)
                .raw(bad)
                .refused(400)
                .await;
        }
        let long = "x".repeat(256);
        for key in ["%00", "%0A", &long] {
            t.put(&format!("{BASE}/{key}?linked_account_id=a"), &json!({ "value": 1 }))
                .refused(400)
                .await;
            t.delete(&format!("{BASE}/{key}?linked_account_id=a"))
                .refused(404)
                .await;
        }
        for n in 0..100 {
            t.put(&format!("{BASE}/k{n}?linked_account_id=a"), &json!({ "value": n }))
                .ok()
                .await;
        }
        t.put(&format!("{BASE}/one-more?linked_account_id=a"), &json!({ "value": 1 }))
            .refused(400)
            .await;
    })
    .await;
}
