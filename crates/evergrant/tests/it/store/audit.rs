//! The audit trail.

use std::time::Duration;

use evergrant::ids::{ApiKeyId, ConnectionId, RowId, TenantId};
use evergrant::ledger::{Entry, HandOut};
use evergrant::tenants::audit::{HAND_OUT, store};

use crate::support::on_both;

const SECOND: Duration = Duration::from_secs(1);

fn filter(change: impl FnOnce(&mut store::AuditFilter)) -> store::AuditFilter {
    let mut filter = store::AuditFilter::default();
    change(&mut filter);
    filter
}

#[tokio::test]
async fn hand_outs_of_any_number_are_written_once_and_read_back_page_by_page() {
    on_both(async |t| {
        let (tenant, stranger) = (t.environment.tenant.id.clone(), TenantId::new(t.app.now()));
        let key = ApiKeyId::new(t.app.now());
        // One of each size of statement, and a rest.
        let entries: Vec<Entry> = (0_u32..64 + 2 * 8 + 3)
            .map(|number| {
                let at = t.app.now().after(SECOND * number);
                let what = HandOut {
                    tenant: tenant.clone(),
                    key: key.clone(),
                    connection: ConnectionId::new(at),
                };
                let (id, times) = (RowId::new(at), number + 1);
                Entry { id, what, at, times }
            })
            .collect();
        for _ in 0..2 {
            let mut tx = t.app.db.begin().await.unwrap();
            store::audit_hand_outs(&mut tx, HAND_OUT, &entries).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut conn = t.app.db.read().await.unwrap();
        let mut wanted = filter(|filter| filter.action = Some(HAND_OUT.to_owned()));
        let mut read = Vec::new();
        loop {
            let page = store::trail(&mut conn, &tenant, &wanted, 40).await.unwrap();
            wanted.after = page.last().map(|last| (last.at, last.id.clone()));
            read.extend(page.clone());
            if page.len() < 40 {
                break;
            }
        }
        let told: Vec<_> = read.iter().map(|row| (row.id.clone(), row.at, row.times)).collect();
        let given: Vec<_> = entries
            .iter()
            .rev()
            .map(|one| (one.id.clone(), one.at, one.times.into()))
            .collect();
        assert_eq!(told, given);
        assert!(
            read.iter()
                .all(|row| row.actor == key.as_str() && row.action == HAND_OUT)
        );

        let of_one = filter(|filter| filter.target = Some(entries[7].what.connection.to_string()));
        let found = store::trail(&mut conn, &tenant, &of_one, 40).await.unwrap();
        assert_eq!(found.iter().map(|row| &row.id).collect::<Vec<_>>(), [&entries[7].id]);
        let late = filter(|filter| filter.since = Some(entries[80].at));
        assert_eq!(
            store::trail(&mut conn, &tenant, &late, 40).await.unwrap().len(),
            entries.len() - 80
        );
        let operators = filter(|filter| filter.actor = Some("operator".to_owned()));
        let found = store::trail(&mut conn, &tenant, &operators, 40).await.unwrap();
        assert_eq!(
            found.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(),
            ["key.create"]
        );
        assert_eq!(store::trail(&mut conn, &stranger, &wanted, 40).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn hand_outs_go_after_their_time_and_what_operators_did_stays() {
    on_both(async |t| {
        let tenant = t.environment.tenant.clone();
        let (key, connection) = (ApiKeyId::new(t.app.now()), ConnectionId::new(t.app.now()));
        evergrant::tenants::audit::hand_out(&t.app, &tenant, &key, &connection)
            .await
            .unwrap();
        assert_eq!(evergrant::tenants::audit::write_hand_outs(&t.app).await.unwrap(), 1);
        let mut conn = t.app.db.read().await.unwrap();
        assert!(store::environment_ids(&mut conn).await.unwrap().contains(&tenant.id));
        let mut tx = t.app.db.begin().await.unwrap();
        let now = t.app.now();
        assert_eq!(store::purge_audit(&mut tx, &tenant.id, HAND_OUT, now).await.unwrap(), 0);
        let later = now.after(Duration::from_millis(1));
        let stranger = TenantId::new(now);
        assert_eq!(
            store::purge_audit(&mut tx, &stranger, HAND_OUT, later).await.unwrap(),
            0
        );
        assert_eq!(
            store::purge_audit(&mut tx, &tenant.id, HAND_OUT, later).await.unwrap(),
            1
        );
        let left = store::trail(&mut tx, &tenant.id, &store::AuditFilter::default(), 9)
            .await
            .unwrap();
        assert_eq!(
            left.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(),
            ["key.create"]
        );
    })
    .await;
}
