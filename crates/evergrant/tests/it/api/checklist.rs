//! What real clients check (contract, section 18), where that needs no browser: the application object, the documented
//! texts, CORS, and the forms that requests come in.

use std::time::Duration;

use axum::http::Method;
use evergrant::catalog::AuthType;
use evergrant::http::{Limits, router_with};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::connected::connect;
use crate::support::{TestApp, on_both};

const PUBLIC: &str = "/api/v2/public/application";
const SDK: &str = "/api/v2/f-sdk/application";

async fn by_key(t: &TestApp, slug: &str) -> Value {
    let path = format!("{PUBLIC}/{slug}");
    t.get(&path).header("linked_account_id", "a").ok().await
}

/// The object on all four routes, which must agree (section 4.3).
async fn seen(t: &TestApp, token: &str, slug: &str) -> Value {
    let one = by_key(t, slug).await;
    assert_eq!(
        t.by_session(Method::GET, &format!("{SDK}/{slug}"), token).ok().await,
        one
    );
    let lists = [
        t.get(PUBLIC).header("linked_account_id", "a").ok().await,
        t.get(&format!("{PUBLIC}?linked_account_id=a")).ok().await,
        t.by_session(Method::GET, SDK, token).ok().await,
    ];
    for list in lists {
        let list = list.as_array().unwrap();
        assert_eq!(list.iter().find(|app| app["slug"] == slug), Some(&one));
        assert!(
            list.iter()
                .all(|app| app["reauth_required"].is_boolean() && app["name"].is_string())
        );
        assert!(list.iter().all(|app| app["ecosystem"] == false));
    }
    one
}

async fn expire(t: &TestApp, id: &str) {
    t.post(&format!("/api/v2/public/connection/{id}/expire"), &json!({}))
        .ok()
        .await;
}

/// One entry of `connected_accounts`, its documented members only.
fn entry(account: &Value) -> Value {
    json!([
        account["identifier"],
        account["connectedAt"],
        account["auth_type"],
        account["status"]
    ])
}

#[tokio::test]
async fn an_application_nobody_connected_has_exactly_the_documented_members() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let slack = seen(&t, &token, "slack").await;
        let (app_id, icon) = (slack["app_id"].clone(), slack["icon"].clone());
        assert!(app_id.as_str().unwrap().len() == 24 && icon.as_str().unwrap().starts_with("http"));
        let expected = json!({
            "name": "Slack", "slug": "slack", "type": "slack", "app_id": app_id, "icon": icon,
            "description": slack["description"], "auth_type": "oauth2", "auth_type_options": { "oauth2": [] },
            "auth_input_map": [], "tags": slack["tags"],
            "version": { "_v": slack["version"]["_v"], "description": slack["description"] },
            "ecosystem": false, "reauth_required": false
        });
        assert_eq!(slack, expected);
        assert!(slack["description"].is_string() && slack["version"]["_v"].is_string());
        assert!(slack["tags"].as_array().unwrap().iter().all(Value::is_string));
    })
    .await;
}

#[tokio::test]
async fn copper_asks_for_exactly_what_the_seed_shows() {
    on_both(async |t| {
        t.link("a").await;
        let copper = by_key(&t, "copper").await;
        let fields = json!([
            { "name": "api_token", "label": "API Key", "type": "text", "required": true,
              "placeholder": "Please enter the API key" },
            { "name": "email", "label": "Email Address", "type": "text", "required": true,
              "placeholder": "Please enter the email of the token owner" }
        ]);
        assert_eq!(copper["auth_type"], "keybased");
        assert_eq!(copper["auth_input_map"], fields);
        assert_eq!(copper["auth_type_options"], json!({ "keybased": fields }));
    })
    .await;
}

