//! What strangers, mistakes and attackers send: a clear answer, and nothing changed.

use axum::http::Method;
use serde_json::{Value, json};

use super::create::{PATH, made};
use crate::support::on_both;

fn routes(id: &str) -> Vec<(Method, String)> {
    vec![
        (Method::GET, PATH.to_owned()),
        (Method::POST, PATH.to_owned()),
        (Method::DELETE, PATH.to_owned()),
        (Method::GET, format!("{PATH}/{id}")),
        (Method::PUT, format!("{PATH}/{id}")),
        (Method::DELETE, format!("{PATH}/{id}")),
        (Method::PUT, "/api/v2/public/webhooks/group/edit".to_owned()),
        (Method::POST, format!("{PATH}/subscribe")),
        (Method::POST, format!("{PATH}/unsubscribe")),
    ]
}

#[tokio::test]
async fn every_route_wants_a_key_that_may() {
    on_both(async |t| {
        let made = made(&t, json!({})).await;
        let none = evergrant::tenants::Scopes::parse("sign").unwrap();
        let signer = evergrant::tenants::create_key(&t.app, &t.environment, "signer", none)
            .await
            .unwrap();
        for (method, path) in routes(made["_id"].as_str().unwrap()) {
            t.call(method.clone(), &path).refused(401).await;
            t.call(method.clone(), &path)
                .header("x-api-key", "tk_wrong")
                .refused(401)
                .await;
            t.call(method.clone(), &path)
                .header("authorization", "Bearer x")
                .refused(401)
                .await;
            t.call(method, &path)
                .header("x-api-key", signer.value.expose())
                .refused(403)
                .await;
        }
        assert_eq!(t.get(PATH).ok().await, json!([made]));
    })
    .await;
}

