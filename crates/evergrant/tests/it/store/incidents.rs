//! Incidents: one open at a time, witnesses, turns, closing.

use std::time::Duration;

use evergrant::ids::{ConnectionId, TenantId};
use evergrant::incidents::{ClosedBy, Closing, Incident, Sighting, Witness, store};
use evergrant::reason::Reason;
use evergrant::verdict::Evidence;

use crate::support::{TestApp, on_both};

fn evidence() -> Evidence {
    Evidence {
        rule: "test".to_owned(),
        words: "wörds".to_owned(),
        status: 401,
    }
}

fn sighting<'a>(t: &TestApp, witness: Witness<'a>, evidence: &'a Evidence, deletion_stated: bool) -> Sighting<'a> {
    Sighting {
        slug: "slack",
        witness,
        reason: if deletion_stated {
            Reason::OauthAppDeleted
        } else {
            Reason::OauthClientSecretInvalid
        },
        deletion_stated,
        evidence,
        now: t.app.now(),
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
async fn one_is_open_at_a_time_and_another_witness_confirms_it() {
    on_both(async |t| {
        let (mine, theirs, evidence) = (&t.environment.tenant.id, stranger(&t).await, evidence());
        let (a, b) = (ConnectionId::new(t.app.now()), ConnectionId::new(t.app.now()));
        let seen = |id, stated| sighting(&t, Witness::Connection(id), &evidence, stated);
        let mut tx = t.app.db.begin().await.unwrap();
        assert!(
            store::see_again(&mut tx, mine, &seen(&a, false))
                .await
                .unwrap()
                .is_none()
        );
        let opened = store::open(&mut tx, mine, &seen(&a, false)).await.unwrap().unwrap();
        assert!(store::open(&mut tx, mine, &seen(&b, false)).await.unwrap().is_none());
        assert!(
            store::open(&mut tx, &theirs, &seen(&b, false)).await.unwrap().is_some(),
            "each has its own"
        );
        assert_eq!(opened.state(), "suspected");
        assert_eq!((&opened.evidence, opened.observations), (&evidence, 1));
        let again = store::see_again(&mut tx, mine, &seen(&a, false))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (again.state(), again.observations),
            ("suspected", 2),
            "it is no second witness"
        );
        let confirmed = store::see_again(&mut tx, mine, &seen(&b, false))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((confirmed.state(), confirmed.deleted_at), ("confirmed", None));

        // That the client is gone becomes a fact with the second who hears it, or with the team's word.
        for (witness, fact) in [(&a, false), (&a, false), (&b, true)] {
            let now = store::see_again(&mut tx, mine, &seen(witness, true))
                .await
                .unwrap()
                .unwrap();
            assert_eq!((now.deleted_at.is_some(), now.reason), (fact, Reason::OauthAppDeleted));
        }
        let word = sighting(&t, Witness::Team, &evidence, true);
        let gone = store::see_again(&mut tx, &theirs, &word).await.unwrap().unwrap();
        assert!(gone.deleted_at.is_some());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_incident_is_found_by_its_tenant_only_and_closed_once() {
    on_both(async |t| {
        let (mine, theirs, evidence) = (&t.environment.tenant.id, stranger(&t).await, evidence());
        let a = ConnectionId::new(t.app.now());
        let seen = |id, stated| sighting(&t, Witness::Connection(id), &evidence, stated);
        let mut tx = t.app.db.begin().await.unwrap();
        let opened = store::open(&mut tx, mine, &seen(&a, false)).await.unwrap().unwrap();
        let open = store::find_open(&mut tx, mine, "slack").await.unwrap().unwrap();
        assert_eq!(open.id, opened.id);
        assert!(store::find_open(&mut tx, mine, "hubspot").await.unwrap().is_none());
        assert_eq!(store::get(&mut tx, mine, &open.id).await.unwrap().unwrap(), open);
        assert!(store::get(&mut tx, &theirs, &open.id).await.unwrap().is_none());
        let ids = |all: Vec<Incident>| all.into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(
            ids(store::list(&mut tx, mine, true).await.unwrap()),
            std::slice::from_ref(&open.id)
        );

        let closing = Closing {
            at: t.app.now(),
            by: ClosedBy::Hand,
        };
        let team = ("slack", Witness::Team);
        let closed = store::close(&mut tx, mine, team, closing).await.unwrap().unwrap();
        assert_eq!((closed.state(), closed.closing), ("closed", Some(closing)));
        assert!(store::close(&mut tx, mine, team, closing).await.unwrap().is_none());
        assert!(store::list(&mut tx, mine, true).await.unwrap().is_empty());
        assert_eq!(ids(store::list(&mut tx, mine, false).await.unwrap()), [open.id]);
        assert!(!store::is_disbelieved(&mut tx, mine, &seen(&a, false)).await.unwrap());
        assert!(store::open(&mut tx, mine, &seen(&a, false)).await.unwrap().is_some());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn one_at_a_time_finds_out_whether_it_is_over() {
    on_both(async |t| {
        let (mine, evidence, id) = (&t.environment.tenant.id, evidence(), ConnectionId::new(t.app.now()));
        let mut tx = t.app.db.begin().await.unwrap();
        let seen = sighting(&t, Witness::Connection(&id), &evidence, false);
        let open = store::open(&mut tx, mine, &seen).await.unwrap().unwrap();
        let now = open.next_try_at;
        let next = now.after(Duration::from_mins(1));
        let early = now.before(Duration::from_millis(1));
        assert!(!store::claim_try(&mut tx, &open, (early, next)).await.unwrap());
        assert!(store::claim_try(&mut tx, &open, (now, next)).await.unwrap());
        assert!(!store::claim_try(&mut tx, &open, (now, next)).await.unwrap());
        store::try_now(&mut tx, mine, "slack", now).await.unwrap();
        assert!(store::claim_try(&mut tx, &open, (now, next)).await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_tail_of_an_incident_and_a_witness_that_others_refuted_open_no_other() {
    on_both(async |t| {
        let (mine, evidence) = (&t.environment.tenant.id, evidence());
        let (a, b) = (ConnectionId::new(t.app.now()), ConnectionId::new(t.app.now()));
        let mut tx = t.app.db.begin().await.unwrap();
        let first = sighting(&t, Witness::Connection(&a), &evidence, false);
        store::open(&mut tx, mine, &first).await.unwrap().unwrap();
        let closing = Closing {
            at: t.app.now(),
            by: ClosedBy::Works,
        };
        let other = ("slack", Witness::Connection(&b));
        store::close(&mut tx, mine, other, closing).await.unwrap().unwrap();
        for (minutes, of_a, of_b) in [
            (0, true, true),
            (4, true, true),
            (6, true, false),
            (8 * 24 * 60, false, false),
        ] {
            let now = closing.at.after(Duration::from_mins(minutes));
            for (id, wanted) in [(&a, of_a), (&b, of_b)] {
                let seen = Sighting {
                    now,
                    ..sighting(&t, Witness::Connection(id), &evidence, false)
                };
                let disbelieved = store::is_disbelieved(&mut tx, mine, &seen).await.unwrap();
                assert_eq!(disbelieved, wanted, "after {minutes} minutes");
            }
        }
        tx.commit().await.unwrap();
    })
    .await;
}
