//! Session tokens and hosted properties.

use std::time::Duration;

use evergrant::accounts::{self, LinkedAccount};
use evergrant::clock::Timestamp;
use evergrant::ids::SessionId;
use evergrant::sessions::store::{self, NewSession};
use evergrant::vault::Sealed;
use sqlx::AnyConnection;

use crate::support::{TestApp, on_both};

const HOUR: Duration = Duration::from_hours(1);

async fn account(t: &TestApp) -> LinkedAccount {
    t.link("a").await;
    accounts::find(&t.app, &t.environment.tenant, "a").await.unwrap()
}

async fn insert(conn: &mut AnyConnection, t: &TestApp, account: &LinkedAccount, end: (&str, Timestamp)) -> SessionId {
    let id = SessionId::new(t.app.now());
    let new = NewSession {
        id: &id,
        account: &account.id,
        hash: end.0,
        sealed: &Sealed::from_bytes(b"sealed".to_vec()),
        expires_at: end.1,
        refresh_expires_at: end.1,
    };
    store::insert(conn, &t.environment.tenant.id, &new, t.app.now())
        .await
        .unwrap();
    id
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_ends_or_is_revoked() {
    on_both(async |t| {
        let (account, mine, now) = (account(&t).await, &t.environment.tenant.id, t.app.now());
        let theirs = evergrant::tenants::authenticate(&t.app, &t.stranger().await)
            .await
            .unwrap()
            .tenant
            .id
            .clone();
        let mut tx = t.app.db.begin().await.unwrap();
        let id = insert(&mut tx, &t, &account, ("h1", now.after(HOUR))).await;
        let found = store::find_by_hash(&mut tx, "h1", now).await.unwrap().unwrap();
        assert_eq!(
            (&found.id, &found.account, &found.tenant),
            (&id, &account, &t.environment.tenant)
        );
        assert!(
            store::find_by_hash(&mut tx, "h1", now.after(HOUR))
                .await
                .unwrap()
                .is_none()
        );
        assert!(store::find_by_hash(&mut tx, "h2", now).await.unwrap().is_none());
        assert!(!store::revoke(&mut tx, &theirs, &id, now).await.unwrap());
        assert!(store::revoke(&mut tx, mine, &id, now).await.unwrap());
        assert!(!store::revoke(&mut tx, mine, &id, now).await.unwrap());
        assert!(store::find_by_hash(&mut tx, "h1", now).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn the_token_that_lives_longest_is_handed_out_again_if_it_lives_long_enough() {
    on_both(async |t| {
        let (account, mine, now) = (account(&t).await, &t.environment.tenant.id, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        insert(&mut tx, &t, &account, ("h1", now.after(HOUR))).await;
        let best = insert(&mut tx, &t, &account, ("h2", now.after(2 * HOUR))).await;
        let until = now.after(2 * HOUR);
        let found = store::reusable(&mut tx, mine, &account.id, until)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&found.id, found.expires_at), (&best, until));
        let after = until.after(Duration::from_millis(1));
        assert!(
            store::reusable(&mut tx, mine, &account.id, after)
                .await
                .unwrap()
                .is_none()
        );
        store::revoke(&mut tx, mine, &best, now).await.unwrap();
        assert!(
            store::reusable(&mut tx, mine, &account.id, until)
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn only_expired_sessions_are_purged_and_an_accounts_end_ends_its_sessions() {
    on_both(async |t| {
        let (account, mine, now) = (account(&t).await, &t.environment.tenant.id, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        insert(&mut tx, &t, &account, ("h1", now.after(HOUR))).await;
        insert(&mut tx, &t, &account, ("h2", now.after(2 * HOUR))).await;
        assert_eq!(
            store::purge_expired_of_all_tenants(&mut tx, now.after(HOUR))
                .await
                .unwrap(),
            1
        );
        assert!(store::find_by_hash(&mut tx, "h2", now).await.unwrap().is_some());
        accounts::store::delete(&mut tx, mine, &account.id).await.unwrap();
        assert!(store::find_by_hash(&mut tx, "h2", now).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn properties_are_kept_until_their_end_and_go_with_a_revocation() {
    on_both(async |t| {
        let (account, mine, now) = (account(&t).await, &t.environment.tenant.id, t.app.now());
        let theirs = evergrant::tenants::authenticate(&t.app, &t.stranger().await)
            .await
            .unwrap()
            .tenant
            .id
            .clone();
        let mut tx = t.app.db.begin().await.unwrap();
        let id = insert(&mut tx, &t, &account, ("h1", now.after(24 * HOUR))).await;
        assert_eq!(store::properties(&mut tx, mine, &id, now).await.unwrap(), None);
        store::put_properties(&mut tx, mine, &id, ("{ }", now.after(HOUR)))
            .await
            .unwrap();
        store::put_properties(&mut tx, &theirs, &id, ("{\"x\":1}", now.after(HOUR)))
            .await
            .unwrap();
        assert_eq!(
            store::properties(&mut tx, mine, &id, now).await.unwrap().as_deref(),
            Some("{ }")
        );
        assert_eq!(store::properties(&mut tx, &theirs, &id, now).await.unwrap(), None);
        assert_eq!(
            store::properties(&mut tx, mine, &id, now.after(HOUR)).await.unwrap(),
            None
        );
        store::revoke(&mut tx, mine, &id, now).await.unwrap();
        assert_eq!(store::properties(&mut tx, mine, &id, now).await.unwrap(), None);
    })
    .await;
}
