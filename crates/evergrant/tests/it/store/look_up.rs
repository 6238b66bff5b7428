//! The look-ups of the hot path.

use evergrant::catalog::AuthType;
use evergrant::connections::look_up_store as store;
use evergrant::ids::{ConnectionId, TenantId};

use super::connections::{account, add, connection};
use crate::support::on_both;

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

        let found = store::of_customer(db, tenant, ("acct-7", "slack")).await.unwrap();
        let mut found: Vec<_> = found.into_iter().map(|one| one.connection).collect();
        found.sort_by(|a, b| b.auth_type.as_str().cmp(a.auth_type.as_str()));
        assert_eq!(found, [stored, other]);
        for (whose, account, slug) in [
            (tenant, "acct-7", "hubspot"),
            (tenant, "acct-8", "slack"),
            (&stranger, "acct-7", "slack"),
        ] {
            assert_eq!(store::of_customer(db, whose, (account, slug)).await.unwrap(), []);
        }
    })
    .await;
}