#[tokio::test]
async fn the_status_of_an_application_follows_its_connections() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let tenant = &t.environment.tenant;
        let start = "2024-01-02T03:04:05.678Z";
        let status = async |expected: Value, connected: bool, reauth: bool| {
            let app = seen(&t, &token, "slack").await;
            let members = app.as_object().unwrap();
            assert_eq!(members.contains_key("connected"), connected, "{app}");
            assert_eq!(members.contains_key("connected_accounts"), connected, "{app}");
            assert!(!connected || app["connected"] == true);
            assert_eq!(app["reauth_required"], reauth, "{app}");
            let entries = app["connected_accounts"].as_array().cloned().unwrap_or_default();
            let mut entries: Vec<_> = entries.iter().map(entry).collect();
            entries.sort_by_key(|entry| entry[2].as_str() == Some("keybased"));
            assert_eq!(json!(entries), expected);
        };
        status(json!([]), false, false).await;

        let grant = connect(&t, tenant, "a", "slack", AuthType::OAuth2).await.id.to_string();
        status(json!([["NA", start, "oauth2", "active"]]), true, false).await;
        expire(&t, &grant).await;
        status(json!([["NA", start, "oauth2", "expired"]]), true, true).await;

        let keys = connect(&t, tenant, "a", "slack", AuthType::Keybased)
            .await
            .id
            .to_string();
        let keys_active = json!(["NA", start, "keybased", "active"]);
        status(json!([["NA", start, "oauth2", "expired"], keys_active]), true, true).await;
        expire(&t, &keys).await;
        let both = json!([["NA", start, "oauth2", "expired"], ["NA", start, "keybased", "expired"]]);
        status(both, true, true).await;

        // Reconnecting repairs in place, and moves connectedAt.
        t.clock.advance(Duration::from_secs(5));
        let later = "2024-01-02T03:04:10.678Z";
        let again = connect(&t, tenant, "a", "slack", AuthType::OAuth2).await.id.to_string();
        assert_eq!(again, grant);
        connect(&t, tenant, "a", "slack", AuthType::Keybased).await;
        let both = json!([["NA", later, "oauth2", "active"], ["NA", later, "keybased", "active"]]);
        status(both, true, false).await;
    })
    .await;
}

#[tokio::test]
async fn disconnecting_answers_the_account_and_leaves_the_never_connected_form() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let tenant = &t.environment.tenant;
        let never = by_key(&t, "slack").await;
        let by_session = "/api/v1/linked-acc/integration/slack";
        for path in [
            by_session.to_owned(),
            "/api/v2/public/linked-account/integration/slack?linked_account_id=a".to_owned(),
        ] {
            let remove = |query: &str| {
                let path = format!("{path}{query}");
                if path.starts_with(by_session) {
                    t.by_session(Method::DELETE, &path, &token)
                } else {
                    t.delete(&path)
                }
            };
            let mark = if path.contains('?') { '&' } else { '?' };
            // Nothing is connected: 200, and nothing changes.
            assert_eq!(remove("").ok().await["integrations"], json!([]));
            connect(&t, tenant, "a", "slack", AuthType::OAuth2).await;
            connect(&t, tenant, "a", "slack", AuthType::Keybased).await;
            let left = remove(&format!("{mark}auth_type=keybased")).ok().await;
            assert_eq!(left["account_id"], "a");
            assert_eq!(left["integrations"].as_array().unwrap().len(), 1, "{left}");
            connect(&t, tenant, "a", "slack", AuthType::Keybased).await;
            assert_eq!(remove("").ok().await["integrations"], json!([]));
            assert_eq!(by_key(&t, "slack").await, never);
            remove(&format!("{mark}auth_type=nonsense")).refused(400).await;
        }
    })
    .await;
}

#[tokio::test]
async fn integrate_answers_an_address_and_changes_nothing_that_clients_see() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let client = json!({ "client_id": "c", "client_secret": "s" });
        t.put("/api/v2/public/application/slack/oauth-client", &client)
            .ok()
            .await;
        let grant = connect(&t, &t.environment.tenant, "a", "slack", AuthType::OAuth2)
            .await
            .id
            .to_string();
        expire(&t, &grant).await;
        let before = seen(&t, &token, "slack").await;
        let by_key = "/api/v2/public/linked-account/integration/oauth-url/slack?sub=a+b&linked_account_id=a";
        let answers = [
            t.by_session(Method::GET, "/api/v1/slack/integrate?", &token).ok().await,
            t.by_session(Method::GET, "/api/v1/slack/integrate?sub=a+b", &token)
                .ok()
                .await,
            t.get(by_key).ok().await,
        ];
        for answer in &answers {
            let url = answer["auth_url"].as_str().unwrap();
            assert!(url.starts_with("http://127.0.0.1:8080/api/v1/slack/start/"), "{url}");
        }
        assert_ne!(answers[0], answers[1]);
        assert_eq!(seen(&t, &token, "slack").await, before);
        t.by_session(Method::GET, "/api/v1/copper/integrate", &token)
            .refused(400)
            .await;
        t.by_session(Method::POST, "/api/v2/app/slack/save", &token)
            .json(&json!({}))
            .refused(400)
            .await;
    })
    .await;
}

