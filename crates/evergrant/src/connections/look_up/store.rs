//! The look-ups' SQL.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::connections::model::Named;
use crate::connections::row::{COLUMNS, columns, connection};
use crate::db::{Db, Glance, LookUp};
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

static BY_ID: LookUp<Option<Arc<Named>>> = LookUp::new(
    (
        concat!(
            "SELECT ",
            columns!(),
            ", (SELECT a.account_id FROM linked_accounts a WHERE a.tenant = connections.tenant \
               AND a.id = connections.account), column1 FROM (VALUES "
        ),
        2,
        ") wanted JOIN connections ON tenant = column2 AND id = column3",
    ),
    |rows| rows.first().map(|row| named(row).map(Arc::new)).transpose(),
);

/// A connection by its id, disconnected ones too.
pub async fn by_id(db: &Db, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Arc<Named>>, Error> {
    let found = db.look_up(&BY_ID, &[tenant.as_str(), id.as_str()]).await?;
    Ok(found.as_ref().clone())
}

static OF_CUSTOMER: LookUp<Vec<Arc<Named>>> = LookUp::new(
    (
        concat!(
            "SELECT ",
            columns!(),
            ", of_name, of_number FROM (SELECT column1 AS of_number, a.tenant AS of_tenant, a.id AS of_account, \
               a.account_id AS of_name, column4 AS of_slug FROM (VALUES "
        ),
        3,
        ") wanted JOIN linked_accounts a ON a.tenant = column2 AND a.account_id = column3) customer \
         JOIN connections ON tenant = of_tenant AND account = of_account AND slug = of_slug AND disconnected_at IS NULL",
    ),
    |rows| rows.iter().map(|row| named(row).map(Arc::new)).collect(),
);

/// The live connections of a customer to an application: one for each auth type, at most.
pub async fn of_customer(
    db: &Db,
    glance: Glance,
    tenant: &TenantId,
    (linked_account_id, slug): (&str, &str),
) -> Result<Vec<Arc<Named>>, Error> {
    let values = [tenant.as_str(), linked_account_id, slug];
    Ok(db.look_up_since(glance, &OF_CUSTOMER, &values).await?.as_ref().clone())
}

/// A row of [`columns`] and, behind them, the account's name.
pub(crate) fn named(row: &AnyRow) -> Result<Named, Error> {
    Ok(Named {
        connection: connection(row)?,
        linked_account_id: row.try_get::<Option<String>, _>(COLUMNS)?.unwrap_or_default(),
    })
}
