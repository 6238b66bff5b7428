//! Reading one account.

use axum::http::Method;

use super::PATH;
use crate::support::on_both;

#[tokio::test]
async fn a_key_reads_every_account_of_its_environment() {
    on_both(async |t| {
        t.link("u@x.y").await;
        t.link("a b/c").await;
        let found = t.get(&format!("{PATH}/u@x.y")).ok().await;
        assert_eq!(found["account_id"], "u@x.y");
        assert_eq!(found["integrations"], serde_json::json!([]));
        assert_eq!(t.get(&format!("{PATH}/a%20b%2Fc")).ok().await["account_id"], "a b/c");
        let expected = format!(
            "Linked Account with account id nobody for org {} in environment test not found",
            t.environment.tenant.org
        );
        assert_eq!(t.get(&format!("{PATH}/nobody")).refused(404).await, expected);
    })
    .await;
}

#[tokio::test]
async fn another_tenants_account_and_impossible_ids_look_unknown() {
    on_both(async |t| {
        t.link("a").await;
        let theirs = t.stranger().await;
        t.call(Method::GET, &format!("{PATH}/a"))
            .header("x-api-key", &theirs)
            .refused(404)
            .await;
        for id in ["%00", "a%00", "%0A", &"x".repeat(300)] {
            t.get(&format!("{PATH}/{id}")).refused(404).await;
        }
        t.get(&format!("{PATH}/%FF")).refused(400).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_token_reads_its_own_account_only() {
    on_both(async |t| {
        t.link("a").await;
        t.link("b").await;
        let token = t.session("a").await;
        let own = t.by_session(Method::GET, &format!("{PATH}/a"), &token).ok().await;
        assert_eq!(own["account_id"], "a");
        t.by_session(Method::GET, &format!("{PATH}/b"), &token)
            .refused(404)
            .await;
        t.by_session(Method::GET, PATH, &token).refused(401).await;
        t.by_session(Method::POST, PATH, &token).refused(401).await;
        t.by_session(Method::DELETE, &format!("{PATH}/a"), &token)
            .refused(401)
            .await;
        let active = t
            .by_session(Method::GET, "/api/v2/public/session/active-linked-account", &token)
            .ok()
            .await;
        assert_eq!(active, own);
    })
    .await;
}
