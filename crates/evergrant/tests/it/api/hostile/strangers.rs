//! What belongs to another tenant answers exactly like what does not exist.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{Belongings, assert_clear};
use super::{Op, World, on_both_worlds};
use crate::support::Answer;

const NO_ID: &str = "65aa0000000000000000dead";

/// Status and body, without what must differ.
fn said(answer: &Answer, id: &str) -> (u16, String) {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id");
    (answer.status.as_u16(), body.to_string().replace(id, "ID"))
}

/// The same request about another's and about nobody's.
async fn alike(w: &World<'_>, (method, headers): (&Method, &[(&str, String)]), theirs: (&str, String), body: &Value) {
    let (id, path) = theirs;
    let asked = format!("{method} {path} {headers:?} {body}");
    let unknown = if id == w.theirs.account { "nobody" } else { NO_ID };
    let answer = w.send(method, &path, headers, body.to_string()).await;
    let swapped: Vec<(&str, String)> = headers
        .iter()
        .map(|(name, value)| (*name, value.replace(id, unknown)))
        .collect();
    let (other_path, other_body) = (path.replace(id, unknown), body.to_string().replace(id, unknown));
    let other = w.send(method, &other_path, &swapped, other_body).await;
    assert_clear(&answer, &asked);
    assert!(matches!(answer.status.as_u16(), 400 | 404), "{asked}: {}", answer.text);
    assert_eq!(said(&answer, id), said(&other, unknown), "{asked}");
}

fn theirs_for<'a>(op: &Op, theirs: &'a Belongings) -> Option<&'a str> {
    if op.path.contains("/webhook/{") {
        Some(&theirs.webhook)
    } else if op.path.contains("/connection/{") {
        Some(&theirs.connection)
    } else if op.path.contains("{linked_account_id}") {
        Some(&theirs.account)
    } else {
        None
    }
}

#[tokio::test]
async fn anothers_id_in_a_path_is_unknown() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        let mut tried = 0;
        for op in Op::all() {
            let Some(id) = theirs_for(&op, &w.theirs) else { continue };
            tried += 1;
            for scheme in op.security.iter().flatten() {
                let credential = match scheme.as_str() {
                    "session" => vec![("authorization", format!("Bearer {}", w.mine.session))],
                    _ => vec![("x-api-key", w.mine.key.clone())],
                };
                alike(w, (&op.method, &credential), (id, op.at(id)), &json!({})).await;
            }
        }
        assert!(tried >= 9, "only {tried} operations have an id in their path");
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn anothers_account_in_a_header_or_query_is_unknown() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        for op in Op::all().iter().filter(|op| op.takes("linked_account")) {
            let (key, id) = (("x-api-key", w.mine.key.clone()), w.theirs.account.as_str());
            let path = op.at(&w.good_segment(op));
            let body = json!({ "value": 1, "slug": "slack", "auth_object": { "access_token": "x" } });
            let by_header = [key.clone(), ("linked_account_id", id.to_owned())];
            alike(w, (&op.method, &by_header), (id, path.clone()), &body).await;
            let by_query = format!("{path}?linked_account_id={id}");
            alike(w, (&op.method, &[key]), (id, by_query), &body).await;
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn anothers_id_in_a_body_is_unknown() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        let key = [("x-api-key", w.mine.key.clone())];
        let (account, webhook) = (w.theirs.account.as_str(), w.theirs.webhook.as_str());
        for (method, id, path, body) in [
            (
                Method::POST,
                account,
                "/api/v2/public/session-token",
                json!({ "linked_account_id": account }),
            ),
            (
                Method::PUT,
                account,
                "/api/v2/public/migrate-token",
                json!({ "linked_account_id": account, "slug": "slack", "auth_object": { "access_token": "x" } }),
            ),
            (
                Method::PUT,
                webhook,
                "/api/v2/public/webhooks/group/edit",
                json!({ "webhookIds": [w.mine.webhook, webhook], "group": "x" }),
            ),
        ] {
            alike(w, (&method, &key), (id, path.to_owned()), &body).await;
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn lists_and_clients_are_each_tenants_own() {
    on_both_worlds(async |w| {
        let key = [("x-api-key", w.mine.key.clone())];
        w.send(
            &Method::DELETE,
            "/api/v2/public/application/slack/oauth-client?confirm=true",
            &key,
            "",
        )
        .await;
        let (theirs, nobodys) = (
            "/api/v2/public/application/slack/oauth-client",
            "/api/v2/public/application/hubspot/oauth-client",
        );
        for method in [Method::GET, Method::DELETE] {
            let answer = w.send(&method, theirs, &key, "").await;
            let other = w.send(&method, nobodys, &key, "").await;
            assert_clear(&answer, theirs);
            assert_eq!(answer.status, 404);
            assert_eq!(said(&answer, "slack"), said(&other, "hubspot"));
        }
        for path in ["/api/v2/public/linked-account", "/api/v2/public/webhook"] {
            let listed = w.send(&Method::GET, path, &key, "").await;
            for id in [&w.theirs.account, &w.theirs.webhook, &w.theirs.connection] {
                assert!(!listed.text.contains(id.as_str()), "{path}: {}", listed.text);
            }
        }
        let bearer = [("authorization", format!("Bearer {}", w.theirs.session))];
        let basics = w.send(&Method::GET, "/api/v3/org/basics", &bearer, "").await.json();
        assert_eq!(basics["linked_account_id"], "theirs");
    })
    .await;
}
