//! Keys, session tokens and CORS (contract, sections 1 and 3).

use axum::http::Method;
use evergrant::tenants::{self, Scopes};
use serde_json::json;

use crate::support::on_both;

const CREDENTIAL: &str = "/api/v2/public/linked-account/default-app/auth-credentials/k";
const BASICS: &str = "/api/v3/org/basics";

#[tokio::test]
async fn the_scheme_word_is_read_in_any_case_and_anything_else_is_refused() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
            t.call(Method::GET, BASICS)
                .header("authorization", &format!("{scheme} {token}"))
                .ok()
                .await;
        }
        let sent = |value: &str| t.call(Method::GET, BASICS).header("authorization", value);
        for none in ["", " ", "Bearer", "Bearer ", "bearer  "] {
            assert_eq!(sent(none).refused(401).await, "Authorization Token Missing", "{none:?}");
        }
        assert_eq!(
            t.call(Method::GET, BASICS).refused(401).await,
            "Authorization Token Missing"
        );
        let long = format!("Bearer {}", "x".repeat(8000));
        for bad in ["Bearer no", "Bearer st_no", &token, "Basic eDp5", "é", &long] {
            assert_eq!(sent(bad).refused(401).await, "Invalid token", "{bad:?}");
        }
        let answer = t.call(Method::GET, BASICS).send().await.json();
        assert_eq!(
            (&answer["error"], &answer["http_error_type"]),
            (&json!("INVALID_TOKEN"), &json!("UNAUTHORIZED"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_names_its_account_by_header_or_else_by_query() {
    on_both(async |t| {
        for id in ["u@x.y", "b", "Zoë"] {
            let app = json!({ "linked_account_id": id, "your_app": { "auth_credentials": {} } });
            t.post("/api/v2/public/linked-account", &app).ok().await;
        }
        let put = |query: &str| t.put(&format!("{CREDENTIAL}{query}"), &json!({ "value": 1 }));
        assert_eq!(put("").refused(400).await, "linked_account_id required");
        put("?linked_account_id=u%40x.y").ok().await;
        put("?linked_account_id=u%40x.y")
            .header("linked_account_id", "u@x.y")
            .ok()
            .await;
        put("?linked_account_id=nobody")
            .header("linked_account_id", "b")
            .ok()
            .await;
        put("?linked_account_id=Zo%C3%AB").ok().await;
        put("").header("linked_account_id", "Zoë").ok().await;
        let wrong = put("?linked_account_id=b")
            .header("linked_account_id", "nobody")
            .refused(404)
            .await;
        assert!(
            wrong.starts_with("Linked Account with account id nobody for org "),
            "{wrong}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_valid_key_decides_and_a_bad_one_leaves_it_to_the_session() {
    on_both(async |t| {
        t.link("a").await;
        t.link("b").await;
        let token = t.session("a").await;
        let path = "/api/v2/public/linked-account/b";
        t.by_session(Method::GET, path, &token)
            .header("x-api-key", &t.key)
            .ok()
            .await;
        t.by_session(Method::GET, path, "nonsense")
            .header("x-api-key", &t.key)
            .ok()
            .await;
        t.by_session(Method::GET, path, &token)
            .header("x-api-key", "bad")
            .refused(404)
            .await;
        let both_bad = t
            .by_session(Method::GET, path, "bad")
            .header("x-api-key", "bad")
            .refused(401)
            .await;
        assert_eq!(both_bad, "Invalid token");
        assert_eq!(
            t.call(Method::GET, path).header("x-api-key", "bad").refused(401).await,
            "Invalid Credentials"
        );
        assert_eq!(
            t.call(Method::GET, path).refused(401).await,
            "Authorization Token Missing"
        );
        let all_three = t
            .by_session(Method::PUT, CREDENTIAL, &token)
            .header("x-api-key", &t.key);
        let message = all_three
            .header("linked_account_id", "b")
            .json(&json!({ "value": 1 }))
            .refused(404)
            .await;
        assert_eq!(message, "Default app integration not found for linked account b");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_may_only_read_changes_nothing() {
    on_both(async |t| {
        t.link("a").await;
        let read = Scopes::parse("read").unwrap();
        let reader = tenants::create_key(&t.app, &t.environment, "reader", read)
            .await
            .unwrap();
        let path = "/api/v2/public/linked-account/a";
        t.call(Method::GET, path)
            .header("x-api-key", reader.value.expose())
            .ok()
            .await;
        t.call(Method::DELETE, path)
            .header("x-api-key", reader.value.expose())
            .refused(403)
            .await;
        let put = t
            .call(Method::PUT, CREDENTIAL)
            .header("x-api-key", reader.value.expose());
        put.header("linked_account_id", "a")
            .json(&json!({ "value": 1 }))
            .refused(403)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_key_that_may_only_read_begins_no_consent() {
    on_both(async |t| {
        t.link("a").await;
        let read = Scopes::parse("read").unwrap();
        let key = tenants::create_key(&t.app, &t.environment, "reader", read)
            .await
            .unwrap();
        let path = "/api/v2/public/linked-account/integration/oauth-url/slack";
        let call = t.call(Method::GET, path).header("linked_account_id", "a");
        call.header("x-api-key", key.value.expose()).refused(403).await;

        // Nor need a key that begins one be able to read.
        let write = Scopes::parse("write").unwrap();
        let key = tenants::create_key(&t.app, &t.environment, "writer", write)
            .await
            .unwrap();
        let call = t.call(Method::GET, path).header("linked_account_id", "a");
        let message = call.header("x-api-key", key.value.expose()).refused(400).await;
        assert!(message.contains("no OAuth client is set"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_preflight_needs_no_credentials_and_errors_can_be_read_across_origins() {
    on_both(async |t| {
        for path in [
            BASICS,
            CREDENTIAL,
            "/api/v2/public/session-token",
            "/api/v2/f-sdk/config",
        ] {
            let preflight = t.call(Method::OPTIONS, path).header("origin", "https://app.example");
            let preflight = preflight.header("access-control-request-method", "POST").header(
                "access-control-request-headers",
                "authorization,linked_account_id,x-api-key",
            );
            let answer = preflight.send().await;
            assert!(answer.status.is_success(), "{path}: {}", answer.status);
            assert_eq!(answer.headers["access-control-allow-origin"], "*");
            let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap();
            assert!(allowed.contains("authorization") && allowed.contains("linked_account_id"));
        }
        let refused = t
            .call(Method::GET, BASICS)
            .header("origin", "https://app.example")
            .send()
            .await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.headers["access-control-allow-origin"], "*");
    })
    .await;
}
