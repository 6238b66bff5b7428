//! The Node client: an API key and `Content-Type: application/json` on every call, the account as header and query.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Is, Stored, check, check_account, check_application, check_error};
use crate::support::{CRM, Consent, Story, story};

/// An account as the documents' samples name them, escaped as the HTTP library escapes it.
const USER: &str = "u@x.y";
const QUERY: &str = "linked_account_id=u%40x.y";

/// The client, as axios sends for it.
struct Node<'a>(&'a Story);

impl Node<'_> {
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.send_for(None, method, path, body).await
    }

    async fn send_for(&self, account: Option<&str>, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let t = &self.0.t;
        let call = t.call(method, path).header("x-api-key", &t.key);
        let call = account
            .into_iter()
            .fold(call, |call, id| call.header("linked_account_id", id));
        let call = call.header("accept", "application/json, text/plain, */*");
        let call = call.header("user-agent", "axios/1.7.2");
        let answer = match body {
            Some(body) => call.json(body).send().await,
            None => call.header("content-type", "application/json").send().await,
        };
        let status = answer.status.as_u16();
        let value = answer.json();
        if status < 300 {
            // A falsy body makes it throw "Something went wrong!".
            let falsy = value.is_null() || value == json!(false) || value == json!(0) || value == json!("");
            assert!(!falsy, "{path}");
        } else {
            check_error(&value, status);
        }
        (status, value)
    }

    async fn ok(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, value) = self.send(method, path, body).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    async fn ok_for(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, value) = self.send_for(Some(USER), method, path, body).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }
}

#[tokio::test]
async fn linked_accounts_and_tokens() {
    story(async |s| {
        let node = Node(&s);
        let path = "/api/v2/public/linked-account";
        // createLinkedAccount, upsertLinkedAccount
        let body = json!({ "linked_account_id": USER, "name": "Acme", "udf": { "plan": "pro" },
            "your_app": { "app_id": "5f", "auth_credentials": { "k": "v" } } });
        check_account(&node.ok(Method::POST, path, Some(&body)).await, USER, Is::Null);
        let body = json!({ "linked_account_id": USER, "name": "Acme 2" });
        let changed = node.ok(Method::PUT, path, Some(&body)).await;
        check_account(&changed, USER, Is::Missing);
        assert_eq!(changed["name"], "Acme 2");
        let spaced = json!({ "linked_account_id": "with space" });
        node.ok(Method::POST, path, Some(&spaced)).await;
        // getLinkedAccount: the id stands in the path as axios leaves it
        check_account(
            &node.ok(Method::GET, &format!("{path}/u@x.y"), None).await,
            USER,
            Is::List,
        );
        let found = node.ok(Method::GET, &format!("{path}/with%20space"), None).await;
        check_account(&found, "with space", Is::List);
        // getAllLinkedAccounts
        let page = node.ok(Method::GET, &format!("{path}?page=1&limit=10"), None).await;
        check_page(&page);
        // getTokenForLinkedAccount reads `token`
        let body = json!({ "linked_account_id": USER });
        let token = node.ok(Method::POST, "/api/v2/public/session-token", Some(&body)).await;
        check(
            &token,
            &[
                ("token", Is::Text),
                ("refresh_token", Is::Text),
                ("expires_in", Is::Count),
                ("refresh_expires_in", Is::Count),
            ],
        );
        let token = token["token"].as_str().unwrap();
        let mine = s.t.by_session(Method::GET, &format!("{path}/u@x.y"), token).ok().await;
        check_account(&mine, USER, Is::List);
        // deleteLinkedAccount
        let gone = node.ok(Method::DELETE, &format!("{path}/u@x.y"), None).await;
        assert_eq!(gone, json!({ "message": "User deleted successfully" }));
    })
    .await;
}

#[tokio::test]
async fn of_an_error_it_reads_the_message() {
    story(async |s| {
        let node = Node(&s);
        let accounts = "/api/v2/public/linked-account";
        let one = format!("{accounts}/u@x.y");
        let known = json!({ "linked_account_id": "with space" });
        node.ok(Method::POST, accounts, Some(&known)).await;
        let missing = "Linked Account with account id u@x.y for org ";
        let exists = "Linked account with id with space already exists in the test environment";
        let nobody = "No linked account found for account id : u@x.y in environment test";
        let unknown = json!({ "linked_account_id": USER });
        for (method, path, body, status, begins) in [
            (Method::GET, one.as_str(), None, 404, missing),
            (Method::DELETE, one.as_str(), None, 404, missing),
            (
                Method::POST,
                accounts,
                Some(json!({})),
                400,
                "linked_account_id required",
            ),
            (Method::POST, accounts, Some(known), 400, exists),
            (Method::POST, "/api/v2/public/session-token", Some(unknown), 400, nobody),
        ] {
            let (found, error) = node.send(method, path, body.as_ref()).await;
            let message = error["message"].as_str().unwrap();
            assert_eq!(found, status, "{path}: {message}");
            assert!(message.starts_with(begins), "{message}");
        }
    })
    .await;
}

