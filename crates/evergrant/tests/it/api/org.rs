//! `/api/v3/org/basics` (contract, section 11).

use axum::http::Method;
use serde_json::json;

use crate::support::on_both;

#[tokio::test]
async fn a_session_learns_its_organisation_and_account() {
    on_both(async |t| {
        t.post(
            "/api/v2/public/linked-account",
            &json!({ "linked_account_id": "acct-7", "name": "Acme" }),
        )
        .ok()
        .await;
        let token = t.session("acct-7").await;
        let basics = t.by_session(Method::GET, "/api/v3/org/basics", &token).ok().await;
        let org = t.environment.tenant.org.as_str();
        let account = &basics["linked_account"]["_id"];
        assert_eq!(
            basics,
            json!({ "org_id": org, "_id": org, "name": "default", "icon": null, "environment": "test",
                "linked_account_id": "acct-7",
                "linked_account": { "_id": account, "account_id": "acct-7", "name": "Acme" } })
        );
    })
    .await;
}
