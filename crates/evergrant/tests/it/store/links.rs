//! Re-auth links.

use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::ids::{ConnectionId, LinkId, TenantId};
use evergrant::links::{Break, Link, store};
use evergrant::vault::Sealed;

use crate::support::{TestApp, on_both};

const HOUR: Duration = Duration::from_hours(1);

fn link(t: &TestApp, connection: &ConnectionId, automatic: bool) -> Link {
    let now = t.app.now();
    Link {
        id: LinkId::new(now),
        tenant: t.environment.tenant.id.clone(),
        connection: connection.clone(),
        since: now,
        automatic,
        created_at: now,
        expires_at: now.after(HOUR),
        revoked_at: None,
    }
}

fn sealed() -> Sealed {
    Sealed::from_bytes(b"sealed".to_vec())
}

#[tokio::test]
async fn a_break_has_one_link_of_its_own_and_others_as_many_as_are_asked_for() {
    on_both(async |t| {
        let (now, mine) = (t.app.now(), &t.environment.tenant.id);
        let connection = ConnectionId::new(now);
        let of = Break {
            connection: &connection,
            since: now,
        };
        let mut tx = t.app.db.begin().await.unwrap();
        let own = link(&t, &connection, true);
        assert!(store::insert(&mut tx, &own, ("h1", Some(&sealed()))).await.unwrap());
        let second = link(&t, &connection, true);
        assert!(!store::insert(&mut tx, &second, ("h2", Some(&sealed()))).await.unwrap());
        for hash in ["h3", "h4"] {
            let asked = link(&t, &connection, false);
            assert!(store::insert(&mut tx, &asked, (hash, None)).await.unwrap());
        }
        assert_eq!(
            store::of_break(&mut tx, mine, of).await.unwrap().unwrap(),
            (own.clone(), sealed())
        );
        assert_eq!(
            store::find_link_by_hash(&mut tx, "h1").await.unwrap().as_ref(),
            Some(&own)
        );
        assert_eq!(store::find_link_by_hash(&mut tx, "h2").await.unwrap(), None);
        assert_eq!(
            store::links_of_connection(&mut tx, mine, &connection)
                .await
                .unwrap()
                .len(),
            3
        );
        let stranger = TenantId::new(now);
        assert!(store::of_break(&mut tx, &stranger, of).await.unwrap().is_none());
        assert!(
            store::links_of_connection(&mut tx, &stranger, &connection)
                .await
                .unwrap()
                .is_empty()
        );

        // It makes room when it is about to end, and not before.
        store::retire(&mut tx, mine, (of, own.expires_at)).await.unwrap();
        assert!(!store::insert(&mut tx, &second, ("h2", Some(&sealed()))).await.unwrap());
        let later = Timestamp::from_millis(own.expires_at.as_millis() + 1);
        store::retire(&mut tx, mine, (of, later)).await.unwrap();
        assert!(store::insert(&mut tx, &second, ("h2", Some(&sealed()))).await.unwrap());
        assert!(
            store::find_link_by_hash(&mut tx, "h1").await.unwrap().is_some(),
            "the old one stays good"
        );
    })
    .await;
}

#[tokio::test]
async fn links_are_revoked_one_or_all_by_their_tenant_and_forgotten_after_their_end() {
    on_both(async |t| {
        let (now, mine) = (t.app.now(), &t.environment.tenant.id);
        let connection = ConnectionId::new(now);
        let mut tx = t.app.db.begin().await.unwrap();
        let links = [
            link(&t, &connection, false),
            link(&t, &connection, false),
            link(&t, &connection, true),
        ];
        for (one, hash) in links.iter().zip(["h1", "h2", "h3"]) {
            let sealed = one.automatic.then(sealed);
            store::insert(&mut tx, one, (hash, sealed.as_ref())).await.unwrap();
        }
        let stranger = TenantId::new(now);
        assert_eq!(
            store::revoke_links(&mut tx, &stranger, (&connection, None), now)
                .await
                .unwrap(),
            0
        );
        let one = (&connection, Some(&links[0].id));
        assert_eq!(store::revoke_links(&mut tx, mine, one, now).await.unwrap(), 1);
        assert_eq!(store::revoke_links(&mut tx, mine, one, now).await.unwrap(), 0);
        assert_eq!(
            store::revoke_links(&mut tx, mine, (&connection, None), now)
                .await
                .unwrap(),
            2
        );
        let revoked = store::find_link_by_hash(&mut tx, "h3").await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(now));
        let end = links[0].expires_at;
        assert_eq!(store::purge_links_of_all_tenants(&mut tx, end).await.unwrap(), 0);
        let later = Timestamp::from_millis(end.as_millis() + 1);
        assert_eq!(store::purge_links_of_all_tenants(&mut tx, later).await.unwrap(), 3);
    })
    .await;
}
