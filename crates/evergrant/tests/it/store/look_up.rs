//! The look-ups of the hot path.

use evergrant::catalog::AuthType;
use evergrant::connections::{ConnectionStatus, Flag, look_up_store as store};
use evergrant::ids::{ConnectionId, TenantId};
use evergrant::reason::{Confidence, Reason};
use evergrant::verdict::Evidence;

use super::connections::{account, add, connection};
use crate::support::{TestApp, TestDatabase, on_both};

#[tokio::test]
async fn a_connection_is_found_with_its_customers_name_by_its_own_tenant_only() {
    on_both(async |t| {
        let account = account(&t, "acct-7").await;
        let stored = add(&t, connection(&t, &account, ("slack", AuthType::OAuth2))).await;
        let other = add(&t, connection(&t, &account, ("slack", AuthType::Keybased))).await;
        let (tenant, stranger) = (&t.environment.tenant.id, TenantId::new(t.app.now()));
        let db = &t.app.db;
        let found = store::by_id(db, tenant, &stored.id).await.unwrap().unwrap();
        assert_eq!(
            (&found.connection, found.linked_account_id.as_str()),
            (&stored, "acct-7")
        );
        let unknown = ConnectionId::new(t.app.now());
        assert_eq!(store::by_id(db, tenant, &unknown).await.unwrap(), None);
        assert_eq!(store::by_id(db, &stranger, &stored.id).await.unwrap(), None);

        let found = store::of_customer(db, db.glance(), tenant, ("acct-7", "slack"))
            .await
            .unwrap();
        let mut found: Vec<_> = found.into_iter().map(|one| one.connection.clone()).collect();
        found.sort_by(|a, b| b.auth_type.as_str().cmp(a.auth_type.as_str()));
        assert_eq!(found, [stored, other]);
        for (whose, account, slug) in [
            (tenant, "acct-7", "hubspot"),
            (tenant, "acct-8", "slack"),
            (&stranger, "acct-7", "slack"),
        ] {
            assert!(
                store::of_customer(db, db.glance(), whose, (account, slug))
                    .await
                    .unwrap()
                    .is_empty()
            );
        }
    })
    .await;
}

/// Many callers at once, of whom some hang up before they are answered.
#[tokio::test(flavor = "multi_thread")]
async fn of_questions_that_share_a_statement_each_gets_its_own_answer_whoever_hangs_up() {
    on_both(async |t| {
        let customer = account(&t, "acct-7").await;
        let mut stored = Vec::new();
        for number in 0..30 {
            let slug = format!("app-{number}");
            stored.push(add(&t, connection(&t, &customer, (&slug, AuthType::OAuth2))).await);
        }
        let mut callers = tokio::task::JoinSet::new();
        for number in 0..600 {
            let (app, key) = (t.app.clone(), t.key.clone());
            let wanted = stored[number % stored.len()].clone();
            callers.spawn(async move {
                let ask = async {
                    let key = evergrant::tenants::authenticate(&app, &key).await.unwrap();
                    assert_eq!(key.tenant.id, wanted.tenant);
                    assert!(evergrant::tenants::authenticate(&app, "nobody's").await.is_err());
                    let found = store::by_id(&app.db, &wanted.tenant, &wanted.id).await.unwrap();
                    let missing = ConnectionId::new(app.now());
                    assert_eq!(store::by_id(&app.db, &wanted.tenant, &missing).await.unwrap(), None);
                    let slug = (&*found.as_ref().unwrap().linked_account_id, &*wanted.slug);
                    assert_eq!(
                        store::of_customer(&app.db, app.db.glance(), &wanted.tenant, slug)
                            .await
                            .unwrap()
                            .len(),
                        1
                    );
                    assert_eq!(found.unwrap().connection, wanted);
                };
                if number % 3 == 0 {
                    // Polled a few times at most, and dropped wherever it is then.
                    let hangs_up = async {
                        for _ in 0..number % 7 {
                            tokio::task::yield_now().await;
                        }
                    };
                    tokio::select! { biased; () = hangs_up => false, () = ask => true }
                } else {
                    ask.await;
                    true
                }
            });
        }
        let answered = callers
            .join_all()
            .await
            .into_iter()
            .filter(|answered| *answered)
            .count();
        assert!(answered >= 400, "{answered}");
    })
    .await;
}

/// While many ask about a connection all the time, nobody hears of a state that was over before he asked.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_never_older_than_the_question() {
    use std::sync::atomic::{AtomicI64, Ordering};
    on_both(async |t| {
        let customer = account(&t, "acct-7").await;
        let mut one = add(&t, connection(&t, &customer, ("slack", AuthType::OAuth2))).await;
        let committed: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(one.version)));
        let other = t.another_process().await;
        let mut callers = tokio::task::JoinSet::new();
        let last = one.version + 30;
        for _ in 0..16 {
            let (app, one) = (t.app.clone(), one.clone());
            callers.spawn(async move {
                loop {
                    let before = committed.load(Ordering::SeqCst);
                    let found = store::by_id(&app.db, &one.tenant, &one.id).await.unwrap().unwrap();
                    let seen = found.connection.version;
                    assert!(seen >= before, "{seen} was over: {before} had been committed");
                    if seen == last {
                        return;
                    }
                }
            });
        }
        while one.version < last {
            one.version += 1;
            let mut tx = other.db.begin().await.unwrap();
            evergrant::connections::store::save(&mut tx, &one).await.unwrap();
            tx.commit().await.unwrap();
            committed.store(one.version, Ordering::SeqCst);
        }
        callers.join_all().await;
    })
    .await;
}

