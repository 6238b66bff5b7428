//! Bodies that are none, of another type, too large, or full of what a database may choke on.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::world::assert_clear;
use super::{Op, World, on_both_worlds};

/// What is no JSON object.
fn no_objects() -> Vec<Bytes> {
    let mut all: Vec<Bytes> = [
        "{",
        "}",
        "[]",
        "1",
        "\"x\"",
        "null",
        "true",
        "{\"a\":}",
        "{'a':1}",
        "{}{}",
        "[\"a\",\"b\"]",
        "[[],[]]",
        "{} x",
        "\u{0}",
        "{\"a\":1,}",
        "{\"a\":\"\u{1}\"}",
        "NaN",
    ]
    .map(Bytes::from)
    .into();
    all.push(Bytes::from_static(b"\xff\xfe"));
    all.push(Bytes::from_static(b"{\"name\":\"\xed\xa0\x80\",\"color\":\"\xff\"}"));
    all.push(Bytes::from("[".repeat(10_000)));
    all.push(Bytes::from(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))));
    all
}

/// What may stand for a member, as JSON text.
fn values() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut all: Vec<String> = [
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        "18446744073709551616",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "{\"a\":{\"b\":[]}}",
        "\"\"",
        "\"a\\u0000b\"",
        "\"\\u0001\\u001f\"",
        "\"\\r\\nx: y\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "{\"a\\u0000\":\"b\\u0000\"}",
        "[\"\\u0000\"]",
        "{\"oauth2\":{\"access_token\":\"\\u0000\"}}",
        "{\"oauth2\":{\"nope\":1}}",
        "\"' OR 1=1 --\"",
        "\"../../x\"",
        "\"<script>\"",
        "\"javascript:alert(1)\"",
        "\"\u{202e}\u{fffd}\u{10ffff}\"",
    ]
    .map(str::to_owned)
    .into();
    all.push(deep);
    all.push(json!("x".repeat(10_000)).to_string());
    all.push(json!(vec!["x"; 2000]).to_string());
    all.push(
        Value::from(
            (0..2000)
                .map(|n| (n.to_string(), json!("x")))
                .collect::<serde_json::Map<_, _>>(),
        )
        .to_string(),
    );
    all
}

/// A body that is nearly right, so that the hostile member is reached. None of them makes us call a provider.
fn nearly(op: &Op) -> Value {
    if op.path.contains("/webhook") {
        json!({ "webhook_url": "https://hooks.example/x", "webhook_events": ["Connection Expired"], "webhookIds": [] })
    } else if op.path.ends_with("/linked-account") || op.path.ends_with("/session-token") {
        json!({ "linked_account_id": "mine" })
    } else if op.path.ends_with("/migrate-token") {
        json!({ "slug": "copper", "auth_object": { "nope": "x" } })
    } else if op.path.ends_with("/oauth-client") {
        json!({ "client_id": "c" })
    } else if op.path.ends_with("/f-sdk/config") {
        json!({ "slug": "slack" })
    } else {
        json!({})
    }
}

fn with_member(op: &Op, name: &str, value: &str) -> String {
    let mut parts = vec![format!("{}:{value}", json!(name))];
    for (known, text) in nearly(op).as_object().unwrap() {
        if known != name {
            parts.push(format!("{}:{text}", json!(known)));
        }
    }
    format!("{{{}}}", parts.join(","))
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_and_changes_nothing() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        let too_large = Bytes::from(format!("{{\"name\":\"{}\"}}", "x".repeat(5 * 1024 * 1024)));
        for op in Op::all().iter().filter(|op| op.body.is_some()) {
            let (path, headers) = (op.at(&w.good_segment(op)), World::credentials(op, &w.mine));
            for body in no_objects().into_iter().chain([too_large.clone()]) {
                let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
                let asked = format!("{} with {shown}", op.named());
                let answer = w.send(&op.method, &path, &headers, body).await;
                assert_clear(&answer, &asked);
                assert_eq!(answer.status, 400, "{asked}: {}", answer.text);
            }
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn no_value_of_any_member_breaks_anything() {
    on_both_worlds(async |w| {
        for op in Op::all().iter().filter(|op| op.body.is_some()) {
            let mut names = op.body.clone().unwrap_or_default();
            names.extend(["api_token", "email", "payload", "name\u{0}", "nope"].map(str::to_owned));
            for (name, value) in names
                .iter()
                .flat_map(|name| values().into_iter().map(move |value| (name, value)))
            {
                let (path, headers) = (op.at(&w.good_segment(op)), World::credentials(op, &w.mine));
                let body = with_member(op, name, &value);
                let asked = format!("{} with {}", op.named(), body.chars().take(120).collect::<String>());
                let before = w.fingerprint().await;
                let answer = w.send(&op.method, &path, &headers, body).await;
                assert_clear(&answer, &asked);
                if answer.status.is_success() {
                    assert!(
                        serde_json::from_str::<Value>(&answer.text).is_ok(),
                        "{asked}: {}",
                        answer.text
                    );
                } else {
                    assert_eq!(w.fingerprint().await, before, "{asked}");
                }
            }
            w.restore().await;
        }
    })
    .await;
}