#[tokio::test]
async fn unknown_things_answer_the_documented_texts() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let org = t.environment.tenant.org.as_str();
        let answer = t
            .get(&format!("{PUBLIC}/nope"))
            .header("linked_account_id", "a")
            .send()
            .await;
        let body = answer.json();
        assert_eq!(answer.status, 404);
        assert_eq!(
            body["message"],
            format!("Application with app_type 'nope' not found for org {org}")
        );
        assert_eq!(
            (&body["http_error_type"], &body["error_code"]),
            (&json!("EXTERNAL_API_ERROR"), &json!("EXTERNAL_API_FAILURE"))
        );

        let unknown = t.get(PUBLIC).header("linked_account_id", "nobody").refused(404).await;
        assert_eq!(
            unknown,
            format!("Linked Account with account id nobody for org {org} in environment test not found")
        );
        let missing = t
            .call(Method::GET, "/api/v2/public/auth-structure/nope")
            .refused(404)
            .await;
        assert_eq!(missing, "Schema not found for integration type: nope");

        // Version 9 of the browser SDK, called like version 8 (section 6.4).
        for path in ["/api/v1/undefined/integrate", &format!("{SDK}/undefined")] {
            let message = t.by_session(Method::GET, path, &token).refused(404).await;
            assert!(message.contains("connect({ slug })"), "{message}");
        }
        // `application/event` is the event list of the documented API, so that no application is called so.
        t.get(&format!("{PUBLIC}/event"))
            .header("linked_account_id", "a")
            .refused(404)
            .await;
        t.call(Method::POST, "/session-token/refresh").refused(404).await;
        t.call(Method::PATCH, PUBLIC).refused(405).await;
    })
    .await;
}

#[tokio::test]
async fn the_auth_structure_is_open_to_all_and_types_every_field() {
    on_both(async |t| {
        let slack = t.call(Method::GET, "/api/v2/public/auth-structure/slack").ok().await;
        let fields = slack["oauth2"].as_object().unwrap();
        assert!(
            fields.contains_key("access_token") && fields.contains_key("refresh_token"),
            "{slack}"
        );
        for spec in fields.values() {
            assert!(
                spec.is_string() || (spec["type"].is_string() && spec["required"] == false),
                "{spec}"
            );
        }
        let copper = t.call(Method::GET, "/api/v2/public/auth-structure/copper").ok().await;
        assert_eq!(
            copper,
            json!({ "keybased": { "api_token": "string", "email": "string" } })
        );
    })
    .await;
}

#[tokio::test]
async fn migrate_token_takes_the_account_from_header_query_or_body_in_this_order() {
    on_both(async |t| {
        t.link("a").await;
        let path = "/api/v2/public/migrate-token";
        let body = json!({ "slug": "slack", "auth_object": { "refresh_token": 1 }, "linked_account_id": "body" });
        let missing = |id: &str| format!("linked account with id {id} does not exist in test environment");
        let both = format!("{path}?linked_account_id=query");
        assert_eq!(
            t.put(&both, &body)
                .header("linked_account_id", "header")
                .refused(400)
                .await,
            missing("header")
        );
        assert_eq!(t.put(&both, &body).refused(400).await, missing("query"));
        assert_eq!(t.put(path, &body).refused(400).await, missing("body"));
        let on_a = |auth: Value| {
            t.put(
                path,
                &json!({ "slug": "slack", "auth_object": auth, "linked_account_id": "a" }),
            )
        };
        let not_text = on_a(json!({ "refresh_token": 1 })).refused(400).await;
        assert_eq!(not_text, "auth_object values must be valid strings");
        on_a(json!({})).refused(400).await;
        on_a(json!({ "nope": "x", "access_token": "t" })).refused(400).await;
        for key in ["client_id", "client_secret", "callback_url"] {
            on_a(json!({ "oauth2": { "access_token": "t", key: "x" } }))
                .refused(400)
                .await;
        }
    })
    .await;
}

