//! Addresses for notices, and what is remembered of those that came.

use std::time::Duration;

use evergrant::notices::{Address, store};
use evergrant::vault::Sealed;

use crate::support::{TestApp, on_both};

fn address(t: &TestApp, id: &str, slug: &str) -> Address {
    Address {
        id: id.to_owned(),
        tenant: t.environment.tenant.id.clone(),
        slug: slug.to_owned(),
        sealed_secret: Some(Sealed::from_bytes(vec![0, 255])),
        sealed_previous: None,
        previous_until: None,
        heard_at: None,
        refused: None,
        created_at: t.app.now(),
        updated_at: t.app.now(),
    }
}

#[tokio::test]
async fn an_application_has_one_address_and_only_its_tenant_finds_it() {
    on_both(async |t| {
        let mine = &t.environment.tenant.id;
        let key = t.stranger().await;
        let theirs = evergrant::tenants::authenticate(&t.app, &key)
            .await
            .unwrap()
            .tenant
            .id
            .clone();
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(store::put(&mut tx, &address(&t, "first", "slack")).await.unwrap());
        assert!(
            store::put(&mut tx, &address(&t, "first", "slack")).await.unwrap(),
            "changed in place"
        );
        assert!(
            !store::put(&mut tx, &address(&t, "second", "slack")).await.unwrap(),
            "the row is another"
        );
        assert_eq!(store::find(&mut tx, mine, "slack").await.unwrap().unwrap().id, "first");
        assert!(store::find(&mut tx, &theirs, "slack").await.unwrap().is_none());
        assert_eq!(store::list(&mut tx, mine).await.unwrap().len(), 1);
        assert!(store::list(&mut tx, &theirs).await.unwrap().is_empty());
        let by_id = store::by_id_of_all_tenants(&mut tx, "first").await.unwrap().unwrap();
        assert_eq!(&by_id.tenant, mine);
        assert!(store::by_id_of_all_tenants(&mut tx, "second").await.unwrap().is_none());
        assert!(!store::remove(&mut tx, &theirs, "slack").await.unwrap());
        assert!(store::remove(&mut tx, mine, "slack").await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_notice_is_remembered_until_its_time_is_over() {
    on_both(async |t| {
        let mine = &t.environment.tenant.id;
        let now = t.app.now();
        let until = now.after(Duration::from_mins(10));
        let mut tx = t.app.db.begin().await.unwrap();
        store::remember(&mut tx, mine, ("slack", "d1"), until).await.unwrap();
        store::remember(&mut tx, mine, ("slack", "d1"), until).await.unwrap();
        let heard = async |tx: &mut evergrant::db::Tx, slug: &str, digest: &str, at| {
            store::was_heard(tx, mine, (slug, digest), at).await.unwrap()
        };
        assert!(heard(&mut tx, "slack", "d1", now).await);
        assert!(!heard(&mut tx, "slack", "d2", now).await);
        assert!(!heard(&mut tx, "github", "d1", now).await);
        assert!(!heard(&mut tx, "slack", "d1", until).await);
        assert_eq!(store::purge_of_all_tenants(&mut tx, now).await.unwrap(), 0);
        assert_eq!(store::purge_of_all_tenants(&mut tx, until).await.unwrap(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_arrived_is_written_beside_the_address_and_refusals_at_most_once_a_minute() {
    on_both(async |t| {
        let mine = &t.environment.tenant.id;
        let now = t.app.now();
        let mut tx = t.app.db.begin().await.unwrap();
        store::put(&mut tx, &address(&t, "first", "slack")).await.unwrap();
        store::heard(&mut tx, mine, "slack", now).await.unwrap();
        let minute = Duration::from_mins(1);
        store::refused(&mut tx, mine, ("slack", "one"), (now, now.before(minute)))
            .await
            .unwrap();
        store::refused(&mut tx, mine, ("slack", "two"), (now, now.before(minute)))
            .await
            .unwrap();
        let found = store::find(&mut tx, mine, "slack").await.unwrap().unwrap();
        assert_eq!(
            (found.heard_at, found.refused),
            (Some(now), Some((now, "one".to_owned())))
        );
        let later = now.after(minute + Duration::from_millis(1));
        store::refused(&mut tx, mine, ("slack", "two"), (later, later.before(minute)))
            .await
            .unwrap();
        let found = store::find(&mut tx, mine, "slack").await.unwrap().unwrap();
        assert_eq!(found.refused, Some((later, "two".to_owned())));
        tx.commit().await.unwrap();
    })
    .await;
}
