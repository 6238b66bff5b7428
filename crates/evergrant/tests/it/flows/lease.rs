//! One renewal at a time, and newer wins.

use std::time::Duration;

use evergrant::app::App;
use evergrant::connections::{self, Connection, Credential, Fresh, Guard, Observed, Recorded, Writer};
use evergrant::ids::ConnectionId;
use evergrant::reason::{Confidence, Reason, Verdict};
use evergrant::refresh::{self, Did, LEASE, Lease, Outcome, Why};
use evergrant::sandbox::Cause;
use evergrant::secret::Secret;
use evergrant::steps::Step;
use evergrant::tenants::Tenant;
use evergrant::verdict::{Evidence, Judgement};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{CRM, Story, run_due, story, timeline};

const HOUR: Duration = Duration::from_hours(1);
const USE: Why = Why::Use {
    need: Duration::from_mins(5),
};

/// A renewal that goes on by itself.
fn begin(tasks: &mut JoinSet<Outcome>, (app, tenant): (&App, &Tenant), id: &str, why: Why) {
    let (app, tenant, id) = (app.clone(), tenant.clone(), id.parse::<ConnectionId>().unwrap());
    tasks.spawn(async move { refresh::renew(&app, &tenant, &id, why).await.unwrap() });
}

async fn claim(s: &Story, id: &str) -> Lease {
    let id = id.parse().unwrap();
    let mut tx = s.t.app.db.begin().await.unwrap();
    let lease = refresh::claim(
        &mut tx,
        &s.tenant().id,
        &id,
        (s.t.app.now(), s.t.app.now().after(LEASE)),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    lease.unwrap()
}

/// Whether somebody holds the lease.
async fn is_held(s: &Story, id: &str) -> bool {
    let mut conn = s.t.app.db.read().await.unwrap();
    let until = refresh::held_until(&mut conn, &s.tenant().id, &id.parse().unwrap()).await;
    until.unwrap().is_some_and(|until| until > s.t.app.now())
}

fn judged(verdict: Verdict, reason: Option<Reason>) -> Judgement {
    Judgement {
        verdict,
        reason,
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: "test".to_owned(),
            words: String::new(),
            status: 400,
        },
    }
}

/// The end of an attempt that a worker began with this lease.
async fn end(s: &Story, lease: &Lease, (judgement, fresh): (Judgement, Option<Fresh>)) -> Recorded {
    let held = &lease.connection;
    let seen = Observed {
        guard: Guard {
            version: held.version,
            writer: if fresh.is_some() {
                Writer::Bearer(held.fence)
            } else {
                Writer::Holder(held.fence)
            },
        },
        judgement,
        fresh,
        retry_after: None,
        reply_lost: false,
    };
    connections::record(&s.t.app, s.tenant(), &held.id, &seen)
        .await
        .unwrap()
}

/// The stored tokens with another access token.
async fn rotated(s: &Story, held: &Connection, access: &str) -> Fresh {
    let opened = connections::open_credential(&s.t.app, s.tenant(), held).await.unwrap();
    let Credential::OAuth2(mut tokens) = opened else {
        panic!("no grant")
    };
    tokens.access_token = Secret::from(access.to_owned());
    Fresh {
        credential: Credential::OAuth2(tokens),
        schedule: held.schedule.clone(),
    }
}

async fn access_token(s: &Story, id: &str) -> String {
    let connection = s.find(id).await;
    let opened = connections::open_credential(&s.t.app, s.tenant(), &connection).await;
    let Ok(Credential::OAuth2(tokens)) = opened else {
        panic!("no grant")
    };
    tokens.access_token.expose().to_owned()
}

#[tokio::test]
async fn two_processes_that_need_the_same_token_refresh_it_once() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let other = s.t.another_process().await;
        let key: ConnectionId = id.parse().unwrap();
        let (one, two) = tokio::join!(
            refresh::renew(&s.t.app, s.tenant(), &key, USE),
            refresh::renew(&other, s.tenant(), &key, USE)
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(s.provider.refreshes(), 1);
        assert_eq!(one.connection.version, two.connection.version);
        assert!(one.connection.schedule.expires_at.unwrap() > s.t.app.now());
        assert!([one.did, two.did].contains(&Did::Renewed));
        assert_eq!(s.provider.grants(), ["living"]);
    })
    .await;
}