#[tokio::test]
async fn node_calls_carry_a_content_type_without_a_body_and_doubled_slashes_collapse() {
    on_both(async |t| {
        t.link("u@x.y").await;
        for path in [PUBLIC, "//api/v2/public/application", "///api/v2/public/application"] {
            let call = t
                .get(&format!("{path}?linked_account_id=u%40x.y"))
                .header("linked_account_id", "u@x.y");
            let list = call.header("content-type", "application/json").ok().await;
            assert!(list.is_array());
        }
        let empty = t
            .get("/api/v2/public/webhook")
            .header("content-type", "application/json")
            .ok()
            .await;
        assert_eq!(empty, json!([]));
        let get = t
            .get("/api/v2/public/linked-account/u@x.y")
            .header("content-type", "application/json");
        assert_eq!(get.ok().await["account_id"], "u@x.y");
        let gone = t
            .delete("/api/v2/public/linked-account/u@x.y")
            .header("content-type", "application/json");
        assert_eq!(gone.ok().await, json!({ "message": "User deleted successfully" }));
    })
    .await;
}

#[tokio::test]
async fn every_answer_may_be_read_across_origins_and_none_is_empty_or_a_redirect() {
    on_both(async |t| {
        let document = serde_json::to_value(evergrant::http::document()).unwrap();
        let wanted = [
            "authorization",
            "content-type",
            "slug",
            "sync_execution",
            "config_id",
            "x-api-key",
            "linked_account_id",
        ];
        let mut asked: Vec<(String, String)> = vec![
            ("/nowhere".to_owned(), "get".to_owned()),
            (PUBLIC.to_owned(), "patch".to_owned()),
        ];
        // What passes through is for back ends alone: api/proxy.
        let passes = |path: &str| path.starts_with("/api/v2/public/proxy/");
        for (path, item) in document["paths"].as_object().unwrap() {
            if passes(path) {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            asked.extend(
                item.as_object()
                    .unwrap()
                    .keys()
                    .map(|method| (path.clone(), method.clone())),
            );
        }
        for (path, method) in asked {
            let preflight = t.call(Method::OPTIONS, &path).header("origin", "https://app.example");
            let preflight = preflight
                .header("access-control-request-method", &method.to_uppercase())
                .header("access-control-request-headers", &wanted.join(","));
            let preflight = preflight.send().await;
            assert!(preflight.status.is_success(), "{path}");
            let allowed = preflight.headers["access-control-allow-headers"].to_str().unwrap();
            assert!(
                wanted.iter().all(|name| allowed.split(',').any(|one| one == *name)),
                "{allowed}"
            );
            assert_eq!(
                preflight.headers["access-control-allow-methods"],
                "GET,POST,PUT,PATCH,DELETE,OPTIONS"
            );
            assert_eq!(preflight.headers["access-control-max-age"], "600");
            assert_eq!(preflight.headers["access-control-allow-origin"], "*");

            let call = t.call(method.to_uppercase().parse().unwrap(), &path);
            let answer = call.header("origin", "https://app.example").send().await;
            assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
            assert!(!answer.status.is_redirection() && answer.status != 204, "{path}");
            assert!(answer.json().is_object(), "{path}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_are_turned_away_readably_and_only_theirs() {
    on_both(async |t| {
        t.link("a").await;
        let limits = Limits {
            every: Duration::from_secs(1),
            burst: 3,
        };
        let service = router_with(t.app.clone(), limits);
        let send = async |path: &str, name: &str, value: &str| {
            let request = axum::http::Request::get(path)
                .header(name, value)
                .header("origin", "https://app.example");
            let request = request.body(axum::body::Body::empty()).unwrap();
            service.clone().oneshot(request).await.unwrap()
        };
        let webhooks = "/api/v2/public/webhook";
        for _ in 0..3 {
            assert_eq!(send(webhooks, "x-api-key", &t.key).await.status(), 200);
        }
        let refused = send(webhooks, "x-api-key", &t.key).await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.headers()["access-control-allow-origin"], "*");
        assert!(refused.headers().contains_key("x-request-id"));
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["status_code"], &body["error"]),
            (&json!(429), &json!("RATE_LIMITED"))
        );
        assert_eq!(body["http_error_type"], "TOO_MANY_REQUESTS");

        let token = format!("Bearer {}", t.session("a").await);
        assert_eq!(
            send(SDK, "authorization", &token).await.status(),
            200,
            "another credential"
        );
        for _ in 0..10 {
            assert_eq!(
                send("/healthz", "x-api-key", &t.key).await.status(),
                200,
                "health is not counted"
            );
        }
        t.clock.advance(Duration::from_secs(1));
        assert_eq!(send(webhooks, "x-api-key", &t.key).await.status(), 200);
    })
    .await;
}