/// A page of linked accounts (contract, 8.4).
fn check_page(page: &Value) {
    let counts = ["totalDocs", "limit", "totalPages", "page", "pagingCounter"];
    check(page, &counts.map(|name| (name, Is::Count)));
    check(
        page,
        &[
            ("docs", Is::List),
            ("hasPrevPage", Is::Flag),
            ("hasNextPage", Is::Flag),
            ("prevPage", Is::Null),
            ("nextPage", Is::Null),
        ],
    );
    for document in page["docs"].as_array().unwrap() {
        check_account(document, document["account_id"].as_str().unwrap(), Is::List);
    }
}

#[tokio::test]
async fn applications_and_migration() {
    story(async |s| {
        let node = Node(&s);
        s.t.link(USER).await;
        let list_path = format!("/api/v2/public/application?{QUERY}");
        let one_path = format!("/api/v2/public/application/{CRM}?{QUERY}");
        // getApplications, getApplicationBySlug: header and query at once
        let list = node.ok_for(Method::GET, &list_path, None).await;
        let one = node.ok_for(Method::GET, &one_path, None).await;
        check_application(&one, (CRM, "oauth2"), Stored::Nothing);
        assert!(list.as_array().unwrap().contains(&one));
        // A proxy that drops headers with an underscore leaves the query.
        assert_eq!(node.ok(Method::GET, &one_path, None).await, one);

        // migrateAuth: flat, and the account in header, query and body
        let path = format!("/api/v2/public/migrate-token?{QUERY}");
        for verb in ["created", "updated"] {
            let (_, refresh) = s.provider.foreign_tokens(Consent::YES).await;
            let body = json!({ "linked_account_id": USER, "slug": CRM, "auth_object": { "refresh_token": refresh } });
            let answer = node.ok_for(Method::PUT, &path, Some(&body)).await;
            assert_eq!(
                answer,
                json!({ "success": true, "message": format!("Integration - {CRM} {verb}") })
            );
        }
        check_application(
            &node.ok_for(Method::GET, &one_path, None).await,
            (CRM, "oauth2"),
            Stored::Healthy,
        );
        let wrong =
            json!({ "linked_account_id": USER, "slug": CRM, "auth_object": { "refresh_token": "never issued" } });
        let (status, error) = node.send_for(Some(USER), Method::PUT, &path, Some(&wrong)).await;
        assert_eq!(status, 400, "{error}");
        check_application(
            &node.ok_for(Method::GET, &one_path, None).await,
            (CRM, "oauth2"),
            Stored::Healthy,
        );
        // From a server: the same ways out
        let path = format!("/api/v2/public/linked-account/integration/{CRM}?{QUERY}");
        check_account(&node.ok_for(Method::DELETE, &path, None).await, USER, Is::List);
        check_application(
            &node.ok_for(Method::GET, &one_path, None).await,
            (CRM, "oauth2"),
            Stored::Nothing,
        );
    })
    .await;
}

/// A webhook object (contract, 13.2).
fn check_webhook(webhook: &Value, events: &[&str]) {
    check(
        webhook,
        &[
            ("_id", Is::Id),
            ("org_id", Is::Id),
            ("environment", Is::Just("test")),
            ("is_enabled", Is::Flag),
            ("webhook_url", Is::Url),
            ("webhook_events", Is::List),
            ("workflow_ids", Is::List),
            ("webhook_body", Is::Text),
            ("method", Is::Just("POST")),
            ("webhook_type", Is::Just("default")),
            ("createdAt", Is::Time),
            ("updatedAt", Is::Time),
            ("__v", Is::Count),
        ],
    );
    let mut named: Vec<_> = webhook["webhook_events"].as_array().unwrap().iter().collect();
    named.sort_by_key(|name| name.as_str());
    assert_eq!(json!(named), json!(events));
}

