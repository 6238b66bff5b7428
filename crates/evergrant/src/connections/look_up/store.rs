//! The look-ups' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::connections::model::Named;
use crate::connections::row::{COLUMNS, columns, connection};
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

const BY_ID: &str = concat!(
    "SELECT ",
    columns!(),
    ", (SELECT a.account_id FROM linked_accounts a WHERE a.tenant = connections.tenant AND a.id = connections.account) \
     FROM connections WHERE tenant = $1 AND id = $2"
);

/// A connection by its id, disconnected ones too.
pub async fn by_id(conn: &mut AnyConnection, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Named>, Error> {
    let row = sqlx::query(BY_ID)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(named).transpose()
}

const OF_CUSTOMER: &str = concat!(
    "SELECT ",
    columns!(),
    ", of_name FROM (SELECT a.tenant AS of_tenant, a.id AS of_account, a.account_id AS of_name FROM linked_accounts a \
       WHERE a.tenant = $1 AND a.account_id = $2) customer \
     JOIN connections ON tenant = of_tenant AND account = of_account AND slug = $3 AND disconnected_at IS NULL"
);

/// The live connections of a customer to an application: one for each auth type, at most.
pub async fn of_customer(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (linked_account_id, slug): (&str, &str),
) -> Result<Vec<Named>, Error> {
    let rows = sqlx::query(OF_CUSTOMER)
        .bind(tenant.as_str())
        .bind(linked_account_id)
        .bind(slug)
        .fetch_all(conn)
        .await?;
    rows.iter().map(named).collect()
}

/// A row of [`columns`] and, behind them, the account's name.
pub(crate) fn named(row: &AnyRow) -> Result<Named, Error> {
    Ok(Named {
        connection: connection(row)?,
        linked_account_id: row.try_get::<Option<String>, _>(COLUMNS)?.unwrap_or_default(),
    })
}
