//! Webhooks, events, deliveries.

use std::time::Duration;

use evergrant::clock::{Clock as _, Timestamp};
use evergrant::error::Error;
use evergrant::ids::{ConnectionId, EventId, TenantId, WebhookId};
use evergrant::secret::Secret;
use evergrant::tenants;
use evergrant::webhooks::outbox::{self, Settled};
use evergrant::webhooks::{About, Change, DeliveryState, Event, EventKind, Webhook, endpoints};

use crate::support::{TestApp, on_both};

const MINUTE: Duration = Duration::from_mins(1);

fn webhook(now: Timestamp) -> Webhook {
    let change = Change {
        url: Some("https://hooks.example".to_owned()),
        events: Some(vec!["Connection Expired".to_owned()]),
        headers: Some([("x-a".to_owned(), Secret::from("canary".to_owned()))].into()),
        ..Change::default()
    };
    Webhook::new(change, now).unwrap()
}

async fn inserted(t: &TestApp) -> Webhook {
    let webhook = webhook(t.clock.now());
    let sealer = tenants::sealer(&t.app, &t.environment.tenant).await.unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    endpoints::insert(&mut tx, &t.environment.tenant.id, &sealer, &webhook)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    webhook
}

fn event(now: Timestamp) -> Event {
    Event {
        kind: EventKind::ConnectionExpired,
        about: About::Connection {
            id: ConnectionId::new(now),
            linked_account_id: "acct-7".to_owned(),
            linked_account_name: None,
        },
        slug: "slack".to_owned(),
        at: now,
    }
}

