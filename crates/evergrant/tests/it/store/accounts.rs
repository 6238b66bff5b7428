//! Linked accounts, their fields and default apps.

use std::time::Duration;

use evergrant::accounts::{DefaultApp, Field, FieldFilter, LinkedAccount, Page, store};
use evergrant::clock::Timestamp;
use evergrant::ids::{AccountId, RowId, TenantId};
use evergrant::vault::Sealed;
use serde_json::{Value, json};
use sqlx::AnyConnection;

use crate::support::{TestApp, on_both};

fn account(account_id: &str, now: Timestamp) -> LinkedAccount {
    LinkedAccount {
        id: AccountId::new(now),
        account_id: account_id.to_owned(),
        name: None,
        version: 0,
        created_at: now,
        updated_at: now,
    }
}

fn field(key: &str, value: Value, now: Timestamp) -> Field {
    Field {
        id: RowId::new(now),
        key: key.to_owned(),
        value,
        created_at: now,
        updated_at: now,
    }
}

fn default_app(sealed: &[u8], now: Timestamp) -> DefaultApp {
    DefaultApp {
        id: RowId::new(now),
        app_id: Some("app".to_owned()),
        sealed: Sealed::from_bytes(sealed.to_vec()),
        created_at: now,
        updated_at: now,
    }
}

async fn other_tenant(t: &TestApp) -> TenantId {
    let key = t.stranger().await;
    evergrant::tenants::authenticate(&t.app, &key)
        .await
        .unwrap()
        .tenant
        .id
        .clone()
}

async fn insert(conn: &mut AnyConnection, tenant: &TenantId, account_id: &str, now: Timestamp) -> LinkedAccount {
    let new = account(account_id, now);
    assert!(store::insert(conn, tenant, &new).await.unwrap());
    new
}

