//! The hosted page's address and properties (contract, section 10).

use std::time::Duration;

use axum::http::Method;
use evergrant::tenants;
use serde_json::json;

use crate::support::on_both;

const PATH: &str = "/api/v2/public/connect-url";
const PROPERTIES: &str = "/api/v2/public/hosted-properties";

#[tokio::test]
async fn the_address_carries_the_session_token_and_the_properties_are_kept_word_for_word_for_three_days() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        assert_eq!(t.by_session(Method::GET, PROPERTIES, &token).ok().await, json!({}));
        let text = "{ \"color\" : \"#fff\",\n \"n\": 1.0, \"n\": 12345678901234567890123, \"name\":\"Zo\\u00eb\" }";
        let made = t.by_session(Method::POST, PATH, &token).raw(text).ok().await;
        assert_eq!(
            made,
            json!({ "hosted_url": format!("http://127.0.0.1:8080/connect/{token}") })
        );
        let kept = t.by_session(Method::GET, PROPERTIES, &token).send().await;
        assert_eq!(
            (kept.text.as_str(), &kept.headers["content-type"]),
            (text, &"application/json".parse().unwrap())
        );
        t.clock.advance(Duration::from_hours(72));
        assert_eq!(t.by_session(Method::GET, PROPERTIES, &token).ok().await, json!({}));
    })
    .await;
}

#[tokio::test]
async fn a_key_with_an_account_will_do_and_a_configuration_is_carried_along() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let made = t
            .post(&format!("{PATH}?config_id=a%26b&linked_account_id=a"), &json!({}))
            .ok()
            .await;
        assert_eq!(
            made["hosted_url"],
            format!("http://127.0.0.1:8080/connect/{token}?config_id=a%26b")
        );
        assert_eq!(
            t.post(PATH, &json!({})).refused(400).await,
            "linked_account_id required"
        );
        t.post(PATH, &json!({}))
            .header("linked_account_id", "nobody")
            .refused(404)
            .await;
        assert_eq!(
            t.call(Method::POST, PATH).refused(401).await,
            "Authorization Token Missing"
        );
        t.get(PROPERTIES).refused(401).await;
    })
    .await;
}

#[tokio::test]
async fn a_return_address_must_be_registered() {
    on_both(async |t| {
        t.link("a").await;
        let post = |url: &str| {
            t.post(PATH, &json!({ "redirect_url": url }))
                .header("linked_account_id", "a")
        };
        let message = post("https://app.example/back").refused(400).await;
        assert_eq!(
            message,
            "the origin of redirect_url is not one of the return origins registered for this environment"
        );
        let mut tx = t.app.db.begin().await.unwrap();
        let origins = ["https://app.example".to_owned()];
        tenants::store::set_origins(&mut tx, &t.environment.tenant.id, &origins, &[])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        post("https://app.example/back?x=1").ok().await;
        for bad in [
            "https://evil.example",
            "javascript:alert(1)",
            "//app.example",
            "https://app.example@evil.example",
        ] {
            post(bad).refused(400).await;
        }
    })
    .await;
}

#[tokio::test]
async fn harmful_properties_are_refused_and_change_nothing() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let long = json!({ "x": "x".repeat(16 * 1024) }).to_string();
        for bad in [
            "{",
            "[]",
            "\"x\"",
            r#"{"color":"red;}"}"#,
            r#"{"bgColor":7}"#,
            r#"{"name":7}"#,
            &long,
        ] {
            t.by_session(Method::POST, PATH, &token)
                .raw(bad.to_owned())
                .refused(400)
                .await;
        }
        t.by_session(Method::POST, PATH, &token)
            .raw(b"{\"x\":\"\xff\"}".to_vec())
            .refused(400)
            .await;
        assert_eq!(t.by_session(Method::GET, PROPERTIES, &token).ok().await, json!({}));
    })
    .await;
}
