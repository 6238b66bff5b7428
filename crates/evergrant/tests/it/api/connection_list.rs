//! `GET /api/v2/public/connection`.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, SMS, Story, story};

const PATH: &str = "/api/v2/public/connection";

async fn slugs(s: &Story, query: &str) -> Vec<String> {
    let page = s.t.get(&format!("{PATH}{query}")).ok().await;
    let docs = page["docs"].as_array().unwrap().iter();
    docs.map(|doc| doc["slug"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn connections_are_filtered_and_shown_as_they_are_alone_without_timelines() {
    story(async |s| {
        let id = s.connect().await;
        s.connect_key().await;
        s.act(&id, "expire").await;
        let mut alone = s.connection(&id).await;
        alone.as_object_mut().unwrap().remove("timeline");
        let page = s.t.get(&format!("{PATH}?status=reauth_required")).ok().await;
        assert_eq!(page, json!({ "docs": [alone], "next_cursor": null }));
        for (query, wanted) in [
            ("?status=active", &[SMS][..]),
            ("?status=degraded", &[]),
            ("?reason=token_revoked", &[CRM]),
            ("?reason=user_disabled", &[]),
            ("?slug=sandbox-key", &[SMS]),
            ("?slug=sandbox-oauth&status=active", &[]),
            ("?expiring_before=2020-01-01T00:00:00Z", &[]),
            (
                "?status=&reason=&slug=&cursor=&limit=&expiring_before=&status=active",
                &[SMS],
            ),
        ] {
            let query = query.replace("status=&", "");
            assert_eq!(slugs(&s, &query).await, wanted, "{query}");
        }
        assert_eq!(slugs(&s, &format!("?linked_account_id={CUSTOMER}")).await.len(), 2);
        s.t.link("other").await;
        assert_eq!(slugs(&s, "?linked_account_id=other").await.len(), 0);
        let by_header = s.t.get(PATH).header("linked_account_id", "other").ok().await;
        assert_eq!(by_header["docs"], json!([]));
        let theirs = s.t.stranger().await;
        let theirs = s.t.call(Method::GET, PATH).header("x-api-key", &theirs).ok().await;
        assert_eq!(theirs["docs"], json!([]));
        s.disconnect(SMS, "").await;
        assert_eq!(slugs(&s, "").await, [CRM]);
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_and_a_cursor_of_another_list_is_refused() {
    story(async |s| {
        s.connect().await;
        s.connect_key().await;
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = s.t.get(&format!("{PATH}?limit=1&cursor={cursor}")).ok().await;
            seen.extend(page["docs"].as_array().unwrap().iter().map(|doc| doc["slug"].clone()));
            match &page["next_cursor"] {
                Value::String(next) => cursor.clone_from(next),
                _ => break,
            }
        }
        seen.sort_by_key(Value::to_string);
        assert_eq!(seen, [json!(SMS), json!(CRM)]);
        let ordered = format!("{PATH}?expiring_before=2030-01-01T00:00:00Z&cursor={cursor}");
        assert!(s.t.get(&ordered).refused(400).await.contains("next_cursor"));
    })
    .await;
}

#[tokio::test]
async fn a_bad_filter_is_told_what_would_be_a_good_one() {
    story(async |s| {
        for (query, status, says) in [
            ("?status=expired", 400, "active, degraded, reauth_required"),
            ("?reason=because", 400, "token_revoked"),
            ("?slug=nothing", 404, "Application with app_type 'nothing' not found"),
            (
                "?linked_account_id=nobody",
                404,
                "Linked Account with account id nobody",
            ),
            (
                "?expiring_before=tomorrow",
                400,
                "expiring_before must be a time such as",
            ),
            ("?cursor=abc", 400, "next_cursor"),
            ("?limit=0", 400, "from 1 to 500"),
            ("?limit=501", 400, "from 1 to 500"),
        ] {
            let message = s.t.get(&format!("{PATH}{query}")).refused(status).await;
            assert!(message.contains(says), "{query}: {message}");
        }
    })
    .await;
}
