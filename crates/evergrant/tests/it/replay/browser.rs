//! The browser SDK before and after 8.0.0.

use axum::http::{Method, StatusCode};
use evergrant::sandbox::Cause;
use serde_json::{Value, json};

use super::{Is, Page, Stored, check, check_account, check_application};
use crate::support::{CRM, CUSTOMER, Consent, SMS, Story, story};

const OAUTH: (&str, &str) = (CRM, "oauth2");
const KEYS: (&str, &str) = (SMS, "keybased");

/// `getApp(slug)`, which is also every poll.
async fn poll(page: &Page<'_>, what: (&'static str, &'static str), stored: Stored) -> Value {
    let app = page
        .ok(Method::GET, &format!("/api/v2/f-sdk/application/{}", what.0), None)
        .await;
    check_application(&app, what, stored);
    app
}

/// The popup: opened, consented to, and kept open for longer than the polls are apart.
async fn consent(s: &Story, start: &str) {
    let opened = s.open(start, None).await;
    let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
    let done = s.visit(&callback, Some(&opened.cookie)).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(
        !done.headers.contains_key("cross-origin-opener-policy"),
        "popup.closed would read true"
    );
    let stays = done
        .text
        .split("data-after=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    assert!(
        stays.unwrap().parse::<u32>().unwrap() > 3_000,
        "the next poll must see the success first"
    );
}

/// From connected to flagged.
async fn expire(s: &Story) {
    s.provider.strike(Cause::TokenRevoked);
    let id = s.id_of(CRM).await;
    s.act(&id, "check").await;
}

#[tokio::test]
async fn versions_6_to_8_connect_and_reconnect_by_their_sequences() {
    story(async |s| {
        for slash in ["", "/"] {
            let page = Page::open(&s, slash).await;
            // 7.0.1 and later ask for the application first, and take another way unless it says "oauth2".
            poll(&page, OAUTH, Stored::Nothing).await;
            let start = page.integrate(&format!("/api/v1/{CRM}/integrate?")).await;
            poll(&page, OAUTH, Stored::Nothing).await;
            consent(&s, &start).await;
            poll(&page, OAUTH, Stored::Healthy).await;

            expire(&s).await;
            poll(&page, OAUTH, Stored::Dead).await;
            // A payload for an OAuth application becomes the query, in form encoding.
            let start = page
                .integrate(&format!("/api/v1/{CRM}/integrate?sub=a+b&x=%C3%A9"))
                .await;
            // Not before the callback: the popup would be closed while the customer reads.
            poll(&page, OAUTH, Stored::Dead).await;
            consent(&s, &start).await;
            poll(&page, OAUTH, Stored::Healthy).await;

            // On a healthy connection the first poll ends it; a second consent may begin all the same.
            page.integrate(&format!("/api/v1/{CRM}/integrate?")).await;
            poll(&page, OAUTH, Stored::Healthy).await;
            let gone = page
                .ok(Method::DELETE, &format!("/api/v1/linked-acc/integration/{CRM}"), None)
                .await;
            check_account(&gone, CUSTOMER, Is::List);
            poll(&page, OAUTH, Stored::Nothing).await;
        }
    })
    .await;
}

