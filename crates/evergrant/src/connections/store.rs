//! The connections' SQL.

use serde_json::Value;
use sqlx::AnyConnection;

use super::model::{Connection, ConnectionStatus, external_id};
use super::row::{columns, connection, evidence_text, timeline_entry};
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, ConnectionId, RowId, TenantId};
use crate::reason::{Confidence, Reason, Verdict};
use crate::vault::Sealed;
use crate::verdict::Evidence;

pub use super::application::store::{live_of_application, take_all_of_application, try_again};

const INSERT: &str = "\
    INSERT INTO connections (id, tenant, account, slug, auth_type, status, failures, version, has_refresh_token, fence, \
        connected_at, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, 'active', 0, 0, 0, 0, $6, $6, $6) ON CONFLICT DO NOTHING";

/// Adds an empty connection, to be filled by [`save`] in the same transaction. Says whether it did: if not, somebody
/// else has just connected the same.
pub async fn insert(conn: &mut AnyConnection, new: &Connection) -> Result<bool, Error> {
    let done = sqlx::query(INSERT)
        .bind(new.id.as_str())
        .bind(new.tenant.as_str())
        .bind(new.account.as_str())
        .bind(&new.slug)
        .bind(new.auth_type.as_str())
        .bind(new.created_at.as_millis())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What must still be true of a connection for a late writer to write.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// The credential's version that the writer read.
    pub version: i64,
    /// Who the writer is.
    pub writer: Writer,
}

/// A writer, as far as leases go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Somebody beside the lease: a refresh that is under way, or the record of one whose worker has died, stays.
    Beside,
    /// The holder of the lease with this fence: what it has to say counts as long as nobody has overtaken it.
    Holder(i64),
    /// The same with a token that has replaced the one it read: it counts whoever has the lease by now, and ends its own only.
    /// Who has overtaken it may have a request under way.
    Bearer(i64),
}

impl Writer {
    /// The fence that must still be the row's.
    const fn demands(self) -> Option<i64> {
        match self {
            Self::Holder(fence) => Some(fence),
            Self::Beside | Self::Bearer(_) => None,
        }
    }

    /// The fence of its lease.
    #[must_use]
    pub const fn lease(self) -> Option<i64> {
        match self {
            Self::Holder(own) | Self::Bearer(own) => Some(own),
            Self::Beside => None,
        }
    }
}

const HOLD: &str = concat!(
    "UPDATE connections SET updated_at = $1 WHERE tenant = $2 AND id = $3 AND disconnected_at IS NULL \
       AND version = $4 AND (fence = $5 OR $5 < 0) RETURNING ",
    columns!()
);

/// Takes the row for the rest of the transaction, unless the guard no longer holds, and returns it as it is now.
pub async fn hold(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    (guard, now): (Guard, Timestamp),
) -> Result<Option<Connection>, Error> {
    let row = sqlx::query(HOLD)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(guard.version)
        .bind(guard.writer.demands().unwrap_or(-1))
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(connection).transpose()
}

const END_LEASE: &str =
    "UPDATE connections SET lease_until = NULL, sent_at = NULL WHERE tenant = $1 AND id = $2 AND fence = $3";

