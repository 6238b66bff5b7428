//! The official React component over cobalt-js 8 (contract, section 14).

use axum::http::{Method, StatusCode};
use evergrant::sandbox::Cause;
use serde_json::{Value, json};

use super::{Is, Page, Stored, check, check_application};
use crate::support::{CRM, CUSTOMER, Consent, SMS, Story, story};

const CONFIG: &str = "/api/v2/f-sdk/config";

/// What the component renders from `getApp`: it shows nothing without a name, and walks over the fields.
async fn rendered(page: &Page<'_>, stored: Stored) -> Value {
    let app = page
        .ok(Method::GET, &format!("/api/v2/f-sdk/application/{CRM}"), None)
        .await;
    check_application(&app, (CRM, "oauth2"), stored);
    for field in app["auth_input_map"].as_array().unwrap() {
        for option in field["options"].as_array().into_iter().flatten() {
            check(option, &[("name", Is::Text), ("value", Is::Text)]);
        }
    }
    app
}

/// The configuration, which it demands wherever `connected` is true. Without a 200 its Reconnect button is gone.
async fn configured(page: &Page<'_>, method: Method, body: &Value) {
    let config = page.ok(method, CONFIG, Some(body)).await;
    let members = [
        ("slug", Is::Just(CRM)),
        ("config_id", Is::Text),
        ("fields", Is::List),
        ("workflows", Is::List),
        ("field_errors", Is::List),
    ];
    check(&config, &members);
    let wanted = body["config_id"].as_str().unwrap_or(CUSTOMER);
    assert_eq!(config["config_id"], wanted);
    assert!(
        config["workflows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["fields"].is_array())
    );
}

async fn consent(s: &Story, page: &Page<'_>) {
    // `connect(slug, inputData)`, and the form is empty.
    rendered_any(page).await;
    let start = page.integrate(&format!("/api/v1/{CRM}/integrate?")).await;
    let opened = s.open(&start, None).await;
    let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
    assert_eq!(s.visit(&callback, Some(&opened.cookie)).await.status, StatusCode::OK);
}

async fn rendered_any(page: &Page<'_>) {
    let app = page
        .ok(Method::GET, &format!("/api/v2/f-sdk/application/{CRM}"), None)
        .await;
    assert_eq!(app["auth_type"], "oauth2");
}

#[tokio::test]
async fn the_component_connects_configures_reconnects_and_disconnects() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        // With version 8 undefined members stay away; later ones send labels, as a list or as an object.
        let bodies = [
            json!({ "slug": CRM }),
            json!({ "slug": CRM, "labels": [] }),
            json!({ "slug": CRM, "config_id": "team-1", "labels": { "region": "eu" } }),
        ];
        rendered(&page, Stored::Nothing).await;
        consent(&s, &page).await;
        rendered(&page, Stored::Healthy).await;
        for body in &bodies {
            configured(&page, Method::POST, body).await;
        }
        let saved = json!({ "slug": CRM, "config_id": "team-1", "fields": {},
            "workflows": [{ "id": "w1", "enabled": true, "fields": [] }] });
        configured(&page, Method::PUT, &saved).await;

        s.provider.strike(Cause::TokenRevoked);
        let id = s.id_of(CRM).await;
        s.act(&id, "check").await;
        rendered(&page, Stored::Dead).await;
        for body in &bodies {
            configured(&page, Method::POST, body).await;
        }
        consent(&s, &page).await;
        rendered(&page, Stored::Healthy).await;
        assert_eq!(s.id_of(CRM).await, id, "it believes what it has, and never asks again");

        page.ok(Method::DELETE, &format!("/api/v1/linked-acc/integration/{CRM}"), None)
            .await;
        rendered(&page, Stored::Nothing).await;
    })
    .await;
}

#[tokio::test]
async fn a_form_of_keys_is_sent_by_the_names_of_its_fields() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        let path = format!("/api/v2/f-sdk/application/{SMS}");
        let app = page.ok(Method::GET, &path, None).await;
        check_application(&app, (SMS, "keybased"), Stored::Nothing);
        let names = app["auth_input_map"].as_array().unwrap().iter();
        let typed: serde_json::Map<_, _> = names
            .map(|field| (field["name"].as_str().unwrap().to_owned(), json!(s.provider.key())))
            .collect();
        let save = format!("/api/v2/app/{SMS}/save");
        let saved = page.ok(Method::POST, &save, Some(&Value::Object(typed))).await;
        assert_eq!(saved["success"], true);
        check_application(
            &page.ok(Method::GET, &path, None).await,
            (SMS, "keybased"),
            Stored::Healthy,
        );
    })
    .await;
}

#[tokio::test]
async fn the_list_can_be_sorted_by_name_and_hides_nothing_of_ours() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        let list = page.ok(Method::GET, "/api/v2/f-sdk/application", None).await;
        let list = list.as_array().unwrap();
        assert!(list.iter().any(|app| app["slug"] == CRM));
        for app in list {
            check(app, &[("name", Is::Text), ("icon", Is::Url), ("description", Is::Text)]);
            assert_eq!(app["ecosystem"], false);
        }
        // Any rejection shows its error view; the texts are its own.
        assert_eq!(
            page.refused(Method::GET, "/api/v2/f-sdk/application/nope", None)
                .await
                .0,
            404
        );
        let nothing = json!({ "slug": "nope", "labels": [] });
        assert_eq!(page.refused(Method::POST, CONFIG, Some(&nothing)).await.0, 404);
    })
    .await;
}
