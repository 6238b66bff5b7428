//! Creating, reading, listing.

use serde_json::{Value, json};

use crate::support::{TestApp, on_both};

pub(super) const PATH: &str = "/api/v2/public/webhook";

pub(super) async fn made(t: &TestApp, more: Value) -> Value {
    let mut body = json!({ "webhook_url": "https://hooks.example/cobalt", "webhook_events": ["Connection Expired"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    t.post(PATH, &body).ok().await
}

#[tokio::test]
async fn a_new_webhook_has_the_documented_fields_and_defaults() {
    on_both(async |t| {
        let made = made(&t, json!({})).await;
        let id = made["_id"].as_str().unwrap();
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(
            made,
            json!({
                "_id": id, "org_id": t.environment.tenant.org.as_str(), "environment": "test", "is_enabled": true,
                "webhook_events": ["Connection Expired"], "workflow_ids": [],
                "webhook_url": "https://hooks.example/cobalt", "webhook_body": "{{event}}", "method": "POST",
                "webhook_type": "default", "createdAt": "2024-01-02T03:04:05.678Z",
                "updatedAt": "2024-01-02T03:04:05.678Z", "__v": 0
            })
        );
        assert_eq!(t.get(&format!("{PATH}/{id}")).ok().await, made);
        assert_eq!(t.get(PATH).ok().await, json!([made]));
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_sent_comes_back() {
    on_both(async |t| {
        let sent = json!({
            "is_enabled": false, "webhook_type": "custom", "webhook_body": { "a": [1, "{{event.slug}}", "\u{0}"] },
            "webhook_headers": { "authorization": "Bearer canary" }, "method": "PUT",
            "webhook_events": ["Workflow Completed"], "slug": "slack", "workflow_ids": ["w1"],
            "description": "ours", "webhook_description": "ours too", "group": "g",
        });
        let made = made(&t, sent.clone()).await;
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&made[name], value, "{name}");
        }
        assert_eq!(t.get(PATH).ok().await, json!([made]));
    })
    .await;
}

#[tokio::test]
async fn the_other_names_and_spellings_are_accepted() {
    on_both(async |t| {
        let body = json!({
            "url": "https://hooks.example", "nobody_knows_this": 1, "description": null,
            "events": ["connection-created", "WORKFLOW TIMED OUT", "Connection Created"],
        });
        let made = t.post(PATH, &body).ok().await;
        assert_eq!(made["webhook_url"], "https://hooks.example");
        assert_eq!(
            made["webhook_events"],
            json!(["Connection Created", "Workflow Timed Out"])
        );
    })
    .await;
}

#[tokio::test]
async fn the_list_is_an_array_even_when_it_is_empty() {
    on_both(async |t| {
        assert_eq!(t.get(PATH).ok().await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn header_values_are_not_in_the_database_in_clear() {
    on_both(async |t| {
        let made = made(
            &t,
            json!({ "webhook_headers": { "authorization": "Bearer canary-7f3a" } }),
        )
        .await;
        let mut conn = t.app.db.read().await.unwrap();
        let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed_headers FROM webhooks WHERE id = $1")
            .bind(made["_id"].as_str().unwrap())
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
    })
    .await;
}

#[tokio::test]
async fn header_values_are_shown_to_keys_that_may_write_alone() {
    on_both(async |t| {
        let headers = json!({ "webhook_headers": { "authorization": "Bearer canary-7f3a" } });
        let made = made(&t, headers.clone()).await;
        let path = format!("{PATH}/{}", made["_id"].as_str().unwrap());
        assert_eq!(made["webhook_headers"], headers["webhook_headers"]);
        assert_eq!(t.get(&path).ok().await, made);
        let read = evergrant::tenants::Scopes::parse("read").unwrap();
        let key = evergrant::tenants::create_key(&t.app, &t.environment, "reader", read)
            .await
            .unwrap();
        let mut masked = made.clone();
        masked["webhook_headers"] = json!({ "authorization": "[redacted]" });
        let seen = |path: &str| {
            let call = t.call(axum::http::Method::GET, path);
            call.header("x-api-key", key.value.expose()).ok()
        };
        assert_eq!(seen(&path).await, masked);
        assert_eq!(seen(PATH).await, json!([masked]));
    })
    .await;
}
