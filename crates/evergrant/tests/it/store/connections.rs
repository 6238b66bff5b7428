//! Connections: guards, look-ups, what is due.

use std::time::Duration;

use evergrant::accounts::{self, LinkedAccount};
use evergrant::catalog::AuthType;
use evergrant::connections::store::{self, TimelineEntry};
use evergrant::connections::{
    Connection, ConnectionStatus, EndBasis, Expected, Flag, Guard, Schedule, Trouble, Writer,
};
use evergrant::ids::{ConnectionId, TenantId};
use evergrant::reason::{Confidence, Reason, Verdict};
use evergrant::vault::Sealed;
use evergrant::verdict::Evidence;
use serde_json::json;

use super::find_due;
use crate::support::{TestApp, on_both};

const HOUR: Duration = Duration::from_hours(1);

pub(super) async fn account(t: &TestApp, id: &str) -> LinkedAccount {
    t.link(id).await;
    accounts::find(&t.app, &t.environment.tenant, id).await.unwrap()
}

/// A connection with every column filled that an active one can have.
pub(super) fn connection(t: &TestApp, account: &LinkedAccount, (slug, auth_type): (&str, AuthType)) -> Connection {
    let now = t.app.now();
    Connection {
        id: ConnectionId::new(now),
        tenant: t.environment.tenant.id.clone(),
        account: account.id.clone(),
        slug: slug.to_owned(),
        auth_type,
        status: ConnectionStatus::Active,
        trouble: Some(Trouble {
            verdict: Verdict::AppBroken,
            reason: Some(Reason::OauthClientSecretInvalid),
            since: now,
        }),
        failures: 3,
        identifier: Some(json!({ "id": "é" })),
        version: 2,
        fence: 5,
        sealed: Some(Sealed::from_bytes(vec![0, 255, 1])),
        schedule: Schedule {
            has_refresh_token: true,
            issued_at: Some(now),
            expires_at: Some(now.after(HOUR)),
            refresh_issued_at: Some(now),
            refresh_expires_at: Some(now.after(24 * HOUR)),
            due_at: Some(now.after(HOUR / 2)),
            retry_wait: Some(Duration::from_secs(45)),
            expected: Expected {
                end: Some(now.after(HOUR)),
                basis: EndBasis::Stated,
                moves: true,
            },
            tell_at: None,
            told_end: Some(now),
        },
        last_ok_at: Some(now),
        reply_lost_at: Some(now),
        connected_at: now,
        created_at: now,
        updated_at: now,
    }
}