#[tokio::test]
async fn another_tenants_webhook_looks_like_one_that_does_not_exist() {
    on_both(async |t| {
        let mine = made(&t, json!({})).await;
        let theirs = t.stranger().await;
        let id = mine["_id"].as_str().unwrap();
        for (method, path, body) in [
            (Method::GET, format!("{PATH}/{id}"), Value::Null),
            (Method::PUT, format!("{PATH}/{id}"), json!({ "is_enabled": false })),
            (Method::DELETE, format!("{PATH}/{id}"), Value::Null),
            (
                Method::PUT,
                "/api/v2/public/webhooks/group/edit".to_owned(),
                json!({ "webhookIds": [id], "group": "x" }),
            ),
            (Method::DELETE, PATH.to_owned(), Value::Null),
            (
                Method::POST,
                format!("{PATH}/subscribe"),
                json!({ "events": ["Connection Created"] }),
            ),
        ] {
            let call = t.call(method, &path).header("x-api-key", &theirs);
            let call = if body.is_null() { call } else { call.json(&body) };
            assert_eq!(call.refused(400).await, "Webhook not found", "{path}");
        }
        let listed = t.call(Method::GET, PATH).header("x-api-key", &theirs).ok().await;
        assert_eq!(listed, json!([]));
        assert_eq!(t.get(PATH).ok().await, json!([mine]));
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_none_is_an_unknown_one() {
    on_both(async |t| {
        for id in [
            "65aa00000000000000000000",
            "65AA00000000000000000000",
            "x",
            "%00",
            "%FF",
            "..%2f..",
            "'%20OR%201=1--",
            &"a".repeat(3000),
        ] {
            let path = format!("{PATH}/{id}");
            let answer = t.get(&path).send().await;
            assert_eq!(answer.status, 400, "{id}: {}", answer.text);
            assert_eq!(answer.json()["error_code"], "RESOURCE_NOT_FOUND");
            assert_eq!(t.put(&path, &json!({})).refused(400).await, "Webhook not found");
            assert_eq!(t.delete(&path).refused(400).await, "Webhook not found");
        }
    })
    .await;
}

#[tokio::test]
async fn malformed_bodies_and_wrong_types_change_nothing() {
    on_both(async |t| {
        let before = made(&t, json!({})).await;
        let path = format!("{PATH}/{}", before["_id"].as_str().unwrap());
        for text in [
            "{",
            "[]",
            "1",
            "\"x\"",
            "null",
            "{\"webhook_url\":}",
            "\u{0}",
            "{'a':1}",
            "{}{}",
            &"[".repeat(100_000),
        ] {
            t.put(&path, &json!({})).raw(text.to_owned()).refused(400).await;
            t.post(PATH, &json!({})).raw(text.to_owned()).refused(400).await;
        }
        t.put(&path, &json!({})).raw(vec![0xff, 0xfe]).refused(400).await;
        t.put(&path, &json!({ "description": "x".repeat(300 * 1024) }))
            .refused(400)
            .await;
        for wrong in wrong_fields() {
            let message = t.put(&path, &wrong).refused(400).await;
            assert!(!message.contains("canary"), "a value is quoted: {message}");
            let mut create = json!({ "url": "https://hooks.example", "events": ["Connection Created"] });
            create
                .as_object_mut()
                .unwrap()
                .extend(wrong.as_object().unwrap().clone());
            t.post(PATH, &create).refused(400).await;
        }
        assert_eq!(t.get(PATH).ok().await, json!([before]));
    })
    .await;
}

fn wrong_fields() -> Vec<Value> {
    vec![
        json!({ "webhook_url": 1 }),
        json!({ "webhook_url": ["https://hooks.example"] }),
        json!({ "webhook_url": "ftp://canary.example" }),
        json!({ "webhook_url": "https://canary:canary@hooks.example" }),
        json!({ "webhook_url": format!("https://hooks.example/{}", "x".repeat(2048)) }),
        json!({ "webhook_events": "Connection Created" }),
        json!({ "webhook_events": [1] }),
        json!({ "webhook_events": ["canary"] }),
        json!({ "is_enabled": "true" }),
        json!({ "is_enabled": 1 }),
        json!({ "webhook_type": "canary" }),
        json!({ "webhook_type": "custom", "webhook_body": "x".repeat(17 * 1024) }),
        json!({ "webhook_headers": ["x"] }),
        json!({ "webhook_headers": { "x-a": 1 } }),
        json!({ "webhook_headers": { "x-a": "line\r\ncanary: 1" } }),
        json!({ "webhook_headers": { "Host": "canary" } }),
        json!({ "method": "GET" }),
        json!({ "method": "post" }),
        json!({ "slug": "slack", "webhook_events": ["Connection Created"] }),
        json!({ "slug": "nul\u{0}" }),
        json!({ "workflow_ids": "w" }),
        json!({ "workflow_ids": vec!["w"; 101] }),
        json!({ "description": "nul\u{0}" }),
        json!({ "description": "x".repeat(1001) }),
        json!({ "group": {} }),
        json!({ "group": "x".repeat(201) }),
    ]
}

#[tokio::test]
async fn a_new_webhook_needs_a_url_and_an_event() {
    on_both(async |t| {
        assert_eq!(t.post(PATH, &json!({})).refused(400).await, "webhook_url is required");
        t.post(PATH, &json!({ "url": "https://hooks.example" }))
            .refused(400)
            .await;
        t.post(PATH, &json!({ "url": "https://hooks.example", "events": [] }))
            .refused(400)
            .await;
        let bad = json!({ "url": "https://hooks.example", "events": ["Connection Exploded"] });
        let answer = t.post(PATH, &bad).send().await.json();
        assert_eq!(answer["error_code"], "INVALID_EVENT");
        assert_eq!(answer["message"], "Invalid event. Check events list in documentation.");
        assert_eq!(t.get(PATH).ok().await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn an_environment_has_at_most_a_hundred_webhooks() {
    on_both(async |t| {
        for _ in 0..evergrant::webhooks::MAX_WEBHOOKS {
            made(&t, json!({})).await;
        }
        let body = json!({ "url": "https://hooks.example", "events": ["Connection Created"] });
        assert!(t.post(PATH, &body).refused(400).await.contains("at most 100"));
    })
    .await;
}
