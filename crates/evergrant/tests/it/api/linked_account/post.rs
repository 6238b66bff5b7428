//! Creating an account.

use serde_json::{Value, json};

use super::PATH;
use crate::support::on_both;

#[tokio::test]
async fn an_account_is_created_with_exactly_the_documented_members() {
    on_both(async |t| {
        let body = json!({ "linked_account_id": "acct-7", "name": "Acme", "udf": { "plan": "pro", "seats": 5, "paid": true } });
        let made = t.post(PATH, &body).ok().await;
        let names: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted = [
            "_id", "associated_org", "account_id", "environment", "name", "udf", "integrations", "createdAt", "updatedAt", "__v",
        ];
        assert_eq!(names, wanted);
        assert_eq!(made["account_id"], "acct-7");
        assert_eq!(made["associated_org"], t.environment.tenant.org.as_str());
        assert_eq!(made["environment"], "test");
        assert_eq!(made["name"], "Acme");
        assert_eq!(made["integrations"], Value::Null);
        assert_eq!(made["createdAt"], "2024-01-02T03:04:05.678Z");
        assert_eq!(made["__v"], 0);
        let udf = made["udf"].as_array().unwrap();
        let pairs: Vec<_> = udf.iter().map(|f| (f["key_name"].clone(), f["key_value"].clone())).collect();
        for pair in [("plan", json!("pro")), ("seats", json!(5)), ("paid", json!(true))] {
            assert!(pairs.contains(&(json!(pair.0), pair.1)), "{pairs:?}");
        }
        assert_eq!(udf[0]["_id"].as_str().unwrap().len(), 24);
        assert_eq!(udf[0]["createdAt"], made["createdAt"]);
    })
    .await;
}

#[tokio::test]
async fn either_name_of_the_id_and_the_payload_form_are_understood() {
    on_both(async |t| {
        let made = t.post(PATH, &json!({ "account_id": "b" })).ok().await;
        assert_eq!((&made["account_id"], &made["name"]), (&json!("b"), &json!("")));
        let nested = json!({ "linked_account_id": "flat", "payload": { "linked_account_id": "u@x.y", "name": "U" } });
        let made = t.post(PATH, &nested).ok().await;
        assert_eq!((&made["account_id"], &made["name"]), (&json!("u@x.y"), &json!("U")));
    })
    .await;
}

#[tokio::test]
async fn an_id_is_wanted_once() {
    on_both(async |t| {
        for none in [
            json!({}),
            json!({ "linked_account_id": "" }),
            json!({ "linked_account_id": null }),
        ] {
            assert_eq!(t.post(PATH, &none).refused(400).await, "linked_account_id required");
        }
        let answer = t.post(PATH, &json!({})).send().await;
        assert_eq!(answer.json()["error_code"], "INVALID_LINKED_ACCOUNT_ID");
        assert_eq!(
            t.call(axum::http::Method::POST, PATH)
                .header("x-api-key", &t.key)
                .refused(400)
                .await,
            "linked_account_id required"
        );
        t.link("acct-7").await;
        assert_eq!(
            t.post(PATH, &json!({ "linked_account_id": "acct-7" }))
                .refused(400)
                .await,
            "Linked account with id acct-7 already exists in the test environment"
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_id_is_free_in_another_tenant() {
    on_both(async |t| {
        t.link("acct-7").await;
        let theirs = t.stranger().await;
        let call = t.call(axum::http::Method::POST, PATH).header("x-api-key", &theirs);
        call.json(&json!({ "linked_account_id": "acct-7" })).ok().await;
    })
    .await;
}

#[tokio::test]
async fn your_app_needs_credentials_each_named_once() {
    on_both(async |t| {
        let app = |your_app: Value| t.post(PATH, &json!({ "linked_account_id": "a", "your_app": your_app }));
        assert_eq!(
            app(json!({ "app_id": "x" })).refused(400).await,
            "Valid App ID and Auth credentials required in your_app"
        );
        let twice = r#"{"linked_account_id":"a","your_app":{"auth_credentials":{"k":"1","k":"2"}}}"#;
        let call = t.call(axum::http::Method::POST, PATH).header("x-api-key", &t.key);
        assert_eq!(
            call.raw(twice).refused(400).await,
            "Duplicate Auth key_name not allowed"
        );
        for wrong in [
            json!([]),
            json!("x"),
            json!({ "auth_credentials": [] }),
            json!({ "auth_credentials": {"": "x"} }),
        ] {
            app(wrong).refused(400).await;
        }
        let made = app(json!({ "app_id": "x", "auth_credentials": { "token": "s3cret", "n": 5 } }))
            .send()
            .await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert!(!made.text.contains("s3cret"));
        let shown = t.get(&format!("{PATH}/a")).ok().await;
        assert_eq!(shown["integrations"][0]["is_default"], true);
        assert_eq!(shown["integrations"][0]["app_id"], "x");
    })
    .await;
}

#[tokio::test]
async fn hostile_bodies_are_refused_in_the_contracts_shape_and_change_nothing() {
    on_both(async |t| {
        let many: serde_json::Map<_, _> = (0..101).map(|n| (format!("k{n}"), json!(n))).collect();
        for bad in [
            "{",
            "[]",
            "null",
            "\"x\"",
            "7",
            "{\"linked_account_id\":",
            "\u{0}",
            r#"{"linked_account_id":7}"#,
            r#"{"linked_account_id":"a\u0000b"}"#,
            r#"{"linked_account_id":"a\nb"}"#,
            r#"{"linked_account_id":"a","name":"x\u0000"}"#,
            r#"{"linked_account_id":"a","name":[]}"#,
            r#"{"linked_account_id":"a","udf":[]}"#,
            r#"{"linked_account_id":"a","udf":{"":1}}"#,
            r#"{"linked_account_id":"a","udf":{"k":{}}}"#,
            r#"{"linked_account_id":"a","udf":{"k":"\u0000"}}"#,
            r#"{"linked_account_id":"a","payload":7}"#,
            &json!({ "linked_account_id": "x".repeat(256) }).to_string(),
            &json!({ "linked_account_id": "a", "name": "x".repeat(256) }).to_string(),
            &json!({ "linked_account_id": "a", "udf": { "k": "x".repeat(4097) } }).to_string(),
            &json!({ "linked_account_id": "a", "udf": many }).to_string(),
            &json!({ "linked_account_id": "a", "name": "x".repeat(300_000) }).to_string(),
        ] {
            let call = t.call(axum::http::Method::POST, PATH).header("x-api-key", &t.key);
            let message = call.raw(bad.to_owned()).refused(400).await;
            assert!(!message.is_empty());
        }
        assert_eq!(t.get(PATH).ok().await["totalDocs"], 0);
    })
    .await;
}
