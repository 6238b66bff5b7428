//! From "it is so" to the receiver's answer.

use std::time::Duration;

use evergrant::clock::{Clock as _, Timestamp};
use evergrant::ids::{ConnectionId, EventId, WebhookId};
use evergrant::tenants::Tenant;
use evergrant::webhooks::deliver::run_due;
use evergrant::webhooks::{self, About, Delivery, DeliveryState, Event, EventKind, outbox};
use serde_json::{Value, json};

use crate::support::{Receiver, TestApp, TestDatabase, on_both_with_receiver};

fn event(at: Timestamp) -> Event {
    Event {
        kind: EventKind::ConnectionExpired,
        about: About::Connection {
            id: ConnectionId::new(at),
            linked_account_id: "acct-7".to_owned(),
            linked_account_name: Some("Zoë".to_owned()),
        },
        slug: "slack".to_owned(),
        at,
    }
}

async fn happen(t: &TestApp) -> EventId {
    let mut tx = t.app.db.begin().await.unwrap();
    let id = outbox::append(&mut tx, &t.environment.tenant, &event(t.clock.now()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn webhook(t: &TestApp, receiver: &Receiver, more: Value) -> WebhookId {
    let mut body = json!({ "webhook_url": receiver.url(), "webhook_events": ["Connection Expired"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = t.post("/api/v2/public/webhook", &body).ok().await;
    made["_id"].as_str().unwrap().parse().unwrap()
}

async fn only_delivery(t: &TestApp, webhook: &WebhookId) -> Delivery {
    let mut all = webhooks::deliveries(&t.app, &t.environment.tenant, webhook)
        .await
        .unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[tokio::test]
async fn an_event_arrives_once_with_the_documented_body_and_signature() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        let id = happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        let got = receiver.only();
        let org = &t.environment.tenant.org;
        let (documented, url) = got.body.split_once(r#","reauth_url":""#).unwrap();
        assert_eq!(
            documented,
            format!(
                r#"{{"linked_account_id":"acct-7","org_id":"{org}","environment":"test","type":"General","event":"Connection Expired","slug":"slack","createdAt":"Tue, 02 Jan 2024 03:04:05 GMT""#
            )
        );
        let token = url.strip_prefix("http://127.0.0.1:8080/reauth/rl_").unwrap();
        assert_eq!(token.strip_suffix("\"}").unwrap().len(), 43);
        assert_eq!(got.method, "POST");
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!(got.header("webhook-id"), id.as_str());
        assert_eq!(got.header("webhook-timestamp"), "1704164645");
        assert!(got.is_signed_with(&t.key));
        let delivery = only_delivery(&t, &hook).await;
        assert_eq!(delivery.state, DeliveryState::Delivered { at: t.clock.now() });
        assert_eq!((delivery.event, delivery.attempts, delivery.last_status), (id, 1, Some(200)));
    })
    .await;
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        let mut tx = t.app.db.begin().await.unwrap();
        outbox::append(&mut tx, &t.environment.tenant, &event(t.clock.now()))
            .await
            .unwrap();
        drop(tx);
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        assert!(receiver.received().is_empty());
        assert!(
            webhooks::deliveries(&t.app, &t.environment.tenant, &hook)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn a_webhook_hears_only_what_it_asked_for() {
    on_both_with_receiver(async |t, receiver| {
        webhook(
            &t,
            &receiver,
            json!({ "webhook_events": ["Connection Created", "Workflow Completed"] }),
        )
        .await;
        webhook(
            &t,
            &receiver,
            json!({ "webhook_events": ["Workflow Errored"], "slug": "slack" }),
        )
        .await;
        webhook(&t, &receiver, json!({ "is_enabled": false })).await;
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        assert!(receiver.received().is_empty());
    })
    .await;
}

#[tokio::test]
async fn another_tenants_webhook_hears_nothing() {
    on_both_with_receiver(async |t, receiver| {
        let theirs = t.stranger().await;
        let body = json!({ "webhook_url": receiver.url(), "webhook_events": ["Connection Expired"] });
        t.call(axum::http::Method::POST, "/api/v2/public/webhook")
            .header("x-api-key", &theirs)
            .json(&body)
            .ok()
            .await;
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
    })
    .await;
}

/// Pushes the clock to when the delivery is due, and says how long that was.
async fn wait_until_due(t: &TestApp, hook: &WebhookId) -> Duration {
    let DeliveryState::Waiting { until } = only_delivery(t, hook).await.state else {
        panic!("it does not wait");
    };
    let wait = until.since(t.clock.now());
    t.clock.advance(wait.saturating_sub(Duration::from_millis(1)));
    assert_eq!(run_due(&t.app).await.unwrap(), 0, "not a millisecond early");
    t.clock.advance(Duration::from_millis(1));
    wait
}

#[tokio::test]
async fn a_refusal_is_followed_by_the_same_bytes_after_growing_waits_until_it_is_taken() {
    on_both_with_receiver(async |t, receiver| {
        let custom = json!({ "webhook_type": "custom", "webhook_body": { "who": "{{linked_account_name}}" } });
        let hook = webhook(&t, &receiver, custom).await;
        receiver.answer(&[500, 302, 429]);
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        let delivery = only_delivery(&t, &hook).await;
        assert_eq!(delivery.last_status, Some(500));
        assert_eq!(delivery.last_error.as_deref(), Some("the receiver answered 500"));
        t.put(
            &format!("/api/v2/public/webhook/{hook}"),
            &json!({ "webhook_type": "default" }),
        )
        .ok()
        .await;
        let mut last = Duration::ZERO;
        for _ in 0..3 {
            let wait = wait_until_due(&t, &hook).await;
            assert!(wait > last, "{wait:?} after {last:?}");
            last = wait;
            assert_eq!(run_due(&t.app).await.unwrap(), 1);
        }
        let got = receiver.received();
        assert_eq!(got.len(), 4);
        for each in &got {
            assert_eq!(each.body, r#"{"who":"Zoë"}"#);
            assert_eq!(each.header("webhook-id"), got[0].header("webhook-id"));
            assert_eq!(each.header("x-cobalt-signature"), got[0].header("x-cobalt-signature"));
        }
        let delivery = only_delivery(&t, &hook).await;
        assert_eq!((delivery.attempts, delivery.last_error), (4, None));
        assert!(matches!(delivery.state, DeliveryState::Delivered { .. }));
    })
    .await;
}

#[tokio::test]
async fn after_three_days_it_is_given_up_and_can_be_sent_again() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        receiver.answer(&[503; 11]);
        happen(&t).await;
        let mut total = Duration::ZERO;
        for _ in 0..10 {
            assert_eq!(run_due(&t.app).await.unwrap(), 1);
            total += wait_until_due(&t, &hook).await;
        }
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        assert!(total > Duration::from_hours(70));
        let delivery = only_delivery(&t, &hook).await;
        assert_eq!(delivery.state, DeliveryState::GaveUp { at: t.clock.now() });
        t.clock.advance(Duration::from_hours(48));
        assert_eq!(run_due(&t.app).await.unwrap(), 0);

        webhooks::redeliver(&t.app, &t.environment.tenant, &delivery.id)
            .await
            .unwrap();
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        assert!(matches!(
            only_delivery(&t, &hook).await.state,
            DeliveryState::Delivered { .. }
        ));
        assert_eq!(receiver.received().len(), 12);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_down_or_not_allowed_is_tried_again() {
    on_both_with_receiver(async |t, receiver| {
        let nobody = webhook(&t, &receiver, json!({ "webhook_url": "http://127.0.0.1:9/" })).await;
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        let delivery = only_delivery(&t, &nobody).await;
        assert!(matches!(delivery.state, DeliveryState::Waiting { .. }));
        assert!(delivery.last_error.unwrap().contains("not public"));
    })
    .await;
}

#[tokio::test]
async fn a_restart_in_the_middle_of_an_attempt_does_not_lose_the_event() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        happen(&t).await;
        // A process claims the delivery and dies.
        let mut tx = t.app.db.begin().await.unwrap();
        let now = t.clock.now();
        let claims = outbox::claim_due(&mut tx, now, now.after(Duration::from_mins(1)), 10)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(claims.len(), 1);

        let restarted = t.another_process().await;
        assert_eq!(run_due(&restarted).await.unwrap(), 0, "the lease still holds");
        t.clock.advance(Duration::from_mins(1));
        assert_eq!(run_due(&restarted).await.unwrap(), 1);
        assert!(receiver.only().is_signed_with(&t.key));
        assert!(matches!(
            only_delivery(&t, &hook).await.state,
            DeliveryState::Delivered { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn two_workers_at_once_send_each_event_once() {
    on_both_with_receiver(async |t, receiver| {
        webhook(&t, &receiver, json!({})).await;
        for _ in 0..20 {
            happen(&t).await;
        }
        let other = t.another_process().await;
        let (one, two, three) = tokio::join!(run_due(&t.app), run_due(&other), run_due(&t.app));
        assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 20);
        let mut ids: Vec<_> = receiver
            .received()
            .iter()
            .map(|got| got.header("webhook-id").to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), receiver.received().len()), (20, 20));
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_disabled_webhook_is_sent_once_it_is_enabled() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        happen(&t).await;
        let path = format!("/api/v2/public/webhook/{hook}");
        t.put(&path, &json!({ "is_enabled": false })).ok().await;
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        assert!(receiver.received().is_empty());
        t.put(&path, &json!({ "is_enabled": true })).ok().await;
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        receiver.only();
    })
    .await;
}

#[tokio::test]
async fn a_deleted_webhook_takes_its_deliveries_along() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        happen(&t).await;
        t.delete(&format!("/api/v2/public/webhook/{hook}")).ok().await;
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        assert!(receiver.received().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_webhooks_own_headers_method_and_template_are_used() {
    on_both_with_receiver(async |t, receiver| {
        let custom = json!({
            "method": "PATCH", "webhook_type": "slack",
            "webhook_headers": { "Authorization": "Bearer canary", "x-who": "{{linked_account_name}} {{event.slug}}" },
        });
        webhook(&t, &receiver, custom).await;
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        let got = receiver.only();
        assert_eq!(got.method, "PATCH");
        assert_eq!(got.header("authorization"), "Bearer canary");
        assert_eq!(got.header("x-who"), "Zo%C3%AB slack");
        assert_eq!(got.body, r#"{"text":"Connection Expired: slack for Zoë"}"#);
        assert!(got.is_signed_with(&t.key));
    })
    .await;
}

#[tokio::test]
async fn without_a_signing_key_nothing_is_sent_and_nothing_is_lost() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        let Tenant { id, .. } = &t.environment.tenant;
        let key = evergrant::tenants::authenticate(&t.app, &t.key)
            .await
            .unwrap()
            .id
            .clone();
        let mut tx = t.app.db.begin().await.unwrap();
        evergrant::tenants::store::set_signing_key(&mut tx, id, &"65aa00000000000000000001".parse().unwrap())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        happen(&t).await;
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        let delivery = only_delivery(&t, &hook).await;
        assert!(delivery.last_error.unwrap().contains("no signing key"));
        assert_eq!(delivery.attempts, 0);
        let message = t
            .post(
                "/api/v2/public/webhook",
                &json!({ "url": receiver.url(), "events": ["Connection Expired"] }),
            )
            .refused(400)
            .await;
        assert!(message.contains("signing key"), "{message}");

        evergrant::tenants::name_signing_key(&t.app, id, &key).await.unwrap();
        t.clock.advance(Duration::from_mins(1));
        assert_eq!(run_due(&t.app).await.unwrap(), 1);
        assert!(receiver.only().is_signed_with(&t.key));
    })
    .await;
}

#[tokio::test]
async fn events_are_kept_for_thirty_days() {
    on_both_with_receiver(async |t, receiver| {
        let hook = webhook(&t, &receiver, json!({})).await;
        happen(&t).await;
        t.clock.advance(webhooks::KEPT);
        assert_eq!(webhooks::purge(&t.app).await.unwrap(), 0);
        only_delivery(&t, &hook).await;
        t.clock.advance(Duration::from_millis(1));
        assert_eq!(webhooks::purge(&t.app).await.unwrap(), 1);
        assert_eq!(run_due(&t.app).await.unwrap(), 0);
        assert!(
            webhooks::deliveries(&t.app, &t.environment.tenant, &hook)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_is_deleted_while_an_event_is_appended_does_not_fail_it() {
    // On SQLite the two take turns; PostgreSQL lets them overlap.
    let receiver = Receiver::start().await;
    let t = TestApp::start_allowing(TestDatabase::postgres().await, vec![receiver.address.clone()]).await;
    let hook = webhook(&t, &receiver, json!({})).await;
    let mut tx = t.app.db.begin().await.unwrap();
    outbox::append(&mut tx, &t.environment.tenant, &event(t.clock.now()))
        .await
        .unwrap();
    t.delete(&format!("/api/v2/public/webhook/{hook}")).ok().await;
    tx.commit().await.unwrap();
    assert_eq!(run_due(&t.app).await.unwrap(), 0);
    assert!(receiver.received().is_empty());
}