/// Ends the lease with this fence, if nobody has taken another one since.
pub async fn end_lease(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    fence: i64,
) -> Result<(), Error> {
    sqlx::query(END_LEASE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(fence)
        .execute(conn)
        .await?;
    Ok(())
}

const HOLD_LIVE: &str = concat!(
    "UPDATE connections SET updated_at = $1 WHERE tenant = $2 AND account = $3 AND slug = $4 AND auth_type = $5 \
       AND disconnected_at IS NULL RETURNING ",
    columns!()
);

/// Takes the live connection of an account, application and auth type for the rest of the transaction.
pub async fn hold_live(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    (slug, auth_type, now): (&str, AuthType, Timestamp),
) -> Result<Option<Connection>, Error> {
    let row = sqlx::query(HOLD_LIVE)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(slug)
        .bind(auth_type.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(connection).transpose()
}

const SAVE: &str = "\
    UPDATE connections SET status = $3, reason = $4, since = $5, confidence = $6, evidence = $7, trouble_verdict = $8, \
        trouble_reason = $9, trouble_since = $10, failures = $11, identifier = $12, version = $13, fence = $14, \
        sealed_credential = $15, has_refresh_token = $16, issued_at = $17, expires_at = $18, refresh_issued_at = $19, \
        refresh_expires_at = $20, due_at = $21, last_ok_at = $22, reply_lost_at = $23, connected_at = $24, \
        updated_at = $25, disconnected_at = $26, external_id = $27, retry_wait = $28, expected_end = $29, end_basis = $30, \
        end_moves = $31, tell_at = $32, told_end = $33, \
        lease_until = CASE WHEN $34 = 1 THEN NULL ELSE lease_until END, \
        sent_at = CASE WHEN $34 = 1 THEN NULL ELSE sent_at END \
    WHERE tenant = $1 AND id = $2";

/// Writes a connection that is held by this transaction, and ends whatever lease there was on it: by whoever holds it, or because
/// another credential stands there now.
pub async fn save(conn: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    write(conn, c, true).await
}

/// The same by somebody who has no lease, or not this one.
pub async fn save_beside(conn: &mut AnyConnection, c: &Connection) -> Result<(), Error> {
    write(conn, c, false).await
}

async fn write(conn: &mut AnyConnection, c: &Connection, ends_the_lease: bool) -> Result<(), Error> {
    let flag = c.status.flag();
    let trouble = c.trouble.as_ref();
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    let disconnected = if let ConnectionStatus::Disconnected { at } = c.status {
        Some(at)
    } else {
        None
    };
    sqlx::query(SAVE)
        .bind(c.tenant.as_str())
        .bind(c.id.as_str())
        .bind(c.status.as_str())
        .bind(flag.map(|flag| flag.reason.as_str()))
        .bind(flag.map(|flag| flag.since.as_millis()))
        .bind(flag.map(|flag| flag.confidence.as_str()))
        .bind(flag.map(|flag| evidence_text(&flag.evidence)))
        .bind(trouble.map(|trouble| trouble.verdict.as_str()))
        .bind(trouble.and_then(|trouble| trouble.reason).map(Reason::as_str))
        .bind(trouble.map(|trouble| trouble.since.as_millis()))
        .bind(i64::from(c.failures))
        .bind(c.identifier.as_ref().map(Value::to_string))
        .bind(c.version)
        .bind(c.fence)
        .bind(c.sealed.as_ref().map(Sealed::as_bytes))
        .bind(i64::from(c.schedule.has_refresh_token))
        .bind(millis(c.schedule.issued_at))
        .bind(millis(c.schedule.expires_at))
        .bind(millis(c.schedule.refresh_issued_at))
        .bind(millis(c.schedule.refresh_expires_at))
        .bind(millis(c.schedule.due_at))
        .bind(millis(c.last_ok_at))
        .bind(millis(c.reply_lost_at))
        .bind(c.connected_at.as_millis())
        .bind(c.updated_at.as_millis())
        .bind(millis(disconnected))
        .bind(c.external_id())
        .bind(
            c.schedule
                .retry_wait
                .map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
        )
        .bind(millis(c.schedule.expected.end))
        .bind(c.schedule.expected.basis.as_str())
        .bind(i64::from(c.schedule.expected.moves))
        .bind(millis(c.schedule.tell_at))
        .bind(millis(c.schedule.told_end))
        .bind(i64::from(ends_the_lease))
        .execute(conn)
        .await?;
    Ok(())
}

const IDENTIFY: &str = "UPDATE connections SET identifier = $1, last_ok_at = COALESCE($2, last_ok_at), external_id = $6 \
    WHERE tenant = $3 AND id = $4 AND version = $5 AND disconnected_at IS NULL";

/// Writes down whose account the credential of this version belongs to, and when a call with it was accepted. Whoever is
/// refreshing it meanwhile is not disturbed.
pub async fn identify(
    conn: &mut AnyConnection,
    connection: &Connection,
    identifier: &Value,
    proved_at: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query(IDENTIFY)
        .bind(identifier.to_string())
        .bind(proved_at.map(Timestamp::as_millis))
        .bind(connection.tenant.as_str())
        .bind(connection.id.as_str())
        .bind(connection.version)
        .bind(external_id(identifier))
        .execute(conn)
        .await?;
    Ok(())
}

const GET: &str = concat!("SELECT ", columns!(), " FROM connections WHERE tenant = $1 AND id = $2");

/// A connection by its id, disconnected ones too.
pub async fn get(conn: &mut AnyConnection, tenant: &TenantId, id: &ConnectionId) -> Result<Option<Connection>, Error> {
    let row = sqlx::query(GET)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(connection).transpose()
}

const OF_ACCOUNT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM connections WHERE tenant = $1 AND account = $2 AND disconnected_at IS NULL ORDER BY slug, auth_type"
);

/// The live connections of an account.
pub async fn of_account(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
) -> Result<Vec<Connection>, Error> {
    let rows = sqlx::query(OF_ACCOUNT)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(connection).collect()
}

const OF_EXTERNAL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM connections WHERE tenant = $1 AND slug = $2 AND external_id = $3 AND disconnected_at IS NULL ORDER BY id"
);