#[tokio::test]
async fn twenty_callers_at_once_over_two_processes_refresh_once() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let other = s.t.another_process().await;
        let held = s.provider.hold_refreshes();
        let mut callers = JoinSet::new();
        for n in 0..20 {
            let app = if n % 2 == 0 { &s.t.app } else { &other };
            begin(
                &mut callers,
                (app, s.tenant()),
                &id,
                if n < 10 { USE } else { Why::Forced },
            );
        }
        held.arrived().await;
        // The sweep passes by and does not wait.
        assert_eq!(refresh::run_due(&s.t.app, &CancellationToken::new()).await.unwrap(), 0);
        assert_eq!(s.provider.refreshes(), 1);
        held.release();
        let mut renewed = 0;
        while let Some(done) = callers.join_next().await {
            let done = done.unwrap();
            assert!(
                done.connection.schedule.expires_at.unwrap() > s.t.app.now(),
                "{:?}",
                done.did
            );
            renewed += usize::from(done.did == Did::Renewed);
        }
        // Whoever asked by force and came after the end may refresh again; nobody used a token twice.
        assert_eq!(s.provider.refreshes(), renewed);
        assert_eq!(s.provider.grants(), ["living"]);
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn who_comes_while_a_renewal_is_under_way_waits_for_its_outcome() {
    story(async |s| {
        let id = s.connect().await;
        let held = s.provider.hold_refreshes();
        let mut callers = JoinSet::new();
        begin(&mut callers, (&s.t.app, s.tenant()), &id, Why::Forced);
        held.arrived().await;
        let before = s.find(&id).await.version;
        let key: ConnectionId = id.parse().unwrap();
        let waiting = refresh::renew(&s.t.app, s.tenant(), &key, Why::Forced);
        // Let go only once the second caller has met the lease.
        let release = async {
            while !s.t.app.steps.has_passed(Step::RefreshWaiting) {
                tokio::task::yield_now().await;
            }
            held.release();
        };
        let (waited, ()) = tokio::join!(waiting, release);
        let waited = waited.unwrap();
        assert_eq!(waited.did, Did::Waited);
        assert_eq!(waited.connection.version, before + 1);
        assert_eq!(callers.join_next().await.unwrap().unwrap().did, Did::Renewed);
        assert_eq!(s.provider.refreshes(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_late_refresh_does_not_overwrite_a_reconnect() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let held = s.provider.hold_refreshes();
        let mut late = JoinSet::new();
        begin(&mut late, (&s.t.app, s.tenant()), &id, Why::Due);
        held.arrived().await;
        assert_eq!(s.connect().await, id);
        let newer = (s.connection(&id).await, access_token(&s, &id).await);
        held.release();
        let done = late.join_next().await.unwrap().unwrap();
        assert_eq!(done.did, Did::Superseded);
        assert_eq!((s.connection(&id).await, access_token(&s, &id).await), newer);
        assert_eq!(s.act(&id, "check").await["connection"]["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_that_comes_after_a_reconnect_flags_nobody() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let held = s.provider.hold_refreshes();
        let mut late = JoinSet::new();
        begin(&mut late, (&s.t.app, s.tenant()), &id, Why::Due);
        held.arrived().await;
        s.provider.strike(Cause::TokenRevoked);
        assert_eq!(s.connect().await, id);
        held.release();
        let done = late.join_next().await.unwrap().unwrap();
        assert_eq!(done.did, Did::Superseded);
        s.assert_healthy(CRM).await;
        run_due(&s.t.app).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
        assert_eq!(s.provider.grants(), ["revoked", "living"]);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_ends_after_a_disconnect_brings_nothing_back() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let held = s.provider.hold_refreshes();
        let mut late = JoinSet::new();
        begin(&mut late, (&s.t.app, s.tenant()), &id, Why::Due);
        held.arrived().await;
        s.disconnect(CRM, "").await;
        held.release();
        assert_eq!(late.join_next().await.unwrap().unwrap().did, Did::Superseded);
        s.assert_never_connected(CRM).await;
        assert!(s.find(&id).await.sealed.is_none());
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-oauth", "Connection Deleted sandbox-oauth"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_refusal_changes_nothing_once_another_worker_has_rotated() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let slow = claim(&s, &id).await;
        s.pass(LEASE);
        run_due(&s.t.app).await;
        assert_eq!(s.provider.refreshes(), 1);
        let before = s.connection(&id).await;
        let refused = judged(Verdict::Reauth, Some(Reason::TokenRevoked));
        let ended = end(&s, &slow, (refused, None)).await;
        assert!(matches!(ended, Recorded::Superseded));
        assert_eq!(s.connection(&id).await, before);
        s.assert_healthy(CRM).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_rotated_token_is_stored_though_its_lease_was_taken_over() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let slow = claim(&s, &id).await;
        s.pass(LEASE);
        let over = claim(&s, &id).await;
        assert_eq!(over.connection.reply_lost_at, Some(s.t.app.now().before(LEASE)));
        let fresh = rotated(&s, &slow.connection, "the slow one's").await;
        let ended = end(&s, &slow, (judged(Verdict::Ok, None), Some(fresh))).await;
        assert!(matches!(ended, Recorded::Changed(..)));
        assert_eq!(access_token(&s, &id).await, "the slow one's");
        assert!(is_held(&s, &id).await, "the other one may have a request under way");
        // The other one used the same refresh token, and is told that it is dead: that is about the past.
        let refused = judged(Verdict::Reauth, Some(Reason::TokenRevoked));
        let ended = end(&s, &over, (refused, None)).await;
        assert!(matches!(ended, Recorded::Superseded));
        assert!(!is_held(&s, &id).await);
        let fresh = rotated(&s, &over.connection, "the late one's").await;
        let ended = end(&s, &over, (judged(Verdict::Ok, None), Some(fresh))).await;
        assert!(matches!(ended, Recorded::Superseded));
        assert_eq!(access_token(&s, &id).await, "the slow one's");
        assert_eq!(timeline(&s.connection(&id).await), ["connected"]);
    })
    .await;
}

#[tokio::test]
async fn what_the_team_was_told_while_a_refresh_was_under_way_is_not_forgotten() {
    story(async |s| {
        let id = s.connect().await;
        let slow = claim(&s, &id).await;
        let mut told = s.find(&id).await;
        told.schedule.told_end = Some(s.t.app.now());
        let mut tx = s.t.app.db.begin().await.unwrap();
        connections::store::save_beside(&mut tx, &told).await.unwrap();
        tx.commit().await.unwrap();
        let fresh = rotated(&s, &slow.connection, "new").await;
        assert_eq!(fresh.schedule.told_end, None, "as it was when the lease was taken");
        let ended = end(&s, &slow, (judged(Verdict::Ok, None), Some(fresh))).await;
        assert!(matches!(ended, Recorded::Changed(..)));
        assert_eq!(s.find(&id).await.schedule.told_end, told.schedule.told_end);
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_worker_that_has_died_takes_over() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        claim(&s, &id).await;
        let key: ConnectionId = id.parse().unwrap();
        let waiting = refresh::renew(&s.t.app, s.tenant(), &key, USE);
        let lapse = async {
            while !s.t.app.steps.has_passed(Step::RefreshWaiting) {
                tokio::task::yield_now().await;
            }
            s.pass(LEASE);
        };
        let (outcome, ()) = tokio::join!(waiting, lapse);
        assert_eq!(outcome.unwrap().did, Did::Renewed);
        assert_eq!(s.provider.refreshes(), 1);
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_dies_with_the_lease_is_followed_by_another() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(50 * Duration::from_mins(1));
        claim(&s, &id).await;
        let restarted = s.t.another_process().await;
        s.pass(LEASE.saturating_sub(Duration::from_millis(1)));
        assert_eq!(
            refresh::run_due(&restarted, &CancellationToken::new()).await.unwrap(),
            0
        );
        assert_eq!(s.provider.refreshes(), 0);
        s.pass(Duration::from_millis(1));
        run_due(&restarted).await;
        assert_eq!(s.provider.refreshes(), 1);
        s.assert_healthy(CRM).await;
        assert_eq!(s.find(&id).await.reply_lost_at, None);
        assert_eq!(s.connection(&id).await["trouble"], Value::Null);
    })
    .await;
}
