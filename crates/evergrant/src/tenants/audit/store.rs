//! The audit trail's SQL.

use std::sync::LazyLock;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::clock::Timestamp;
use crate::db;
use crate::error::Error;
use crate::ids::{RowId, TenantId};
use crate::ledger::Entry;

/// One entry of the trail.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Its id.
    pub id: RowId,
    /// When; of several alike, when the first of them was.
    pub at: Timestamp,
    /// `operator` (the command line), or the id of an API key.
    pub actor: String,
    /// What was done, such as `key.revoke` or `credential.read`.
    pub action: String,
    /// To what: an id, or a slug.
    pub target: String,
    /// How often, within a second.
    pub times: i64,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what was done by this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only what was done to this.
    pub target: Option<String>,
    /// Only what was done then or later.
    pub since: Option<Timestamp>,
    /// Only what comes after this entry of the list, which is older.
    pub after: Option<(Timestamp, RowId)>,
}

const INSERT: &str = "INSERT INTO audit (id, tenant, at, actor, action, target) VALUES ($1, $2, $3, $4, $5, $6)";

/// Adds to the audit trail who did what to what.
pub async fn audit(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    entry: (&str, &str, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let (actor, action, target) = entry;
    sqlx::query(INSERT)
        .bind(RowId::new(now).as_str())
        .bind(tenant.as_str())
        .bind(now.as_millis())
        .bind(actor)
        .bind(action)
        .bind(target)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many entries one statement adds, the largest first.
const AT_ONCE: [usize; 3] = [64, 8, 1];

static HAND_OUTS: LazyLock<[&'static str; AT_ONCE.len()]> = LazyLock::new(|| {
    let head = "INSERT INTO audit (id, tenant, at, actor, action, target, times) VALUES ";
    AT_ONCE.map(|rows| db::repeated(head, (rows, 7), " ON CONFLICT (id) DO NOTHING"))
});

/// Adds hand-outs; one that is there already stays as it is.
pub async fn audit_hand_outs(conn: &mut AnyConnection, action: &'static str, entries: &[Entry]) -> Result<(), Error> {
    let mut rest = entries;
    for (size, text) in AT_ONCE.into_iter().zip(*HAND_OUTS) {
        let (batches, left) = rest.split_at(rest.len() - rest.len() % size);
        for batch in batches.chunks(size) {
            let mut query = sqlx::query(text);
            for entry in batch {
                query = query
                    .bind(entry.id.as_str())
                    .bind(entry.what.tenant.as_str())
                    .bind(entry.at.as_millis())
                    .bind(entry.what.key.as_str())
                    .bind(action)
                    .bind(entry.what.connection.as_str())
                    .bind(i64::from(entry.times));
            }
            query.execute(&mut *conn).await?;
        }
        rest = left;
    }
    Ok(())
}

macro_rules! trail {
    ($target:literal) => {
        concat!(
            "SELECT id, at, actor, action, target, times FROM audit WHERE tenant = $1 AND ",
            $target,
            " AND at >= $3 AND (at, id) < ($4, $5) AND ($6 = '' OR actor = $6) AND ($7 = '' OR action = $7) \
             ORDER BY at DESC, id DESC LIMIT $8"
        )
    };
}
const TRAIL: &str = trail!("$2 = ''");
const TRAIL_OF_TARGET: &str = trail!("target = $2");

/// Behind every id.
const END_OF_IDS: &str = "g";

/// A page of an environment's trail, the newest first.
pub async fn trail(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    filter: &AuditFilter,
    limit: u16,
) -> Result<Vec<AuditRow>, Error> {
    let (at, id) = match &filter.after {
        Some((at, id)) => (*at, id.as_str()),
        None => (Timestamp::MAX, END_OF_IDS),
    };
    let text = |filter: &Option<String>| filter.clone().unwrap_or_default();
    let query = if filter.target.is_some() {
        TRAIL_OF_TARGET
    } else {
        TRAIL
    };
    let rows = sqlx::query(query)
        .bind(tenant.as_str())
        .bind(text(&filter.target))
        .bind(filter.since.map_or(0, Timestamp::as_millis))
        .bind(at.as_millis())
        .bind(id)
        .bind(text(&filter.actor))
        .bind(text(&filter.action))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter().map(audit_row).collect()
}

fn audit_row(row: &AnyRow) -> Result<AuditRow, Error> {
    Ok(AuditRow {
        id: RowId::trusted(row.try_get(0)?),
        at: Timestamp::from_millis(row.try_get(1)?),
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        target: row.try_get(4)?,
        times: row.try_get(5)?,
    })
}

const PURGE: &str = "DELETE FROM audit WHERE tenant = $1 AND at < $2 AND action = $3";

/// Removes entries of one action that are older than `before`.
pub async fn purge_audit(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    action: &str,
    before: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(PURGE)
        .bind(tenant.as_str())
        .bind(before.as_millis())
        .bind(action)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

const ENVIRONMENTS: &str = "SELECT id FROM environments ORDER BY id";

/// Every environment, for housekeeping.
pub async fn environment_ids(conn: &mut AnyConnection) -> Result<Vec<TenantId>, Error> {
    let rows = sqlx::query(ENVIRONMENTS).fetch_all(conn).await?;
    rows.iter().map(|row| Ok(TenantId::trusted(row.try_get(0)?))).collect()
}
