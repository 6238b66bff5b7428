//! What is due, claiming it, and whom to tell of an end.

use std::time::Duration;

use evergrant::accounts;
use evergrant::catalog::AuthType;
use evergrant::clock::Timestamp;
use evergrant::connections::{Connection, ConnectionStatus, EndBasis, Expected, Schedule, foretell, store};
use evergrant::ids::ConnectionId;
use evergrant::refresh::store::{Due, Lane, Times, due_of_all_tenants, waiting_of};
use evergrant::refresh::{LEASE, claim_due};

use crate::support::{TestApp, on_both};

const MILLI: Duration = Duration::from_millis(1);

/// A connection of an application that fell due so many milliseconds ago.
async fn due_since(t: &TestApp, slug: &str, ago: u64) -> Connection {
    let tenant = &t.environment.tenant;
    let now = t.app.now();
    let id = ConnectionId::new(now);
    t.link(id.as_str()).await;
    let account = accounts::find(&t.app, tenant, id.as_str()).await.unwrap();
    let one = Connection {
        id,
        tenant: tenant.id.clone(),
        account: account.id,
        slug: slug.to_owned(),
        auth_type: AuthType::OAuth2,
        status: ConnectionStatus::Active,
        trouble: None,
        failures: 0,
        identifier: None,
        version: 1,
        fence: 1,
        sealed: None,
        schedule: Schedule {
            due_at: Some(now.before(Duration::from_millis(ago))),
            retry_wait: Some(Duration::from_secs(77)),
            expected: Expected {
                end: Some(now.after(LEASE)),
                basis: EndBasis::IdleLimit,
                moves: true,
            },
            tell_at: Some(now.after(MILLI)),
            told_end: Some(now),
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

fn at(now: Timestamp) -> Times {
    Times { now, lease: now }
}

#[tokio::test]
async fn the_grants_of_an_application_that_wait_are_found_in_the_order_of_locks_and_no_others() {
    on_both(async |t| {
        let (now, tenant) = (t.app.now(), &t.environment.tenant.id);
        let refreshable = async |one: Connection| {
            let schedule = Schedule {
                has_refresh_token: true,
                ..one.schedule.clone()
            };
            let one = Connection { schedule, ..one };
            let mut tx = t.app.db.begin().await.unwrap();
            store::save(&mut tx, &one).await.unwrap();
            tx.commit().await.unwrap();
            one
        };
        let first = refreshable(due_since(&t, "slack", 1).await).await;
        let second = refreshable(due_since(&t, "slack", 9).await).await;
        refreshable(due_since(&t, "hubspot", 9).await).await;
        due_since(&t, "slack", 9).await;
        let later = now.after(MILLI);
        let mut wanted = vec![first.id.clone(), second.id.clone()];
        wanted.sort();
        let mut tx = t.app.db.begin().await.unwrap();
        let found = waiting_of(&mut tx, (tenant, "slack"), at(now), 9).await.unwrap();
        assert_eq!(found, wanted);
        assert_eq!(
            waiting_of(&mut tx, (tenant, "slack"), at(now), 1).await.unwrap(),
            wanted[..1]
        );
        assert!(
            waiting_of(&mut tx, (tenant, "zoom"), at(now), 9)
                .await
                .unwrap()
                .is_empty()
        );
        let due = Due {
            slug: "slack".to_owned(),
            tenant: tenant.clone(),
            id: first.id.clone(),
        };
        claim_due(&mut tx, &due, (at(now), later)).await.unwrap().unwrap();
        let found = waiting_of(&mut tx, (tenant, "slack"), at(now), 9).await.unwrap();
        assert_eq!(found, [second.id], "what is under way does not wait");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn every_lane_has_its_turn_however_much_is_due_before() {
    on_both(async |t| {
        for n in 0..20 {
            due_since(&t, "a-provider-that-hangs", 1000 + n).await;
        }
        let mut few = Vec::new();
        for n in 0..20 {
            few.push(due_since(&t, &format!("app-{n:02}"), 5).await.id);
        }
        let mut conn = t.app.db.read().await.unwrap();
        let mut from = Lane::default();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let due = due_of_all_tenants(&mut conn, at(t.app.now()), (20, &mut from))
                .await
                .unwrap();
            assert_eq!(due.len(), 20);
            seen.extend(due.into_iter().map(|one| one.id));
        }
        assert!(
            few.iter().all(|id| seen.contains(id)),
            "sixteen lanes a time, and then the rest"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_or_seen_to_since_is_not_claimed() {
    on_both(async |t| {
        let one = due_since(&t, "slack", 0).await;
        let now = t.app.now();
        let due = Due {
            slug: one.slug.clone(),
            tenant: one.tenant.clone(),
            id: one.id.clone(),
        };
        let mut tx = t.app.db.begin().await.unwrap();
        let early = Times {
            now: now.before(MILLI),
            lease: now,
        };
        assert!(
            claim_due(&mut tx, &due, (early, now.after(LEASE)))
                .await
                .unwrap()
                .is_none()
        );
        let lease = claim_due(&mut tx, &due, (at(now), now.after(LEASE)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(lease.connection.fence, 2);
        assert_eq!(lease.connection.schedule, one.schedule, "all of it reads back");
        assert!(
            claim_due(&mut tx, &due, (at(now), now.after(LEASE)))
                .await
                .unwrap()
                .is_none()
        );
        let mut find = async |lease: Timestamp| {
            let times = Times { now, lease };
            due_of_all_tenants(&mut tx, times, (9, &mut Lane::default()))
                .await
                .unwrap()
        };
        assert!(find(now.after(LEASE).before(MILLI)).await.is_empty());
        assert_eq!(find(now.after(LEASE)).await, [due]);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_end_is_told_of_by_one_worker_and_once() {
    on_both(async |t| {
        let one = due_since(&t, "slack", 0).await;
        let (tell_at, tenant) = (t.app.now().after(MILLI), &one.tenant);
        let mut tx = t.app.db.begin().await.unwrap();
        let early = foretell::store::to_tell_of_all_tenants(&mut tx, t.app.now(), 9)
            .await
            .unwrap();
        assert!(early.is_empty());
        let found = foretell::store::to_tell_of_all_tenants(&mut tx, tell_at, 9)
            .await
            .unwrap();
        assert_eq!(found, [(tenant.clone(), one.id.clone())]);
        let held = foretell::store::hold_to_tell(&mut tx, tenant, &one.id, tell_at)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(held.schedule.told_end, one.schedule.expected.end);
        assert!(
            foretell::store::hold_to_tell(&mut tx, tenant, &one.id, tell_at)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            foretell::store::to_tell_of_all_tenants(&mut tx, tell_at, 9)
                .await
                .unwrap()
                .is_empty()
        );
        tx.commit().await.unwrap();
    })
    .await;
}
