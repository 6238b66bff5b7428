//! The refresh lease: who may use a refresh token now.

use std::time::Duration;

use sqlx::{AnyConnection, Row as _};

use super::store::{Due, Times};
use crate::clock::Timestamp;
use crate::connections::{self, Connection, columns, connection};
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

/// How long a worker may hold a lease: longer than a request and the storing of its outcome may take, so that a live worker
/// is never overtaken (checked at compile time in `renew`).
pub const LEASE: Duration = Duration::from_mins(1);

/// The right to refresh one connection, until it lapses. Its fence is the proof: whoever settles names it.
#[derive(Debug)]
pub struct Lease {
    /// The connection as it was when it was claimed.
    pub connection: Connection,
}

const CLAIM: &str = concat!(
    "UPDATE connections SET fence = fence + 1, lease_until = $1, \
       reply_lost_at = COALESCE(sent_at, reply_lost_at), sent_at = $2 \
     WHERE tenant = $3 AND id = $4 AND disconnected_at IS NULL AND (lease_until IS NULL OR lease_until <= $2) RETURNING ",
    columns!()
);

/// Takes the lease of a connection until `until`, unless another worker holds it, and records the intent to send.
///
/// An intent that is still there belongs to a worker that died with a request perhaps under way: its reply is lost, and that
/// is recorded in the same statement. A flagged connection can be claimed too: that is how it heals.
pub async fn claim(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    (now, until): (Timestamp, Timestamp),
) -> Result<Option<Lease>, Error> {
    let row = sqlx::query(CLAIM)
        .bind(until.as_millis())
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    Ok(row
        .as_ref()
        .map(connection)
        .transpose()?
        .map(|connection| Lease { connection }))
}

const CLAIM_DUE: &str = concat!(
    "UPDATE connections SET fence = fence + 1, lease_until = $1, \
       reply_lost_at = COALESCE(sent_at, reply_lost_at), sent_at = $2 \
     WHERE tenant = $3 AND id = $4 AND disconnected_at IS NULL AND (lease_until IS NULL OR lease_until <= $2) \
       AND due_at <= $5 RETURNING ",
    columns!()
);

/// The same for what the sweep has found due: it stays away from what another worker has seen to since.
pub async fn claim_due(
    conn: &mut AnyConnection,
    due: &Due,
    (times, until): (Times, Timestamp),
) -> Result<Option<Lease>, Error> {
    let row = sqlx::query(CLAIM_DUE)
        .bind(until.as_millis())
        .bind(times.lease.as_millis())
        .bind(due.tenant.as_str())
        .bind(due.id.as_str())
        .bind(times.now.as_millis())
        .fetch_optional(conn)
        .await?;
    Ok(row
        .as_ref()
        .map(connection)
        .transpose()?
        .map(|connection| Lease { connection }))
}

/// Gives a lease back with which nothing was sent.
pub async fn release(conn: &mut AnyConnection, lease: &Lease) -> Result<(), Error> {
    let c = &lease.connection;
    connections::store::end_lease(conn, &c.tenant, &c.id, c.fence).await
}

const HELD_UNTIL: &str = "SELECT lease_until FROM connections WHERE tenant = $1 AND id = $2";

/// Until when a lease is held, if one is.
pub async fn held_until(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query(HELD_UNTIL)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    let until: Option<Option<i64>> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(until.flatten().map(Timestamp::from_millis))
}

const POSTPONE: &str = "UPDATE connections SET due_at = $1 WHERE tenant = $2 AND id = $3 AND due_at <= $4";

/// Puts off what cannot be tried at present, so that it does not stand at the head of the queue.
pub async fn postpone(
    conn: &mut AnyConnection,
    (tenant, id): (&TenantId, &ConnectionId),
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(POSTPONE)
        .bind(until.map(Timestamp::as_millis))
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}