/// Stores a connection.
pub(super) async fn add(t: &TestApp, new: Connection) -> Connection {
    let mut tx = t.app.db.begin().await.unwrap();
    assert!(store::insert(&mut tx, &new).await.unwrap());
    store::save(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    new
}

fn evidence() -> Evidence {
    Evidence {
        rule: "test".to_owned(),
        words: "wörds".to_owned(),
        status: 401,
    }
}

async fn stranger(t: &TestApp) -> TenantId {
    let key = t.stranger().await;
    evergrant::tenants::authenticate(&t.app, &key)
        .await
        .unwrap()
        .tenant
        .id
        .clone()
}

#[tokio::test]
async fn a_connection_is_written_read_and_held_only_by_its_guard() {
    on_both(async |t| {
        let (account, theirs, now) = (account(&t, "a").await, stranger(&t).await, t.app.now());
        let mut one = connection(&t, &account, ("slack", AuthType::OAuth2));
        let mine = one.tenant.clone();
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(store::insert(&mut tx, &one).await.unwrap());
        store::save(&mut tx, &one).await.unwrap();
        let twin = connection(&t, &account, ("slack", AuthType::OAuth2));
        assert!(
            !store::insert(&mut tx, &twin).await.unwrap(),
            "one live connection each"
        );
        assert_eq!(store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap(), one);
        assert!(store::get(&mut tx, &theirs, &one.id).await.unwrap().is_none());

        let guard = |version, writer| (Guard { version, writer }, now);
        for (guard, held) in [
            (guard(2, Writer::Beside), true),
            (guard(2, Writer::Holder(5)), true),
            (guard(2, Writer::Holder(4)), false),
            (guard(2, Writer::Bearer(4)), true),
            (guard(1, Writer::Beside), false),
            (guard(1, Writer::Bearer(5)), false),
            (guard(3, Writer::Holder(5)), false),
        ] {
            let found = store::hold(&mut tx, &mine, &one.id, guard).await.unwrap();
            assert_eq!(found.is_some(), held, "{guard:?}");
        }
        let foreign = store::hold(&mut tx, &theirs, &one.id, guard(2, Writer::Beside)).await;
        assert!(foreign.unwrap().is_none());
        let key = |kind| ("slack", kind, now);
        let live = store::hold_live(&mut tx, &mine, &account.id, key(AuthType::OAuth2)).await;
        assert_eq!(live.unwrap().unwrap().id, one.id);
        let live = store::hold_live(&mut tx, &mine, &account.id, key(AuthType::Keybased)).await;
        assert!(live.unwrap().is_none());

        one.status = ConnectionStatus::ReauthRequired(Flag {
            reason: Reason::TokenRevoked,
            since: now,
            confidence: Confidence::Inferred,
            evidence: evidence(),
        });
        one.trouble = None;
        store::save(&mut tx, &one).await.unwrap();
        assert_eq!(store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap(), one);

        one.status = ConnectionStatus::Disconnected { at: now };
        one.sealed = None;
        store::save(&mut tx, &one).await.unwrap();
        assert_eq!(store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap(), one);
        assert!(
            store::hold(&mut tx, &mine, &one.id, guard(2, Writer::Beside))
                .await
                .unwrap()
                .is_none()
        );
        assert!(store::insert(&mut tx, &twin).await.unwrap(), "its place is free again");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn lists_hold_the_live_ones_of_their_tenant_alone() {
    on_both(async |t| {
        let (a, b) = (account(&t, "a").await, account(&t, "b").await);
        let theirs = stranger(&t).await;
        let mine = &t.environment.tenant.id;
        let mut tx = t.app.db.begin().await.unwrap();
        let mut ids = Vec::new();
        for (account, slug, kind) in [
            (&a, "slack", AuthType::OAuth2),
            (&a, "copper", AuthType::Keybased),
            (&b, "slack", AuthType::OAuth2),
            (&b, "slack", AuthType::Keybased),
        ] {
            let one = connection(&t, account, (slug, kind));
            store::insert(&mut tx, &one).await.unwrap();
            store::save(&mut tx, &one).await.unwrap();
            ids.push(one.id);
        }
        let gone = Connection {
            status: ConnectionStatus::Disconnected { at: t.app.now() },
            ..connection(&t, &b, ("copper", AuthType::Keybased))
        };
        store::insert(&mut tx, &gone).await.unwrap();
        store::save(&mut tx, &gone).await.unwrap();

        let of = |list: Vec<Connection>| list.into_iter().map(|one| one.id).collect::<Vec<_>>();
        let of_a = of(store::of_account(&mut tx, mine, &a.id).await.unwrap());
        assert_eq!(of_a, [ids[1].clone(), ids[0].clone()], "by slug");
        let mut slack = of(store::live_of_application(&mut tx, mine, "slack").await.unwrap());
        let mut wanted = vec![ids[0].clone(), ids[2].clone()];
        slack.sort();
        wanted.sort();
        assert_eq!(slack, wanted, "those that use the OAuth client");
        assert!(store::of_account(&mut tx, &theirs, &a.id).await.unwrap().is_empty());
        assert!(
            store::live_of_application(&mut tx, &theirs, "slack")
                .await
                .unwrap()
                .is_empty()
        );
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_found_by_its_account_at_the_provider_until_it_is_erased() {
    on_both(async |t| {
        let (a, b, theirs) = (account(&t, "a").await, account(&t, "b").await, stranger(&t).await);
        let mine = &t.environment.tenant.id;
        let mut tx = t.app.db.begin().await.unwrap();
        let mut one = connection(&t, &a, ("slack", AuthType::OAuth2));
        let mut two = connection(&t, &b, ("slack", AuthType::OAuth2));
        let mut other = connection(&t, &b, ("hubspot", AuthType::OAuth2));
        one.identifier = Some(json!({ "id": "T1", "name": "Acme" }));
        two.identifier = Some(json!("T1"));
        other.identifier = Some(json!("T1"));
        for each in [&one, &two, &other] {
            store::insert(&mut tx, each).await.unwrap();
            store::save(&mut tx, each).await.unwrap();
        }
        let mut ids = vec![one.id.clone(), two.id.clone()];
        ids.sort();
        let found = async |tx: &mut evergrant::db::Tx, tenant, key| {
            let found = store::of_external_account(tx, tenant, key).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(found(&mut tx, mine, ("slack", "T1")).await, ids);
        assert!(found(&mut tx, mine, ("slack", "T2")).await.is_empty());
        assert!(found(&mut tx, &theirs, ("slack", "T1")).await.is_empty());
        store::identify(&mut tx, &one, &json!({ "id": "T2" }), None)
            .await
            .unwrap();
        assert_eq!(found(&mut tx, mine, ("slack", "T2")).await, [one.id.clone()]);
        two.status = ConnectionStatus::Disconnected { at: t.app.now() };
        two.identifier = None;
        store::save(&mut tx, &two).await.unwrap();
        assert!(found(&mut tx, mine, ("slack", "T1")).await.is_empty());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_broken_client_had_stopped_is_due_again_and_the_rest_is_left_alone() {
    on_both(async |t| {
        let (a, b) = (account(&t, "a").await, account(&t, "b").await);
        let mine = &t.environment.tenant.id;
        let now = t.app.now();
        let mut tx = t.app.db.begin().await.unwrap();
        let broken = connection(&t, &a, ("slack", AuthType::OAuth2));
        let fine = Connection {
            trouble: None,
            ..connection(&t, &b, ("slack", AuthType::OAuth2))
        };
        let key = connection(&t, &a, ("slack", AuthType::Keybased));
        for one in [&broken, &fine, &key] {
            store::insert(&mut tx, one).await.unwrap();
            store::save(&mut tx, one).await.unwrap();
        }
        assert!(find_due(&mut tx, now, 10).await.unwrap().is_empty());
        assert_eq!(store::try_again(&mut tx, mine, "hubspot", now).await.unwrap(), 0);
        assert_eq!(store::try_again(&mut tx, mine, "slack", now).await.unwrap(), 1);
        let due = find_due(&mut tx, now, 10).await.unwrap();
        assert_eq!(due, [(mine.clone(), broken.id.clone())]);
        let later = now.after(HOUR / 2);
        assert_eq!(find_due(&mut tx, later, 10).await.unwrap().len(), 3);
        assert_eq!(find_due(&mut tx, later, 2).await.unwrap().len(), 2);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn many_due_connections_of_one_application_leave_room_for_the_others() {
    on_both(async |t| {
        let mut many = Vec::new();
        for name in ["a", "b", "c", "d"] {
            many.push(connection(&t, &account(&t, name).await, ("slack", AuthType::OAuth2)));
        }
        let late = connection(&t, &account(&t, "e").await, ("hubspot", AuthType::OAuth2));
        let later = t.app.now().after(HOUR);
        let late = Connection {
            schedule: Schedule {
                due_at: Some(later),
                ..late.schedule.clone()
            },
            ..late
        };
        many.push(late.clone());
        let mut tx = t.app.db.begin().await.unwrap();
        for one in &many {
            store::insert(&mut tx, one).await.unwrap();
            store::save(&mut tx, one).await.unwrap();
        }
        let due = find_due(&mut tx, later, 2).await.unwrap();
        assert!(due.contains(&(late.tenant.clone(), late.id.clone())));
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_timeline_is_read_newest_first_and_loses_only_its_evidence() {
    on_both(async |t| {
        let account = account(&t, "a").await;
        let one = connection(&t, &account, ("slack", AuthType::OAuth2));
        let theirs = stranger(&t).await;
        let (mine, now) = (&one.tenant, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        store::insert(&mut tx, &one).await.unwrap();
        let entry = |n: u32| TimelineEntry {
            at: now.after(n * HOUR),
            kind: format!("k{n}"),
            verdict: (n > 0).then_some(Verdict::Reauth),
            reason: (n > 0).then_some(Reason::TokenRevoked),
            confidence: (n > 0).then_some(Confidence::Stated),
            evidence: (n > 0).then(evidence),
        };
        for n in 0..102 {
            store::append_timeline(&mut tx, mine, &one.id, &entry(n)).await.unwrap();
        }
        let read = store::timeline(&mut tx, mine, &one.id).await.unwrap();
        assert_eq!(read.len(), 100);
        assert_eq!((&read[0], &read[99]), (&entry(101), &entry(2)));
        assert!(store::timeline(&mut tx, &theirs, &one.id).await.unwrap().is_empty());
        store::erase_evidence(&mut tx, &theirs, &one.id).await.unwrap();
        assert_eq!(store::timeline(&mut tx, mine, &one.id).await.unwrap(), read);
        store::erase_evidence(&mut tx, mine, &one.id).await.unwrap();
        let erased = store::timeline(&mut tx, mine, &one.id).await.unwrap();
        let bare = |known: &TimelineEntry| TimelineEntry {
            evidence: None,
            ..known.clone()
        };
        assert_eq!(erased, read.iter().map(bare).collect::<Vec<_>>());

        assert_eq!(store::purge_of_all_tenants(&mut tx, now.after(HOUR)).await.unwrap(), 0);
        let gone = Connection {
            status: ConnectionStatus::Disconnected { at: now },
            ..one.clone()
        };
        store::save(&mut tx, &gone).await.unwrap();
        assert_eq!(store::purge_of_all_tenants(&mut tx, now).await.unwrap(), 0);
        assert_eq!(store::purge_of_all_tenants(&mut tx, now.after(HOUR)).await.unwrap(), 1);
        assert!(store::timeline(&mut tx, mine, &one.id).await.unwrap().is_empty());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_observations_that_changed_nothing_the_newest_few_are_kept() {
    on_both(async |t| {
        let account = account(&t, "a").await;
        let one = connection(&t, &account, ("slack", AuthType::OAuth2));
        let theirs = stranger(&t).await;
        let mine = &one.tenant;
        let mut tx = t.app.db.begin().await.unwrap();
        store::insert(&mut tx, &one).await.unwrap();
        for (n, kind) in ["observed", "flagged", "observed", "observed"].into_iter().enumerate() {
            let entry = TimelineEntry {
                at: t.app.now().after(Duration::from_secs(n as u64)),
                kind: kind.to_owned(),
                verdict: None,
                reason: None,
                confidence: None,
                evidence: None,
            };
            store::append_timeline(&mut tx, mine, &one.id, &entry).await.unwrap();
        }
        let kinds = async |tx: &mut evergrant::db::Tx| {
            let read = store::timeline(tx, mine, &one.id).await.unwrap();
            read.into_iter().map(|entry| entry.kind).collect::<Vec<_>>()
        };
        store::forget_observed(&mut tx, &theirs, &one.id, 0).await.unwrap();
        assert_eq!(kinds(&mut tx).await, ["observed", "observed", "flagged", "observed"]);
        store::forget_observed(&mut tx, mine, &one.id, 2).await.unwrap();
        assert_eq!(kinds(&mut tx).await, ["observed", "observed", "flagged"]);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whose_account_it_is_is_written_for_the_credential_that_was_asked_and_no_other() {
    on_both(async |t| {
        let (account, now) = (account(&t, "a").await, t.app.now());
        let one = connection(&t, &account, ("slack", AuthType::OAuth2));
        let mine = one.tenant.clone();
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(store::insert(&mut tx, &one).await.unwrap());
        store::save(&mut tx, &one).await.unwrap();
        let later = now.after(HOUR);
        store::identify(&mut tx, &one, &json!("bob"), Some(later))
            .await
            .unwrap();
        let read = store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap();
        assert_eq!((&read.identifier, read.last_ok_at), (&Some(json!("bob")), Some(later)));
        assert_eq!(
            (read.version, read.fence),
            (one.version, one.fence),
            "a refresh under way is not disturbed"
        );

        store::identify(&mut tx, &one, &json!("carol"), None).await.unwrap();
        let read = store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap();
        assert_eq!(read.last_ok_at, Some(later), "without a proof the time stays");

        let older = Connection {
            version: one.version - 1,
            ..one.clone()
        };
        store::identify(&mut tx, &older, &json!("mallory"), None).await.unwrap();
        let read = store::get(&mut tx, &mine, &one.id).await.unwrap().unwrap();
        assert_eq!(
            read.identifier,
            Some(json!("carol")),
            "a newer credential belongs to whom it belongs"
        );
    })
    .await;
}