#[tokio::test]
async fn webhooks_of_the_time_when_there_was_one() {
    story(async |s| {
        let node = Node(&s);
        let path = "/api/v2/public/webhook";
        let gone = node.ok(Method::DELETE, path, None).await; // the one of the story
        check(&gone, &[("success", Is::Flag), ("message", Is::Text), ("_id", Is::Id)]);
        assert_eq!(node.ok(Method::GET, path, None).await, json!([]));
        // createWebhook as typed, and as the README has it
        let url = "https://hooks.example/cobalt";
        let typed = json!({ "webhook_url": url, "webhook_events": ["Connection Created"] });
        let made = node.ok(Method::POST, path, Some(&typed)).await;
        check_webhook(&made, &["Connection Created"]);
        s.pass(std::time::Duration::from_secs(1));
        let readme = json!({ "url": url, "events": ["connection-created", "connection-deleted"] });
        check_webhook(
            &node.ok(Method::POST, path, Some(&readme)).await,
            &["Connection Created", "Connection Deleted"],
        );
        // getWebhook: a list
        let list = node.ok(Method::GET, path, None).await;
        assert_eq!(list.as_array().unwrap().len(), 2);
        // updateWebhook
        let one = format!("{path}/{}", made["_id"].as_str().unwrap());
        let update = json!({ "webhook_events": ["Connection Created", "workflow-completed"] });
        let changed = node.ok(Method::PUT, &one, Some(&update)).await;
        check_webhook(&changed, &["Connection Created", "Workflow Completed"]);
        // subscribe and unsubscribe act on the oldest
        let more = json!({ "webhook_events": ["connection-expired"] });
        let changed = node
            .ok(Method::POST, "/api/v2/public/webhook/subscribe", Some(&more))
            .await;
        check_webhook(
            &changed,
            &["Connection Created", "Connection Expired", "Workflow Completed"],
        );
        let less = json!({ "webhook_event": "workflow-completed" });
        let changed = node
            .ok(Method::POST, "/api/v2/public/webhook/unsubscribe", Some(&less))
            .await;
        check_webhook(&changed, &["Connection Created", "Connection Expired"]);
        assert_eq!(changed["_id"], made["_id"]);
        // deleteWebhook without an id, until there is none: 400, not 404
        for _ in 0..2 {
            node.ok(Method::DELETE, path, None).await;
        }
        let none = node.send(Method::DELETE, path, None).await;
        assert_eq!((none.0, &none.1["message"]), (400, &json!("Webhook not found")));
        let unknown = node.send(Method::PUT, &one, Some(&update)).await;
        assert_eq!((unknown.0, &unknown.1["message"]), (400, &json!("Webhook not found")));
        let nonsense = json!({ "webhook_url": url, "webhook_events": ["nonsense"] });
        let (status, error) = node.send(Method::POST, path, Some(&nonsense)).await;
        assert_eq!((status, &error["error_code"]), (400, &json!("INVALID_EVENT")));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_ours_and_who_is_nobody() {
    story(async |s| {
        let node = Node(&s);
        s.t.link(USER).await;
        // A GET with a body, and the slash that it leaves at the end
        let body = json!({ "labels": [] });
        for path in [
            format!("/api/v2/public/slug/{CRM}/config/?{QUERY}"),
            format!("/api/v2/public/slug/{CRM}/config/c1?{QUERY}"),
            format!("/api/v2/public/application/event?{QUERY}"),
            format!("/api/v2/public/event?{QUERY}"),
            format!("/api/v2/public/execution?{QUERY}"),
        ] {
            let (status, _) = node.send_for(Some(USER), Method::GET, &path, Some(&body)).await;
            assert_eq!(status, 404, "{path}");
        }
        // A key that is none
        let refused =
            s.t.call(Method::GET, "/api/v2/public/webhook")
                .header("x-api-key", "tk_nobody");
        assert_eq!(
            refused.header("content-type", "application/json").refused(401).await,
            "Invalid Credentials"
        );
        // The example apps send a key, the account and a bearer token at once, from a browser: the key decides.
        let both = s.t.get(&format!("/api/v2/public/application/{CRM}"));
        let both = both
            .header("linked_account_id", USER)
            .header("authorization", "bearer not-a-token");
        let answer = both.header("origin", super::ORIGIN).send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["access-control-allow-origin"]),
            (200, &"*".parse().unwrap())
        );
        check_application(&answer.json(), (CRM, "oauth2"), Stored::Nothing);
    })
    .await;
}
