//! Organisations, environments, keys.

use evergrant::error::Error;
use evergrant::tenants::{self, Environment, Scopes, store};

use crate::support::on_both;

#[tokio::test]
async fn the_first_start_creates_default_with_both_environments_and_the_second_changes_nothing() {
    on_both(async |t| {
        assert!(!tenants::ensure_default(&t.app).await.unwrap());
        let mut conn = t.app.db.read().await.unwrap();
        let names: Vec<_> = store::organisations(&mut conn)
            .await
            .unwrap()
            .into_iter()
            .map(|org| org.name)
            .collect();
        assert_eq!(names, ["default"]);
        for environment in Environment::ALL {
            let found = store::find_environment(&mut conn, "default", environment)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.tenant.environment, environment);
        }
        assert!(
            store::find_environment(&mut conn, "nobody", Environment::Test)
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_once() {
    on_both(async |t| {
        let again = tenants::create_organisation(&t.app, "default").await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
        for wrong in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(matches!(
                tenants::create_organisation(&t.app, wrong).await,
                Err(Error::Invalid { .. })
            ));
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_opens_its_environment_until_it_is_revoked() {
    on_both(async |t| {
        let made = tenants::create_key(&t.app, &t.environment, "second", Scopes::ALL)
            .await
            .unwrap();
        let found = tenants::authenticate(&t.app, made.value.expose()).await.unwrap();
        assert_eq!(found.tenant, t.environment.tenant);
        tenants::revoke_key(&t.app, &t.environment.tenant.id, &made.key.id)
            .await
            .unwrap();
        assert!(matches!(
            tenants::authenticate(&t.app, made.value.expose()).await,
            Err(Error::InvalidApiKey)
        ));
        tenants::revoke_key(&t.app, &t.environment.tenant.id, &made.key.id)
            .await
            .expect("revoking twice is no error");
        let listed = store::keys(&mut t.app.db.read().await.unwrap(), &t.environment.tenant.id)
            .await
            .unwrap();
        assert_eq!(listed.iter().filter(|key| key.revoked_at.is_some()).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_first_signing_key_signs_until_another_is_named_and_cannot_be_revoked_before() {
    on_both(async |t| {
        let tenant = &t.environment.tenant;
        let signing = tenants::signing_key(&t.app, tenant).await.unwrap().unwrap();
        assert_eq!(signing.expose(), t.key);
        let first = tenants::authenticate(&t.app, &t.key).await.unwrap().id.clone();
        assert!(matches!(
            tenants::revoke_key(&t.app, &tenant.id, &first).await,
            Err(Error::Conflict(_))
        ));

        let reader = tenants::create_key(&t.app, &t.environment, "reader", Scopes::parse("read").unwrap())
            .await
            .unwrap();
        assert!(
            tenants::name_signing_key(&t.app, &tenant.id, &reader.key.id)
                .await
                .is_err(),
            "it has no scope `sign`"
        );
        let signer = tenants::create_key(&t.app, &t.environment, "signer", Scopes::parse("sign").unwrap())
            .await
            .unwrap();
        tenants::name_signing_key(&t.app, &tenant.id, &signer.key.id)
            .await
            .unwrap();
        let signing = tenants::signing_key(&t.app, tenant).await.unwrap().unwrap();
        assert_eq!(signing.expose(), signer.value.expose());
        tenants::revoke_key(&t.app, &tenant.id, &first).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_is_no_key_of_another_tenant() {
    on_both(async |t| {
        let theirs = tenants::authenticate(&t.app, &t.stranger().await).await.unwrap();
        let mine = &t.environment.tenant.id;
        assert!(matches!(
            tenants::revoke_key(&t.app, mine, &theirs.id).await,
            Err(Error::NotFound(_))
        ));
        assert!(tenants::name_signing_key(&t.app, mine, &theirs.id).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn origins_and_meta_values_read_back() {
    on_both(async |t| {
        let mut tx = t.app.db.begin().await.unwrap();
        let tenant = &t.environment.tenant.id;
        store::set_origins(&mut tx, tenant, &["https://app.example".into()], &[])
            .await
            .unwrap();
        store::insert_meta(&mut tx, "check", b"\x00\xff").await.unwrap();
        store::insert_meta(&mut tx, "check", b"\x00\xfe").await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = t.app.db.read().await.unwrap();
        assert_eq!(store::get_meta(&mut conn, "check").await.unwrap().unwrap(), b"\x00\xff");
        assert_eq!(store::get_meta(&mut conn, "nothing").await.unwrap(), None);
        let found = store::get_environment(&mut conn, tenant).await.unwrap();
        assert_eq!(found.return_origins, ["https://app.example"]);
    })
    .await;
}
