use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::template::Values;
use super::*;
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::ids::{ConnectionId, EventId, OrgId, TenantId};
use crate::secret::Secret;
use crate::tenants::{Environment, Tenant};

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_678);

fn event(account: &str) -> Event {
    Event {
        kind: EventKind::ConnectionExpired,
        about: About::Connection {
            id: ConnectionId::new(NOW),
            linked_account_id: account.to_owned(),
            linked_account_name: None,
        },
        slug: "slack".to_owned(),
        at: NOW,
    }
}

fn tenant() -> Tenant {
    Tenant {
        id: TenantId::new(NOW),
        org: OrgId::trusted("65aa00000000000000000001".to_owned()),
        environment: Environment::Test,
    }
}

#[test]
fn both_vectors_of_the_contract_are_signed_as_it_says() {
    let key = Secret::from("tk_demo_key_0001".to_owned());
    let body = event("acct-7").body(&tenant(), None);
    assert_eq!(body.len(), 192);
    assert_eq!(
        sign(&key, body.as_bytes()),
        "1de7726f9e80af8d07c4107d0b05f53e9ec35b76285edf384a3fcd56ff79d2f2"
    );
    assert_eq!(
        sign(&key, r#"{"linked_account_id":"café"}"#.as_bytes()),
        "00952e800f05f9edb15679f849b49b0b48426e3d80ce92ac68fcda67a1d2a0dd"
    );
}

#[test]
fn an_event_is_compact_json_with_the_documented_keys_in_order() {
    assert_eq!(
        event("café\n").body(&tenant(), None),
        r#"{"linked_account_id":"café\n","org_id":"65aa00000000000000000001","environment":"test","type":"General","event":"Connection Expired","slug":"slack","createdAt":"Tue, 02 Jan 2024 03:04:05 GMT"}"#
    );
    let mark = EventId::trusted("65aa000000000000000000e1".to_owned());
    let marked = event("acct-7").body(&tenant(), Some(&mark));
    assert!(
        marked.ends_with(r#"GMT","reauth_url":"65aa000000000000000000e1"}"#),
        "{marked}"
    );
}

#[test]
fn event_names_are_read_in_every_accepted_spelling() {
    for kind in EventKind::ALL {
        let name = kind.as_str();
        for spelling in [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase().replace(' ', "-"),
        ] {
            assert_eq!(EventKind::parse(&spelling), Some(kind), "{spelling}");
        }
    }
    for wrong in [
        "",
        "connection",
        "ConnectionExpired",
        "Connection Expired!",
        "connection_expired",
    ] {
        assert_eq!(EventKind::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn templates_are_filled_in_once() {
    let event = json!({ "event": "Connection Expired", "slug": "slack", "linked_account_id": "{{event}}", "n": 3, "reauth_url": "u" });
    let values = Values {
        event: &event,
        linked_account_name: "Ann {{event.slug}}",
    };
    for (template, wanted) in [
        (json!("{{event}}"), event.clone()),
        (json!(" {{ event }} "), event.clone()),
        (json!("{{event.n}}"), json!(3)),
        (json!("{{event.nothing}}"), Value::Null),
        (json!("{{event.n}} of {{event.slug}}"), json!("3 of slack")),
        (json!("{{event.linked_account_id}}"), json!("{{event}}")),
        (json!("for {{linked_account_name}}"), json!("for Ann {{event.slug}}")),
        (json!("{{event.linked_account_name}}!"), json!("Ann {{event.slug}}!")),
        (json!("{{reauth_url}} {{event.reauth_url}}"), json!("u u")),
        (json!("{{workflow_response.x}}"), Value::Null),
        (json!("[{{workflow_response}}]"), json!("[]")),
        (json!("{{other}} {{event.slug}} {{"), json!("{{other}} slack {{")),
        (json!("{{{{event.slug}}}}"), json!("{{slack}}")),
        (
            json!({ "{{event}}": [true, null, 1.5, "{{event.slug}}"] }),
            json!({ "{{event}}": [true, null, 1.5, "slack"] }),
        ),
    ] {
        assert_eq!(values.fill(&template), wanted, "{template}");
    }
}

#[test]
fn a_header_cannot_be_broken_by_what_is_filled_in() {
    let values = Values {
        event: &json!({ "linked_account_id": "é\r\nHost: evil" }),
        linked_account_name: "x",
    };
    assert_eq!(
        values.fill_header("to {{event.linked_account_id}}"),
        "to %C3%A9%0D%0AHost: evil"
    );
}

#[test]
fn the_waits_grow_over_about_three_days_and_then_end() {
    for fraction in [0.0, 0.999] {
        let waits: Vec<Duration> = (0..)
            .map_while(|earlier| deliver::wait_after(earlier, fraction))
            .collect();
        assert_eq!(waits.len(), 10);
        assert!(waits[0] >= Duration::from_secs(5) && waits[0] <= Duration::from_secs(6));
        let all: Duration = waits.iter().sum();
        assert!((70..86).contains(&(all.as_secs() / 3600)), "{all:?}");
    }
    for earlier in 0..9 {
        assert!(
            deliver::wait_after(earlier, 1.0) < deliver::wait_after(earlier + 1, 0.0),
            "{earlier}"
        );
    }
    assert_eq!(deliver::wait_after(10, 0.0), None);
    assert_eq!(deliver::wait_after(-1, 0.0), None);
}

fn change(url: &str) -> Change {
    Change {
        url: Some(url.to_owned()),
        events: Some(vec!["connection-expired".to_owned()]),
        ..Change::default()
    }
}

fn refused(change: Change) -> (Code, String) {
    match Webhook::new(change, NOW) {
        Err(Error::Invalid { code, message }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_url_must_be_plain_http() {
    for good in [
        "https://hooks.example/cobalt",
        "http://127.0.0.1:8080/x?y=z",
        "HTTPS://hooks.example",
    ] {
        assert_eq!(Webhook::new(change(good), NOW).unwrap().url, good);
    }
    let longest = format!("https://hooks.example/{}", "x".repeat(2048 - 22));
    assert!(Webhook::new(change(&longest), NOW).is_ok());
    for wrong in [
        "",
        "hooks.example",
        "/relative",
        "ftp://hooks.example",
        "javascript:alert(1)",
        "https://",
        "https://user@hooks.example",
        "https://user:pass@hooks.example",
        "https://hooks.example/a b",
        "https://hooks.example/\0",
        &format!("{longest}x"),
    ] {
        assert_eq!(refused(change(wrong)).0, Code::ServerError, "{wrong}");
    }
}

#[test]
fn events_are_needed_known_and_kept_once() {
    let with = |events: &[&str]| Change {
        events: Some(events.iter().map(|&name| name.to_owned()).collect()),
        ..change("https://hooks.example")
    };
    let made = Webhook::new(
        with(&["connection-expired", "Connection Expired", "workflow-errored"]),
        NOW,
    )
    .unwrap();
    assert_eq!(made.events, [EventKind::ConnectionExpired, EventKind::WorkflowErrored]);
    assert_eq!(refused(with(&[])).0, Code::ServerError);
    assert_eq!(
        refused(with(&["Connection Exploded"])),
        (
            Code::InvalidEvent,
            "Invalid event. Check events list in documentation.".to_owned()
        )
    );
    let slug = |events: &[&str]| Change {
        slug: Some("slack".to_owned()),
        ..with(events)
    };
    assert!(Webhook::new(slug(&["Workflow Completed"]), NOW).is_ok());
    assert_eq!(
        refused(slug(&["Workflow Completed", "Connection Created"])).0,
        Code::InvalidEvent
    );
}

#[test]
fn headers_that_are_ours_or_frame_the_message_are_refused() {
    let with = |pairs: &[(&str, &str)]| Change {
        headers: Some(
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned().into()))
                .collect::<BTreeMap<_, _>>(),
        ),
        ..change("https://hooks.example")
    };
    assert!(Webhook::new(with(&[("Authorization", "Bearer {{event.slug}}"), ("x-a", "")]), NOW).is_ok());
    for wrong in [
        &[("X-Cobalt-Signature", "0")][..],
        &[("Host", "evil")],
        &[("content-length", "0")],
        &[("Transfer-Encoding", "chunked")],
        &[("Webhook-Id", "0")],
        &[("webhook-timestamp", "0")],
        &[("Content-Type", "text/plain")],
        &[("", "x")],
        &[("a b", "x")],
        &[("a:", "x")],
        &[("é", "x")],
        &[("x-a", "line\r\nbreak")],
        &[("x-a", "é")],
        &[("X-A", "1"), ("x-a", "2")],
        &[("x-a", &"v".repeat(4097))],
    ] {
        assert_eq!(refused(with(wrong)).0, Code::ServerError, "{wrong:?}");
    }
}

#[test]
fn a_body_comes_with_the_type_custom_and_the_other_types_bring_their_own() {
    let mut webhook = Webhook::new(change("https://hooks.example"), NOW).unwrap();
    let apply = |webhook: &mut Webhook, kind, body: Option<Value>| {
        webhook
            .apply(Change {
                kind,
                body,
                ..Change::default()
            })
            .unwrap();
        WebhookType::of(&webhook.body)
    };
    assert_eq!(apply(&mut webhook, None, Some(json!({ "a": 1 }))), WebhookType::Default);
    assert_eq!(
        apply(&mut webhook, Some(WebhookType::Custom), Some(json!({ "a": 1 }))),
        WebhookType::Custom
    );
    assert_eq!(
        apply(&mut webhook, Some(WebhookType::Custom), None),
        WebhookType::Custom
    );
    assert_eq!(
        apply(&mut webhook, Some(WebhookType::Slack), Some(json!({ "a": 1 }))),
        WebhookType::Slack
    );
    assert_eq!(
        apply(&mut webhook, Some(WebhookType::Default), None),
        WebhookType::Default
    );
    let large = Change {
        kind: Some(WebhookType::Custom),
        body: Some("x".repeat(16 * 1024).into()),
        ..Change::default()
    };
    assert!(webhook.apply(large).is_err());
}

#[test]
fn texts_are_cleared_by_an_empty_one_and_bounded() {
    let mut webhook = Webhook::new(
        Change {
            group: Some("g".into()),
            ..change("https://hooks.example")
        },
        NOW,
    )
    .unwrap();
    webhook
        .apply(Change {
            description: Some("two\nlines".into()),
            ..Change::default()
        })
        .unwrap();
    assert_eq!(
        (webhook.group.as_deref(), webhook.description.as_deref()),
        (Some("g"), Some("two\nlines"))
    );
    webhook
        .apply(Change {
            group: Some(String::new()),
            ..Change::default()
        })
        .unwrap();
    assert_eq!(webhook.group, None);
    for wrong in ["\0", "\u{1b}[31m", &"x".repeat(1001)] {
        assert!(
            webhook
                .apply(Change {
                    description: Some(wrong.into()),
                    ..Change::default()
                })
                .is_err()
        );
        assert!(
            webhook
                .apply(Change {
                    workflow_ids: Some(vec![wrong.into()]),
                    ..Change::default()
                })
                .is_err()
        );
    }
}
