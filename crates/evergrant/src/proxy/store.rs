//! The proxy's SQL.

use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

const WORKED: &str = "UPDATE connections SET last_ok_at = $1 \
    WHERE tenant = $2 AND id = $3 AND version = $4 AND disconnected_at IS NULL AND (last_ok_at IS NULL OR last_ok_at < $1)";

/// Notes that the provider has accepted this version of the credential.
pub async fn worked(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (id, version): (&ConnectionId, i64),
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(WORKED)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(version)
        .execute(conn)
        .await?;
    Ok(())
}