async fn appended(t: &TestApp) -> EventId {
    let event = event(t.clock.now());
    let mut tx = t.app.db.begin().await.unwrap();
    let id = outbox::append(&mut tx, &t.environment.tenant, &event).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn claimed(t: &TestApp, most: usize) -> Vec<outbox::Claim> {
    let mut tx = t.app.db.begin().await.unwrap();
    let now = t.clock.now();
    let claims = outbox::claim_due(&mut tx, now, now.after(MINUTE), most).await.unwrap();
    tx.commit().await.unwrap();
    claims
}

async fn settled(t: &TestApp, claim: &outbox::Claim, state: DeliveryState) -> bool {
    let mut tx = t.app.db.begin().await.unwrap();
    let settled = Settled {
        attempts: 1,
        state,
        last_status: Some(500),
        last_error: Some("why".to_owned()),
    };
    let held = outbox::settle(&mut tx, claim, &settled).await.unwrap();
    tx.commit().await.unwrap();
    held
}

async fn states(t: &TestApp, webhook: &WebhookId) -> Vec<DeliveryState> {
    let mut conn = t.app.db.read().await.unwrap();
    let all = outbox::deliveries(&mut conn, &t.environment.tenant.id, webhook, 10)
        .await
        .unwrap();
    all.into_iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn a_webhook_reads_back_changes_and_goes() {
    on_both(async |t| {
        let tenant = &t.environment.tenant.id;
        let stranger = TenantId::new(t.clock.now());
        let sealer = tenants::sealer(&t.app, &t.environment.tenant).await.unwrap();
        let made = inserted(&t).await;
        let mut tx = t.app.db.begin().await.unwrap();
        assert_eq!(
            endpoints::list(&mut tx, tenant, &sealer).await.unwrap(),
            std::slice::from_ref(&made)
        );
        assert_eq!(
            endpoints::get(&mut tx, &stranger, &sealer, &made.id).await.unwrap(),
            None
        );
        assert_eq!(
            endpoints::take(&mut tx, &stranger, &sealer, &made.id).await.unwrap(),
            None
        );
        assert!(!endpoints::delete(&mut tx, &stranger, &made.id).await.unwrap());

        let mut changed = endpoints::take(&mut tx, tenant, &sealer, &made.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(changed.version, made.version + 1);
        changed.enabled = false;
        changed.headers.clear();
        endpoints::put(&mut tx, tenant, &sealer, &changed).await.unwrap();
        assert_eq!(
            endpoints::get(&mut tx, tenant, &sealer, &made.id).await.unwrap(),
            Some(changed)
        );
        assert!(endpoints::delete(&mut tx, tenant, &made.id).await.unwrap());
        assert!(!endpoints::delete(&mut tx, tenant, &made.id).await.unwrap());
        assert!(endpoints::list(&mut tx, tenant, &sealer).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn headers_that_were_moved_to_another_webhook_do_not_open() {
    on_both(async |t| {
        let (one, two) = (inserted(&t).await, inserted(&t).await);
        let sealer = tenants::sealer(&t.app, &t.environment.tenant).await.unwrap();
        let mut tx = t.app.db.begin().await.unwrap();
        let copy =
            "UPDATE webhooks SET sealed_headers = (SELECT sealed_headers FROM webhooks WHERE id = $1) WHERE id = $2";
        sqlx::query(copy)
            .bind(one.id.as_str())
            .bind(two.id.as_str())
            .execute(&mut *tx)
            .await
            .unwrap();
        let found = endpoints::get(&mut tx, &t.environment.tenant.id, &sealer, &two.id).await;
        assert!(matches!(found, Err(Error::Sealed { .. })), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_claim_is_held_until_its_lease_ends_and_a_late_settlement_changes_nothing() {
    on_both(async |t| {
        let hook = inserted(&t).await;
        let event = appended(&t).await;
        let first = claimed(&t, 10).await.remove(0);
        assert_eq!((&first.event, &first.webhook, first.attempts), (&event, &hook.id, 0));
        t.clock.advance(MINUTE.saturating_sub(Duration::from_millis(1)));
        assert!(claimed(&t, 10).await.is_empty());
        t.clock.advance(Duration::from_millis(1));
        let second = claimed(&t, 10).await.remove(0);
        let at = t.clock.now();
        assert!(
            !settled(&t, &first, DeliveryState::GaveUp { at }).await,
            "its fence has passed"
        );
        assert!(settled(&t, &second, DeliveryState::Delivered { at }).await);
        assert_eq!(states(&t, &hook.id).await, [DeliveryState::Delivered { at }]);
    })
    .await;
}

#[tokio::test]
async fn all_webhooks_have_their_turn_in_a_batch() {
    on_both(async |t| {
        let busy = inserted(&t).await;
        for _ in 0..5 {
            appended(&t).await;
        }
        t.clock.advance(Duration::from_secs(1));
        let quiet = inserted(&t).await;
        appended(&t).await;
        let claims = claimed(&t, 2).await;
        let mut hooks: Vec<_> = claims.iter().map(|claim| claim.webhook.clone()).collect();
        hooks.sort();
        assert_eq!(hooks, [busy.id, quiet.id]);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_with_many_webhooks_does_not_hold_up_the_others() {
    on_both(async |t| {
        for _ in 0..5 {
            inserted(&t).await;
        }
        appended(&t).await;
        appended(&t).await;
        t.clock.advance(Duration::from_secs(1));
        let key = t.stranger().await;
        let theirs = tenants::authenticate(&t.app, &key).await.unwrap().tenant.clone();
        let sealer = tenants::sealer(&t.app, &theirs).await.unwrap();
        let quiet = webhook(t.clock.now());
        let mut tx = t.app.db.begin().await.unwrap();
        endpoints::insert(&mut tx, &theirs.id, &sealer, &quiet).await.unwrap();
        outbox::append(&mut tx, &theirs, &event(t.clock.now())).await.unwrap();
        tx.commit().await.unwrap();
        let hooks: Vec<_> = claimed(&t, 2).await.into_iter().map(|claim| claim.webhook).collect();
        assert!(hooks.contains(&quiet.id));
    })
    .await;
}

#[tokio::test]
async fn an_event_is_found_by_its_tenant_only() {
    on_both(async |t| {
        let id = appended(&t).await;
        let mut conn = t.app.db.read().await.unwrap();
        let told = outbox::event(&mut conn, &t.environment.tenant.id, &id)
            .await
            .unwrap()
            .unwrap();
        assert!(told.body.contains("\"Connection Expired\""));
        assert_eq!(told.name, "acct-7", "the id stands in where there is no name");
        let stranger = TenantId::new(t.clock.now());
        assert_eq!(outbox::event(&mut conn, &stranger, &id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_sent_again_unless_it_is_being_sent() {
    on_both(async |t| {
        let (tenant, hook) = (&t.environment.tenant.id, inserted(&t).await);
        appended(&t).await;
        let claim = claimed(&t, 1).await.remove(0);
        let now = t.clock.now();
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(!outbox::redeliver(&mut tx, tenant, &claim.id, now).await.unwrap());
        tx.commit().await.unwrap();
        assert!(settled(&t, &claim, DeliveryState::GaveUp { at: now }).await);
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(
            !outbox::redeliver(&mut tx, &TenantId::new(now), &claim.id, now)
                .await
                .unwrap()
        );
        assert!(outbox::redeliver(&mut tx, tenant, &claim.id, now).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(states(&t, &hook.id).await, [DeliveryState::Waiting { until: now }]);
        assert_eq!(claimed(&t, 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn old_events_go_in_bounded_batches_and_take_their_deliveries_along() {
    on_both(async |t| {
        let hook = inserted(&t).await;
        for _ in 0..3 {
            appended(&t).await;
        }
        let now = t.clock.now();
        let mut tx = t.app.db.begin().await.unwrap();
        assert_eq!(outbox::purge_events(&mut tx, now, 10).await.unwrap(), 0);
        let later = now.after(Duration::from_millis(1));
        assert_eq!(outbox::purge_events(&mut tx, later, 2).await.unwrap(), 2);
        tx.commit().await.unwrap();
        assert_eq!(states(&t, &hook.id).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_whose_row_makes_no_sense_does_not_fail_what_is_told() {
    on_both(async |t| {
        let (broken, sound) = (inserted(&t).await, inserted(&t).await);
        let mut tx = t.app.db.begin().await.unwrap();
        let spoil = "UPDATE webhooks SET events = 'nonsense' WHERE id = $1";
        sqlx::query(spoil)
            .bind(broken.id.as_str())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        appended(&t).await;
        assert_eq!(states(&t, &broken.id).await.len(), 0);
        assert_eq!(states(&t, &sound.id).await.len(), 1);
    })
    .await;
}