/// Whoever asks again and again hears at once what another process has done meanwhile.
#[tokio::test]
async fn what_another_process_revokes_flags_or_ends_is_seen_by_the_very_next_look_up() {
    on_both(async |t| {
        let other = t.another_process().await;
        let customer = account(&t, "acct-7").await;
        let mut one = add(&t, connection(&t, &customer, ("slack", AuthType::OAuth2))).await;
        let key = evergrant::tenants::create_key(&other, &t.environment, "second", evergrant::tenants::Scopes::ALL);
        let key = key.await.unwrap();
        let (db, tenant, stranger) = (&t.app.db, &one.tenant.clone(), TenantId::new(t.app.now()));
        for round in 0..20 {
            one.version += 1;
            one.status = if round % 2 == 0 {
                flagged(&t)
            } else {
                ConnectionStatus::Active
            };
            let mut tx = other.db.begin().await.unwrap();
            evergrant::connections::store::save(&mut tx, &one).await.unwrap();
            tx.commit().await.unwrap();
            for _ in 0..3 {
                let found = store::by_id(db, tenant, &one.id).await.unwrap().unwrap();
                assert_eq!(
                    (found.connection.version, &found.connection.status),
                    (one.version, &one.status)
                );
                let of_customer = store::of_customer(db, db.glance(), tenant, ("acct-7", "slack"))
                    .await
                    .unwrap();
                assert_eq!(of_customer, [found]);
                assert_eq!(store::by_id(db, &stranger, &one.id).await.unwrap(), None);
                let theirs = store::of_customer(db, db.glance(), &stranger, ("acct-7", "slack"))
                    .await
                    .unwrap();
                assert!(theirs.is_empty());
            }
        }
        for _ in 0..3 {
            evergrant::tenants::authenticate(&t.app, key.value.expose())
                .await
                .unwrap();
        }
        evergrant::tenants::revoke_key(&other, tenant, &key.key.id)
            .await
            .unwrap();
        assert!(
            evergrant::tenants::authenticate(&t.app, key.value.expose())
                .await
                .is_err()
        );

        one.status = ConnectionStatus::Disconnected { at: t.app.now() };
        let mut tx = other.db.begin().await.unwrap();
        evergrant::connections::store::save(&mut tx, &one).await.unwrap();
        tx.commit().await.unwrap();
        assert!(
            store::of_customer(db, db.glance(), tenant, ("acct-7", "slack"))
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

fn flagged(t: &TestApp) -> ConnectionStatus {
    ConnectionStatus::ReauthRequired(Flag {
        reason: Reason::TokenRevoked,
        since: t.app.now(),
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: "manual".to_owned(),
            words: String::new(),
            status: 0,
        },
    })
}

#[tokio::test]
async fn on_sqlite_nothing_is_asked_again_until_somebody_commits() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let other = t.another_process().await;
    let customer = account(&t, "acct-7").await;
    let one = add(&t, connection(&t, &customer, ("slack", AuthType::OAuth2))).await;
    let asked = async |times: u32| {
        let before = t.app.db.statements_of_look_ups();
        for _ in 0..times {
            evergrant::tenants::authenticate(&t.app, &t.key).await.unwrap();
            store::by_id(&t.app.db, &one.tenant, &one.id).await.unwrap().unwrap();
        }
        t.app.db.statements_of_look_ups() - before
    };
    assert_eq!(asked(1).await, 2);
    assert_eq!(asked(100).await, 0);
    // Whatever it was, and whoever did it.
    for app in [&t.app, &other] {
        let mut tx = app.db.begin().await.unwrap();
        evergrant::tenants::store::audit(&mut tx, &one.tenant, ("operator", "test", "x"), app.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(asked(2).await, 2);
    }
    // What was taken back was no commit.
    let mut tx = other.db.begin().await.unwrap();
    evergrant::tenants::store::audit(&mut tx, &one.tenant, ("operator", "test", "x"), t.app.now())
        .await
        .unwrap();
    drop(tx);
    assert_eq!(asked(2).await, 0);
    // A caller's endless text is answered, and not kept.
    let endless = "x".repeat(600);
    for _ in 0..2 {
        let found = store::of_customer(&t.app.db, t.app.db.glance(), &one.tenant, (&endless, "slack"))
            .await
            .unwrap();
        assert!(found.is_empty());
    }
    assert_eq!(asked(2).await, 0);
}
