//! Deleting an account.

use axum::http::Method;
use serde_json::json;

use super::PATH;
use crate::support::on_both;

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions() {
    on_both(async |t| {
        let body =
            json!({ "linked_account_id": "a", "udf": { "k": 1 }, "your_app": { "auth_credentials": { "k": "v" } } });
        t.post(PATH, &body).ok().await;
        let token = t.session("a").await;
        let answer = t.delete(&format!("{PATH}/a")).ok().await;
        assert_eq!(answer, json!({ "message": "User deleted successfully" }));
        t.get(&format!("{PATH}/a")).refused(404).await;
        let message = t
            .by_session(Method::GET, "/api/v3/org/basics", &token)
            .refused(401)
            .await;
        assert_eq!(message, "Invalid token");
        t.delete(&format!("{PATH}/a")).refused(404).await;
        t.link("a").await;
        let again = t.get(&format!("{PATH}/a")).ok().await;
        assert_eq!((&again["udf"], &again["integrations"]), (&json!([]), &json!([])));
    })
    .await;
}

#[tokio::test]
async fn another_tenant_cannot_delete_it() {
    on_both(async |t| {
        t.link("a").await;
        let theirs = t.stranger().await;
        t.call(Method::DELETE, &format!("{PATH}/a"))
            .header("x-api-key", &theirs)
            .refused(404)
            .await;
        t.get(&format!("{PATH}/a")).ok().await;
    })
    .await;
}
