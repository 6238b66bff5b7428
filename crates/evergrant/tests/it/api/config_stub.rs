//! `/api/v2/f-sdk/config` (contract, section 14.1).

use axum::http::Method;
use serde_json::json;

use crate::support::on_both;

const PATH: &str = "/api/v2/f-sdk/config";

#[tokio::test]
async fn there_is_nothing_to_configure_and_that_is_said_in_the_shape_the_component_needs() {
    on_both(async |t| {
        t.link("acct-7").await;
        let token = t.session("acct-7").await;
        let wanted =
            json!({ "slug": "slack", "config_id": "acct-7", "fields": [], "workflows": [], "field_errors": [] });
        let read = t.by_session(Method::POST, PATH, &token);
        assert_eq!(read.json(&json!({ "slug": "slack", "labels": {} })).ok().await, wanted);
        let body =
            json!({ "slug": "slack", "config_id": "c", "fields": {}, "workflows": [{ "id": "w", "fields": [] }] });
        let saved = t.by_session(Method::PUT, PATH, &token).json(&body).ok().await;
        assert_eq!(saved["config_id"], "c");
        for bad in [
            json!({}),
            json!([]),
            json!({ "slug": 7 }),
            json!({ "slug": "slack", "config_id": {} }),
        ] {
            t.by_session(Method::POST, PATH, &token).json(&bad).refused(400).await;
        }
        t.post(PATH, &json!({ "slug": "slack" })).refused(401).await;
    })
    .await;
}