#[tokio::test]
async fn version_9_connects_by_one_object_without_looking_first() {
    story(async |s| {
        let page = Page::open(&s, "/").await;
        // connect({ slug })
        let start = page.integrate(&format!("/api/v1/{CRM}/integrate")).await;
        consent(&s, &start).await;
        poll(&page, OAUTH, Stored::Healthy).await;
        // connect({ slug, type: "oauth2", payload })
        expire(&s).await;
        let start = page.integrate(&format!("/api/v1/{CRM}/integrate?shop=acme&n=7")).await;
        poll(&page, OAUTH, Stored::Dead).await;
        consent(&s, &start).await;
        poll(&page, OAUTH, Stored::Healthy).await;

        // connect({ slug, payload }): number and boolean come as they were typed. What the server answers is returned.
        let key = json!({ "api_key": s.provider.key() });
        let save = format!("/api/v2/app/{SMS}/save");
        assert_eq!(
            page.ok(Method::POST, &save, Some(&key)).await,
            json!({ "success": true })
        );
        poll(&page, KEYS, Stored::Healthy).await;
        let bad = [json!({ "api_key": 1_234_567_890 }), json!({ "api_key": true })];
        for bad in bad {
            let (status, message) = page.refused(Method::POST, &save, Some(&bad)).await;
            assert_eq!(status, 400);
            assert!(message.starts_with("Failed to verify credentials: "), "{message}");
            poll(&page, KEYS, Stored::Healthy).await;
        }

        // disconnect(slug, type) parses the body, and returns it.
        let path = |slug: &str, query: &str| format!("/api/v1/linked-acc/integration/{slug}{query}");
        let other = page.ok(Method::DELETE, &path(CRM, "?auth_type=keybased"), None).await;
        check_account(&other, CUSTOMER, Is::List);
        poll(&page, OAUTH, Stored::Healthy).await;
        let one = page.ok(Method::DELETE, &path(CRM, "?auth_type=oauth2"), None).await;
        let left: Vec<_> = one["integrations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["type"])
            .collect();
        assert_eq!(left, [SMS]);
        poll(&page, OAUTH, Stored::Nothing).await;
        let all = page.ok(Method::DELETE, &path(SMS, ""), None).await;
        assert_eq!(all["integrations"], json!([]));
        poll(&page, KEYS, Stored::Nothing).await;
    })
    .await;
}

#[tokio::test]
async fn version_9_called_like_version_8_fails_at_once_and_readably() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        let (status, message) = page.refused(Method::GET, "/api/v1/undefined/integrate", None).await;
        assert_eq!(status, 404);
        assert!(message.contains("connect({ slug })"), "{message}");
        // Its poll would ask for the list, in which it finds nothing; `getApp(undefined)` of version 8 asks for the slug.
        let list = page.ok(Method::GET, "/api/v2/f-sdk/application", None).await;
        assert!(list.as_array().unwrap().iter().all(|app| app["slug"] != "undefined"));
        for path in ["/api/v2/f-sdk/application/undefined", "/api/v2/app/undefined/save"] {
            let method = if path.ends_with("save") {
                Method::POST
            } else {
                Method::GET
            };
            let body = (method == Method::POST).then(|| json!({}));
            assert_eq!(page.refused(method, path, body.as_ref()).await.0, 404, "{path}");
        }
        // `payload: {}` without a type goes to `save`, for an OAuth application, too; and `integrate` for one with keys.
        let save = format!("/api/v2/app/{CRM}/save");
        assert_eq!(page.refused(Method::POST, &save, Some(&json!({}))).await.0, 400);
        let integrate = format!("/api/v1/{SMS}/integrate");
        assert_eq!(page.refused(Method::GET, &integrate, None).await.0, 400);
        let disconnect = "/api/v1/linked-acc/integration/undefined";
        assert_eq!(page.refused(Method::DELETE, disconnect, None).await.0, 404);
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_what_later_versions_ask_is_answered_in_full() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        // getApps(), since 8.2.0; getApp() without a slug
        let list = page.ok(Method::GET, "/api/v2/f-sdk/application", None).await;
        for app in list.as_array().unwrap() {
            check(
                app,
                &[
                    ("name", Is::Text),
                    ("slug", Is::Text),
                    ("reauth_required", Is::Flag),
                    ("ecosystem", Is::Flag),
                ],
            );
        }
        // getAccountDetails()
        let basics = page.ok(Method::GET, "/api/v3/org/basics", None).await;
        check(
            &basics,
            &[
                ("org_id", Is::Id),
                ("_id", Is::Id),
                ("name", Is::Text),
                ("environment", Is::Just("test")),
                ("linked_account_id", Is::Just(CUSTOMER)),
                ("linked_account", Is::Map),
            ],
        );
        // updateAccount(fields), since 8.4.0: flat and without an id; the token says whose it is
        let fields = json!({ "name": "Acme", "udf": { "plan": "pro" } });
        let updated = page
            .ok(Method::PUT, "/api/v2/public/linked-account", Some(&fields))
            .await;
        check_account(&updated, CUSTOMER, Is::Missing);
        assert_eq!(
            (&updated["name"], &updated["udf"][0]["key_value"]),
            (&json!("Acme"), &json!("pro"))
        );
        // config(), with labels since 8.5.4
        let body = json!({ "slug": CRM, "labels": [] });
        let config = page.ok(Method::POST, "/api/v2/f-sdk/config", Some(&body)).await;
        check(
            &config,
            &[
                ("slug", Is::Just(CRM)),
                ("config_id", Is::Just(CUSTOMER)),
                ("fields", Is::List),
                ("workflows", Is::List),
                ("field_errors", Is::List),
            ],
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_not_ours_is_refused_in_a_shape_that_can_be_thrown() {
    story(async |s| {
        let page = Page::open(&s, "").await;
        let more = [("slug", CRM), ("sync_execution", "true"), ("config_id", "any")];
        for (method, path, body) in [
            (Method::GET, format!("/api/v2/f-sdk/slug/{CRM}/config"), None),
            (Method::DELETE, format!("/api/v2/f-sdk/slug/{CRM}/config/acct-7"), None),
            (Method::GET, format!("/api/v2/public/slug/{CRM}/configs"), None),
            (Method::GET, "/api/v2/public/config/field/f1".to_owned(), None),
            (
                Method::POST,
                "/api/v2/public/config/rule-engine/f1".to_owned(),
                Some(json!({ "slug": CRM })),
            ),
            (Method::GET, "/api/v2/public/workflow".to_owned(), None),
            (
                Method::POST,
                "/api/v2/public/workflow/w1/execute".to_owned(),
                Some(json!({})),
            ),
            (Method::GET, "/api/v2/public/execution".to_owned(), None),
            (
                Method::POST,
                "/api/v1/ecosystem/leads".to_owned(),
                Some(json!({ "slug": CRM })),
            ),
            // Versions before 6.0.0
            (Method::GET, format!("/api/v1/linked-acc/application/{CRM}"), None),
            (
                Method::GET,
                format!("/api/v1/linked-acc/integration/auth?integration_type={CRM}"),
                None,
            ),
        ] {
            let (status, answer) = page.call_with(method, &path, body.as_ref(), &more).await;
            assert!(matches!(status, 404 | 405), "{path}: {status}");
            super::check_error(&answer, status);
        }

        // A session that has ended: one text for all, and it can be read across origins.
        page.ok(Method::POST, "/api/v2/public/session-token/revoke", None).await;
        for (method, path) in [
            (Method::GET, format!("/api/v2/f-sdk/application/{CRM}")),
            (Method::GET, format!("/api/v1/{CRM}/integrate")),
            (Method::DELETE, format!("/api/v1/linked-acc/integration/{CRM}")),
        ] {
            assert_eq!(
                page.refused(method, &path, None).await,
                (401, "Invalid token".to_owned())
            );
        }
    })
    .await;
}
