//! Keys that are typed in: verified before they are stored, and never shown again.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::connections::{Credential, open_credential};
use evergrant::sandbox::{Cause, Weather};
use evergrant::tenants::{Environment, Scopes, create_key, store};
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, OWN, SMS, Story, story};

/// What is stored, in the clear.
async fn stored(s: &Story, id: &str, field: &str) -> Option<String> {
    let connection = s.find(id).await;
    let opened = open_credential(&s.t.app, s.tenant(), &connection).await.unwrap();
    let Credential::Keys(values) = opened else {
        panic!("no key")
    };
    values.get(field).map(|value| value.expose().to_owned())
}

/// A refused save, whose message is returned.
async fn refused(s: &Story, body: &Value, status: u16) -> String {
    let answer = s.save(body).await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_that_works_connects_and_is_never_shown_again() {
    story(async |s| {
        let key = s.provider.key();
        let answer = s.save(&json!({ "api_key": key, "number": 15_550_100 })).await;
        assert_eq!(answer.json(), json!({ "success": true }));
        let id = s.id_of(SMS).await;
        assert_eq!(stored(&s, &id, "api_key").await.as_deref(), Some(key.as_str()));
        assert_eq!(stored(&s, &id, "number").await.as_deref(), Some("15550100"));
        let application = s.application(SMS).await;
        assert_eq!(
            application["connected_accounts"][0]["identifier"],
            json!({ "id": "acc_alice", "name": "Acme Inc." })
        );
        let account = s.t.get(&format!("/api/v2/public/linked-account/{CUSTOMER}")).ok().await;
        for shown in [application, s.connection(&id).await, account] {
            assert!(!shown.to_string().contains(&key), "{shown}");
        }
        assert_eq!(s.events().await, ["Connection Created sandbox-key"]);
    })
    .await;
}

#[tokio::test]
async fn the_server_side_route_does_the_same() {
    story(async |s| {
        let path = format!("/api/v2/public/linked-account/integration/save-key-credentials/{SMS}");
        let body = json!({ "api_key": s.provider.key() });
        let put = |body: &Value| s.t.put(&path, body).header("linked_account_id", CUSTOMER);
        assert_eq!(put(&body).ok().await, json!({ "success": true }));
        s.assert_healthy(SMS).await;
        put(&json!({ "api_key": "wrong" })).refused(400).await;
        s.t.put(&path, &body)
            .header("linked_account_id", "nobody")
            .refused(404)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_the_providers_reason_and_nothing_changes() {
    story(async |s| {
        let message = refused(&s, &json!({ "api_key": "sk_wrong_canary" }), 400).await;
        assert!(message.contains("Sandbox SMS answered 401"), "{message}");
        assert!(message.contains("invalid_api_key"), "{message}");
        assert!(!message.contains("canary"), "{message}");
        s.assert_never_connected(SMS).await;
        assert!(s.events().await.is_empty());

        let id = s.connect_key().await;
        let (before, key) = (s.connection(&id).await, stored(&s, &id, "api_key").await);
        s.pass(Duration::from_hours(1));
        refused(&s, &json!({ "api_key": "sk_wrong_canary" }), 400).await;
        assert_eq!(s.connection(&id).await, before);
        assert_eq!(stored(&s, &id, "api_key").await, key);

        s.provider.strike(Cause::AppUninstalled);
        let dead = json!({ "api_key": key });
        let message = refused(&s, &dead, 400).await;
        assert!(message.contains("app_uninstalled"), "{message}");
        assert_eq!(s.connection(&id).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_502_and_nothing_changes() {
    story(async |s| {
        let fair = Weather::default();
        let body = json!({ "api_key": s.provider.key() });
        for weather in [
            Weather { down: true, ..fair },
            Weather { throttle: true, ..fair },
            Weather { garbage: true, ..fair },
            Weather {
                lose_replies: 1,
                ..fair
            },
        ] {
            s.provider.weather(weather);
            refused(&s, &body, 502).await;
            s.provider.fair();
            s.assert_never_connected(SMS).await;
        }
        assert_eq!(s.save(&body).await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    story(async |s| {
        let key = s.provider.key();
        let long = "x".repeat(5000);
        for (body, word) in [
            (json!({ "api_key": key, "colour": "red" }), "`colour` is no field"),
            (json!({}), "`api_key` (API key) is required"),
            (json!({ "api_key": "" }), "required"),
            (json!({ "api_key": "  " }), "required"),
            (json!({ "api_key": null }), "required"),
            (json!({ "api_key": { "value": key } }), "texts, numbers or booleans"),
            (json!({ "api_key": [key] }), "texts, numbers or booleans"),
            (json!({ "api_key": long }), "longer than"),
            (json!({ "api_key": "a\u{0}b" }), "control characters"),
            (json!({ "api_key": "a\r\nx-evil: 1" }), "control characters"),
        ] {
            let message = refused(&s, &body, 400).await;
            assert!(message.contains(word), "{body}: {message}");
            assert!(!message.contains(&key), "{message}");
        }
        assert_eq!(s.provider.requests(), 0);
        s.assert_never_connected(SMS).await;
        assert!(s.events().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_refused_and_not_the_providers_fault() {
    story(async |s| {
        let answer = s.save(&json!({ "api_key": "schlüssel\nzwei" })).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        s.assert_never_connected(SMS).await;
    })
    .await;
}

#[tokio::test]
async fn what_takes_no_key_says_so() {
    story(async |s| {
        let token = s.t.session(CUSTOMER).await;
        let body = json!({ "api_key": "k" });
        let save = |slug: &str| {
            let path = format!("/api/v2/app/{slug}/save");
            s.t.by_session(Method::POST, &path, &token).json(&body)
        };
        let message = save(CRM).refused(400).await;
        assert!(message.contains("takes no key"), "{message}");
        save("nothing-at-all").refused(404).await;
        let broken = s.t.by_session(Method::POST, &format!("/api/v2/app/{SMS}/save"), &token);
        broken.raw("{").refused(400).await;
        s.t.call(Method::POST, &format!("/api/v2/app/{SMS}/save"))
            .json(&body)
            .refused(401)
            .await;
    })
    .await;
}

#[tokio::test]
async fn where_nothing_proves_a_key_it_is_taken_as_it_is() {
    story(async |s| {
        let token = s.t.session(CUSTOMER).await;
        let path = format!("/api/v2/app/{OWN}/save");
        let body = json!({ "key": "anything" });
        let answer = s.t.by_session(Method::POST, &path, &token).json(&body).ok().await;
        assert_eq!(
            answer,
            json!({ "success": true, "unverified": true }),
            "and the answer says so"
        );
        let path = format!("/api/v2/public/linked-account/integration/save-key-credentials/{OWN}");
        let put = s.t.put(&path, &body).header("linked_account_id", CUSTOMER);
        assert_eq!(put.ok().await["unverified"], true);
        let id = s.id_of(OWN).await;
        assert_eq!(s.act(&id, "check").await["outcome"], "unverified");
        s.live(3, Duration::from_hours(24)).await;
        s.assert_healthy(OWN).await;
        let application = s.application(OWN).await;
        assert_eq!(application["type"], "custom");
        assert_eq!(application["connected_accounts"][0]["identifier"], "NA");
    })
    .await;
}

#[tokio::test]
async fn a_production_environment_is_not_offered_the_sandbox() {
    story(async |s| {
        let app = &s.t.app;
        let found =
            store::find_environment(&mut app.db.read().await.unwrap(), "default", Environment::Production).await;
        let key = create_key(app, &found.unwrap().unwrap(), "live", Scopes::ALL)
            .await
            .unwrap()
            .value;
        let call = |method: Method, path: String| {
            let call = s.t.call(method, &path).header("x-api-key", key.expose());
            call.header("linked_account_id", CUSTOMER)
        };
        let account = json!({ "linked_account_id": CUSTOMER });
        call(Method::POST, "/api/v2/public/linked-account".to_owned())
            .json(&account)
            .ok()
            .await;
        let listed = call(Method::GET, "/api/v2/public/application".to_owned()).ok().await;
        let slugs: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["slug"].as_str().unwrap())
            .collect();
        assert!(
            slugs.contains(&"slack") && !slugs.contains(&CRM) && !slugs.contains(&SMS),
            "{slugs:?}"
        );
        let base = "/api/v2/public/linked-account/integration";
        call(Method::GET, format!("{base}/oauth-url/{CRM}")).refused(404).await;
        let given = json!({ "api_key": s.provider.key() });
        call(Method::PUT, format!("{base}/save-key-credentials/{SMS}"))
            .json(&given)
            .refused(404)
            .await;
        let given = json!({ "slug": SMS, "auth_object": given });
        call(Method::PUT, "/api/v2/public/migrate-token".to_owned())
            .json(&given)
            .refused(404)
            .await;
        assert!(
            s.application(SMS).await["connected"].is_null(),
            "the test environment is offered it"
        );
    })
    .await;
}