#[tokio::test]
async fn an_account_is_found_by_either_id_in_its_tenant_only() {
    on_both(async |t| {
        let (mine, theirs, now) = (&t.environment.tenant.id, &other_tenant(&t).await, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        let made = insert(&mut tx, mine, "u@x.y", now).await;
        assert!(
            !store::insert(&mut tx, mine, &account("u@x.y", now)).await.unwrap(),
            "taken"
        );
        insert(&mut tx, theirs, "u@x.y", now).await;
        tx.commit().await.unwrap();

        let mut conn = t.app.db.read().await.unwrap();
        assert_eq!(store::find(&mut conn, mine, "u@x.y").await.unwrap(), Some(made.clone()));
        assert_eq!(store::get(&mut conn, mine, &made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(store::get(&mut conn, theirs, &made.id).await.unwrap(), None);
        for unknown in ["", "U@X.Y", "a\0b", "%"] {
            assert_eq!(store::find(&mut conn, mine, unknown).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_is_counted_and_keeps_the_name_unless_there_is_a_new_one() {
    on_both(async |t| {
        let (mine, theirs, now) = (&t.environment.tenant.id, &other_tenant(&t).await, t.app.now());
        let later = now.after(Duration::from_secs(1));
        let mut tx = t.app.db.begin().await.unwrap();
        insert(&mut tx, mine, "a", now).await;
        let named = store::touch(&mut tx, mine, ("a", Some("Acme")), later)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (named.version, named.name.as_deref(), named.updated_at),
            (1, Some("Acme"), later)
        );
        let again = store::touch(&mut tx, mine, ("a", None), later).await.unwrap().unwrap();
        assert_eq!(
            (again.version, again.name.as_deref(), again.created_at),
            (2, Some("Acme"), now)
        );
        assert!(
            store::touch(&mut tx, theirs, ("a", None), later)
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn pages_and_what_belongs_to_them_stay_within_the_tenant() {
    on_both(async |t| {
        let (mine, theirs, now) = (&t.environment.tenant.id, &other_tenant(&t).await, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        for (n, tenant) in [(1, mine), (2, mine), (3, theirs)] {
            let at = now.after(Duration::from_secs(n));
            let made = insert(&mut tx, tenant, &format!("a{n}"), at).await;
            store::put_field(&mut tx, tenant, &made.id, &field("n", json!(n), at))
                .await
                .unwrap();
            store::put_default_app(&mut tx, tenant, &made.id, &default_app(b"x", at))
                .await
                .unwrap();
        }
        let (all, page) = (FieldFilter::default(), Page::new(1, 1).unwrap());
        let second = FieldFilter {
            name: Some("n".to_owned()),
            value: Some("2".to_owned()),
        };
        assert_eq!(store::count(&mut tx, mine, &all).await.unwrap(), 2);
        assert_eq!(store::count(&mut tx, mine, &second).await.unwrap(), 1);
        for (filter, wanted) in [(&all, "a1"), (&second, "a2")] {
            let found = store::page(&mut tx, mine, filter, page).await.unwrap();
            assert_eq!(
                found.iter().map(|a| a.account_id.as_str()).collect::<Vec<_>>(),
                [wanted]
            );
            let fields = store::fields_of_page(&mut tx, mine, filter, page).await.unwrap();
            assert_eq!(fields.iter().map(|(a, _)| a).collect::<Vec<_>>(), [&found[0].id]);
            let apps = store::default_apps_of_page(&mut tx, mine, filter, page).await.unwrap();
            assert_eq!(apps.iter().map(|(a, _)| a).collect::<Vec<_>>(), [&found[0].id]);
        }
        let nul = FieldFilter {
            name: Some("\0".to_owned()),
            value: None,
        };
        assert_eq!(store::count(&mut tx, mine, &nul).await.unwrap(), 0);
        assert!(store::page(&mut tx, mine, &nul, page).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_field_that_is_set_again_keeps_its_id_and_age() {
    on_both(async |t| {
        let (mine, theirs, now) = (&t.environment.tenant.id, &other_tenant(&t).await, t.app.now());
        let later = now.after(Duration::from_secs(1));
        let mut tx = t.app.db.begin().await.unwrap();
        let made = insert(&mut tx, mine, "a", now).await;
        let first = field("k", json!("\u{1F600} \"quoted\""), now);
        store::put_field(&mut tx, mine, &made.id, &first).await.unwrap();
        assert_eq!(
            store::fields(&mut tx, mine, &made.id).await.unwrap(),
            std::slice::from_ref(&first)
        );
        store::put_field(&mut tx, mine, &made.id, &field("k", json!(false), later))
            .await
            .unwrap();
        let found = store::fields(&mut tx, mine, &made.id).await.unwrap();
        assert_eq!(
            found,
            [Field {
                value: json!(false),
                updated_at: later,
                ..first
            }]
        );
        store::delete_field(&mut tx, theirs, &made.id, "k").await.unwrap();
        assert_eq!(store::fields(&mut tx, mine, &made.id).await.unwrap().len(), 1);
        assert!(store::fields(&mut tx, theirs, &made.id).await.unwrap().is_empty());
        store::delete_field(&mut tx, mine, &made.id, "k").await.unwrap();
        assert!(store::fields(&mut tx, mine, &made.id).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_account_has_one_default_app_and_takes_it_along_when_it_goes() {
    on_both(async |t| {
        let (mine, theirs, now) = (&t.environment.tenant.id, &other_tenant(&t).await, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        let made = insert(&mut tx, mine, "a", now).await;
        let mut app = default_app(b"\x00\xff", now);
        store::put_default_app(&mut tx, mine, &made.id, &app).await.unwrap();
        app.sealed = Sealed::from_bytes(b"\x01".to_vec());
        store::put_default_app(&mut tx, mine, &made.id, &app).await.unwrap();
        let found = store::default_app(&mut tx, mine, &made.id).await.unwrap().unwrap();
        assert_eq!((&found.id, found.sealed.as_bytes()), (&app.id, b"\x01".as_slice()));
        assert!(store::default_app(&mut tx, theirs, &made.id).await.unwrap().is_none());
        store::put_field(&mut tx, mine, &made.id, &field("k", json!(1), now))
            .await
            .unwrap();
        assert!(!store::delete(&mut tx, theirs, &made.id).await.unwrap());
        assert!(store::delete(&mut tx, mine, &made.id).await.unwrap());
        assert!(store::default_app(&mut tx, mine, &made.id).await.unwrap().is_none());
        assert!(store::fields(&mut tx, mine, &made.id).await.unwrap().is_empty());
        assert!(!store::delete(&mut tx, mine, &made.id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_second_default_app_for_the_same_account_is_a_duplicate() {
    on_both(async |t| {
        let (mine, now) = (&t.environment.tenant.id, t.app.now());
        let mut tx = t.app.db.begin().await.unwrap();
        let made = insert(&mut tx, mine, "a", now).await;
        store::put_default_app(&mut tx, mine, &made.id, &default_app(b"x", now))
            .await
            .unwrap();
        let second = store::put_default_app(&mut tx, mine, &made.id, &default_app(b"y", now)).await;
        assert!(second.unwrap_err().is_duplicate());
    })
    .await;
}
