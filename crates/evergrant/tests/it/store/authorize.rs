//! Authorisations: opened once, taken once.

use std::time::Duration;

use evergrant::accounts;
use evergrant::authorize::LIFETIME;
use evergrant::authorize::store::{self, Authorization};
use evergrant::ids::TenantId;
use evergrant::vault::Sealed;

use crate::support::{TestApp, on_both};

const MILLI: Duration = Duration::from_millis(1);

async fn authorization(t: &TestApp, start_hash: &str) -> Authorization {
    let account = accounts::find(&t.app, &t.environment.tenant, "a").await.unwrap();
    Authorization {
        start_hash: start_hash.to_owned(),
        tenant: t.environment.tenant.id.clone(),
        account: account.id,
        slug: "slack".to_owned(),
        connection: None,
        sealed_request: Sealed::from_bytes(vec![0, 255, 1]),
    }
}

#[tokio::test]
async fn an_authorisation_is_opened_once_and_taken_once_by_the_browser_that_opened_it() {
    on_both(async |t| {
        t.link("a").await;
        let (one, now) = (authorization(&t, "start").await, t.app.now());
        let end = now.after(LIFETIME);
        let mut tx = t.app.db.begin().await.unwrap();
        store::insert(&mut tx, &one, (now, end)).await.unwrap();
        let hashes = ("state", "browser");
        for (token, slug, at) in [
            ("other", "slack", now),
            ("start", "hubspot", now),
            ("start", "slack", end),
        ] {
            let opened = store::open_by_token(&mut tx, (token, slug), hashes, at).await.unwrap();
            assert!(opened.is_none(), "{token} {slug}");
        }
        assert!(
            store::take_by_state(&mut tx, ("state", "slack"), "browser", now)
                .await
                .unwrap()
                .is_none()
        );
        let at = end.before(MILLI);
        let opened = store::open_by_token(&mut tx, ("start", "slack"), hashes, at)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&opened.tenant, &opened.account), (&one.tenant, &one.account));
        assert_eq!(opened.sealed_request.as_bytes(), one.sealed_request.as_bytes());
        let again = store::open_by_token(&mut tx, ("start", "slack"), ("s2", "b2"), now).await;
        assert!(again.unwrap().is_none());
        for (tenant, request) in [("another", vec![9]), (one.tenant.as_str(), vec![7, 7])] {
            let request = Sealed::from_bytes(request);
            let tenant = TenantId::trusted(tenant.to_owned());
            store::set_request(&mut tx, &tenant, "start", &request).await.unwrap();
        }

        for (state, slug, browser, at) in [
            ("forged", "slack", "browser", now),
            ("state", "hubspot", "browser", now),
            ("state", "slack", "another", now),
            ("state", "slack", "browser", end),
        ] {
            let taken = store::take_by_state(&mut tx, (state, slug), browser, at).await.unwrap();
            assert!(taken.is_none(), "{state} {slug} {browser}");
        }
        let taken = store::take_by_state(&mut tx, ("state", "slack"), "browser", at)
            .await
            .unwrap();
        let taken = taken.unwrap();
        assert_eq!(
            (taken.start_hash.as_str(), taken.sealed_request.as_bytes()),
            ("start", [7, 7].as_slice())
        );
        let again = store::take_by_state(&mut tx, ("state", "slack"), "browser", at).await;
        assert!(again.unwrap().is_none());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_forgotten_or_stale_cannot_be_opened() {
    on_both(async |t| {
        t.link("a").await;
        let now = t.app.now();
        let mut tx = t.app.db.begin().await.unwrap();
        let one = authorization(&t, "one").await;
        let end = now.after(LIFETIME);
        store::insert(&mut tx, &one, (now, end)).await.unwrap();
        let other = Authorization {
            slug: "hubspot".to_owned(),
            ..authorization(&t, "other").await
        };
        store::insert(&mut tx, &other, (now, end.after(MILLI))).await.unwrap();
        store::forget(&mut tx, &one.tenant, &one.account, "slack")
            .await
            .unwrap();
        let opened = store::open_by_token(&mut tx, ("one", "slack"), ("s", "b"), now).await;
        assert!(opened.unwrap().is_none());
        assert_eq!(store::purge_of_all_tenants(&mut tx, end).await.unwrap(), 0);
        assert_eq!(store::purge_of_all_tenants(&mut tx, end.after(MILLI)).await.unwrap(), 1);
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_of_an_account_and_application_are_kept() {
    on_both(async |t| {
        t.link("a").await;
        let mut tx = t.app.db.begin().await.unwrap();
        let now = t.app.now();
        for (number, start) in ["one", "two", "three"].into_iter().enumerate() {
            let at = now.after(MILLI * u32::try_from(number).unwrap());
            let row = authorization(&t, start).await;
            store::insert(&mut tx, &row, (at, now.after(LIFETIME))).await.unwrap();
        }
        let other = Authorization {
            slug: "hubspot".to_owned(),
            ..authorization(&t, "other").await
        };
        store::insert(&mut tx, &other, (now, now.after(LIFETIME)))
            .await
            .unwrap();
        store::trim(&mut tx, &authorization(&t, "three").await, 2)
            .await
            .unwrap();
        for (start, slug, kept) in [
            ("one", "slack", false),
            ("two", "slack", true),
            ("three", "slack", true),
            ("other", "hubspot", true),
        ] {
            let opened = store::open_by_token(&mut tx, (start, slug), (start, "browser"), now)
                .await
                .unwrap();
            assert_eq!(opened.is_some(), kept, "{start}");
        }
    })
    .await;
}
