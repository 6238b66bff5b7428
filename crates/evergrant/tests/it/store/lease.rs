//! The refresh lease.

use std::time::Duration;

use evergrant::accounts;
use evergrant::catalog::AuthType;
use evergrant::connections::{Connection, ConnectionStatus, Schedule, store};
use evergrant::ids::ConnectionId;
use evergrant::refresh::{LEASE, claim, held_until, postpone, release};

use super::find_due;
use crate::support::{TestApp, on_both};

const MILLI: Duration = Duration::from_millis(1);

async fn insert(t: &TestApp) -> Connection {
    t.link("a").await;
    let tenant = &t.environment.tenant;
    let (account, now) = (accounts::find(&t.app, tenant, "a").await.unwrap(), t.app.now());
    let one = Connection {
        id: ConnectionId::new(now),
        tenant: tenant.id.clone(),
        account: account.id,
        slug: "slack".to_owned(),
        auth_type: AuthType::OAuth2,
        status: ConnectionStatus::Active,
        trouble: None,
        failures: 0,
        identifier: None,
        version: 1,
        fence: 1,
        sealed: None,
        schedule: Schedule {
            due_at: Some(now),
            ..Schedule::default()
        },
        last_ok_at: None,
        reply_lost_at: None,
        connected_at: now,
        created_at: now,
        updated_at: now,
    };
    let mut tx = t.app.db.begin().await.unwrap();
    store::insert(&mut tx, &one).await.unwrap();
    store::save(&mut tx, &one).await.unwrap();
    tx.commit().await.unwrap();
    one
}

#[tokio::test]
async fn a_lease_is_ended_by_its_own_fence_and_tenant_only() {
    on_both(async |t| {
        let one = insert(&t).await;
        let (tenant, id, now) = (&one.tenant, &one.id, t.app.now());
        let until = now.after(LEASE);
        let stranger = evergrant::ids::TenantId::new(now);
        let mut tx = t.app.db.begin().await.unwrap();
        let lease = claim(&mut tx, tenant, id, (now, until)).await.unwrap().unwrap();
        let fence = lease.connection.fence;
        for (tenant, fence) in [(tenant, fence - 1), (tenant, fence + 1), (&stranger, fence)] {
            store::end_lease(&mut tx, tenant, id, fence).await.unwrap();
        }
        assert_eq!(held_until(&mut tx, tenant, id).await.unwrap(), Some(until));
        store::end_lease(&mut tx, tenant, id, fence).await.unwrap();
        assert_eq!(held_until(&mut tx, tenant, id).await.unwrap(), None);
        let next = claim(&mut tx, tenant, id, (now, until)).await.unwrap().unwrap();
        assert_eq!(next.connection.reply_lost_at, None, "no intent is left");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_held_by_one_until_it_is_given_back_or_lapses() {
    on_both(async |t| {
        let one = insert(&t).await;
        let (tenant, id, now) = (&one.tenant, &one.id, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        assert_eq!(held_until(&mut tx, tenant, id).await.unwrap(), None);
        let first = claim(&mut tx, tenant, id, (now, now.after(LEASE)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((first.connection.fence, first.connection.reply_lost_at), (2, None));
        let until = now.after(LEASE);
        assert_eq!(held_until(&mut tx, tenant, id).await.unwrap(), Some(until));
        assert!(
            claim(
                &mut tx,
                tenant,
                id,
                (until.before(MILLI), until.before(MILLI).after(LEASE))
            )
            .await
            .unwrap()
            .is_none()
        );

        release(&mut tx, &first).await.unwrap();
        assert_eq!(held_until(&mut tx, tenant, id).await.unwrap(), None);
        let second = claim(&mut tx, tenant, id, (now, now.after(LEASE)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(second.connection.reply_lost_at, None, "nothing had been sent");
        release(&mut tx, &first).await.unwrap();
        assert_eq!(
            held_until(&mut tx, tenant, id).await.unwrap(),
            Some(until),
            "not its own"
        );

        let third = claim(&mut tx, tenant, id, (until, until.after(LEASE)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(third.connection.fence, 4);
        assert_eq!(third.connection.reply_lost_at, Some(now), "whoever died may have sent");
        let unknown = ConnectionId::new(now);
        assert!(
            claim(&mut tx, tenant, &unknown, (now, now.after(LEASE)))
                .await
                .unwrap()
                .is_none()
        );
        assert_eq!(held_until(&mut tx, tenant, &unknown).await.unwrap(), None);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_many_claims_at_once_one_succeeds() {
    on_both(async |t| {
        let one = insert(&t).await;
        let other = t.another_process().await;
        let now = t.app.now();
        let mut claims = tokio::task::JoinSet::new();
        for n in 0..16 {
            let app = if n % 2 == 0 { t.app.clone() } else { other.clone() };
            let (tenant, id) = (one.tenant.clone(), one.id.clone());
            claims.spawn(async move {
                let mut tx = app.db.begin().await.unwrap();
                let lease = claim(&mut tx, &tenant, &id, (now, now.after(LEASE))).await.unwrap();
                tx.commit().await.unwrap();
                lease.is_some()
            });
        }
        let won = claims.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_put_off_unless_it_has_been_rescheduled_since() {
    on_both(async |t| {
        let one = insert(&t).await;
        let (tenant, id, now) = (&one.tenant, &one.id, t.app.now());
        let later = now.after(LEASE);
        let mut tx = t.app.db.begin().await.unwrap();
        postpone(&mut tx, (tenant, id), Some(later), now).await.unwrap();
        assert!(find_due(&mut tx, later.before(MILLI), 9).await.unwrap().is_empty());
        assert_eq!(find_due(&mut tx, later, 9).await.unwrap().len(), 1);
        postpone(&mut tx, (tenant, id), None, now).await.unwrap();
        assert_eq!(
            find_due(&mut tx, later, 9).await.unwrap().len(),
            1,
            "not due: left alone"
        );
        postpone(&mut tx, (tenant, id), None, later).await.unwrap();
        assert!(find_due(&mut tx, later, 9).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    })
    .await;
}
