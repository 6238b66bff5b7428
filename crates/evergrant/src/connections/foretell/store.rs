//! Of whose end the team is to be told: the SQL.

use sqlx::{AnyConnection, Row as _};

use crate::clock::Timestamp;
use crate::connections::{Connection, columns, connection};
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

const TO_TELL: &str = "SELECT tenant, id FROM connections WHERE tell_at <= $1 ORDER BY tell_at, id LIMIT $2";

/// Of whose end the team is to be told, over all tenants.
pub async fn to_tell_of_all_tenants(
    conn: &mut AnyConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(TenantId, ConnectionId)>, Error> {
    let rows = sqlx::query(TO_TELL)
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                TenantId::trusted(row.try_get(0)?),
                ConnectionId::trusted(row.try_get(1)?),
            ))
        })
        .collect()
}

const HOLD_TO_TELL: &str = concat!(
    "UPDATE connections SET told_end = expected_end, tell_at = NULL WHERE tenant = $1 AND id = $2 AND tell_at <= $3 \
       RETURNING ",
    columns!()
);

/// Takes a connection of whose end the team is to be told, and notes that it has been; nothing if another was first.
pub async fn hold_to_tell(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    now: Timestamp,
) -> Result<Option<Connection>, Error> {
    let row = sqlx::query(HOLD_TO_TELL)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(connection).transpose()
}