/// The live connections to an application that belong to an account at the provider; there may be several.
pub async fn of_external_account(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (slug, external_id): (&str, &str),
) -> Result<Vec<Connection>, Error> {
    let rows = sqlx::query(OF_EXTERNAL)
        .bind(tenant.as_str())
        .bind(slug)
        .bind(external_id)
        .fetch_all(conn)
        .await?;
    rows.iter().map(connection).collect()
}

const PURGE: &str = "DELETE FROM connections WHERE disconnected_at IS NOT NULL AND disconnected_at < $1";

/// Removes what was left of connections that were disconnected before `before`, over all tenants.
pub async fn purge_of_all_tenants(conn: &mut AnyConnection, before: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(before.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

/// One line of "why is this connection as it is?"
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// What happened: `connected`, `reconnected`, `flagged`, `trouble`, `recovered`, `healed`, `disconnected`, or `observed`:
    /// nothing was changed.
    pub kind: String,
    /// What the observation meant, where there was one.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: Option<Reason>,
    /// How sure that is.
    pub confidence: Option<Confidence>,
    /// Which rule, which words, redacted.
    pub evidence: Option<Evidence>,
}

const APPEND: &str = "INSERT INTO timeline (id, tenant, connection, at, kind, verdict, reason, confidence, evidence) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Adds to a connection's timeline.
pub async fn append_timeline(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    entry: &TimelineEntry,
) -> Result<(), Error> {
    sqlx::query(APPEND)
        .bind(RowId::new(entry.at).as_str())
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(entry.at.as_millis())
        .bind(&entry.kind)
        .bind(entry.verdict.map(Verdict::as_str))
        .bind(entry.reason.map(Reason::as_str))
        .bind(entry.confidence.map(Confidence::as_str))
        .bind(entry.evidence.as_ref().map(evidence_text))
        .execute(conn)
        .await?;
    Ok(())
}

const FORGET_OBSERVED: &str = "DELETE FROM timeline WHERE tenant = $1 AND connection = $2 AND kind = 'observed' AND id NOT IN ( \
    SELECT id FROM timeline WHERE tenant = $1 AND connection = $2 AND kind = 'observed' ORDER BY at DESC, id DESC LIMIT $3)";

/// Keeps the newest few of the observations that changed nothing.
pub async fn forget_observed(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
    kept: u32,
) -> Result<(), Error> {
    sqlx::query(FORGET_OBSERVED)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .bind(i64::from(kept))
        .execute(conn)
        .await?;
    Ok(())
}

const TIMELINE: &str = "SELECT at, kind, verdict, reason, confidence, evidence FROM timeline \
    WHERE tenant = $1 AND connection = $2 ORDER BY at DESC, id DESC LIMIT 100";

/// The newest hundred entries of a connection's timeline, the newest first.
pub async fn timeline(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &ConnectionId,
) -> Result<Vec<TimelineEntry>, Error> {
    let rows = sqlx::query(TIMELINE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| timeline_entry(row, id)).collect()
}

const ERASE_TIMELINE: &str = "UPDATE timeline SET evidence = NULL WHERE tenant = $1 AND connection = $2";

/// Erases the evidence; times and reasons stay.
pub async fn erase_evidence(conn: &mut AnyConnection, tenant: &TenantId, id: &ConnectionId) -> Result<(), Error> {
    sqlx::query(ERASE_TIMELINE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(conn)
        .await?;
    Ok(())
}
