//! Connections as tests need them, without a provider.

use evergrant::catalog::AuthType;
use evergrant::connections::{self, Connection, Fresh, Given};
use evergrant::secret::Secret;
use evergrant::tenants::Tenant;

use crate::support::TestApp;

/// Stores a credential for an account, as if a provider had accepted it.
pub(crate) async fn connect(t: &TestApp, tenant: &Tenant, account: &str, slug: &str, kind: AuthType) -> Connection {
    let account = evergrant::accounts::find(&t.app, tenant, account).await.unwrap();
    let application = t.app.catalog.get(slug).unwrap().clone();
    let values = [("api_token".to_owned(), Secret::from("k".to_owned()))];
    let given = Given {
        account: &account,
        application: &application,
        auth_type: kind,
        fresh: Fresh::keys(values.into_iter().collect(), t.app.now()),
        identifier: None,
        proved: true,
        switch: evergrant::connections::Switch::Refused,
    };
    let mut tx = t.app.db.begin().await.unwrap();
    let (connection, _) = connections::activate(&t.app, &mut tx, tenant, given).await.unwrap();
    tx.commit().await.unwrap();
    connection
}

/// Whose key this is.
pub(crate) async fn tenant_of(t: &TestApp, key: &str) -> Tenant {
    evergrant::tenants::authenticate(&t.app, key)
        .await
        .unwrap()
        .tenant
        .clone()
}
