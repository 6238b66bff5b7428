//! The links' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::{Break, Link};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ConnectionId, LinkId, TenantId};
use crate::vault::Sealed;

/// How many links of a connection are listed.
const MOST: i64 = 100;

macro_rules! columns {
    () => {
        "id, tenant, connection, since, break_of, created_at, expires_at, revoked_at"
    };
}

const INSERT: &str = "INSERT INTO reauth_links \
    (id, tenant, connection, since, break_of, hash, sealed_value, created_at, expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";

/// Adds a link. Says whether it did: if not, somebody else has just made the break's own.
pub async fn insert(
    conn: &mut AnyConnection,
    link: &Link,
    (hash, sealed): (&str, Option<&Sealed>),
) -> Result<bool, Error> {
    let done = sqlx::query(INSERT)
        .bind(link.id.as_str())
        .bind(link.tenant.as_str())
        .bind(link.connection.as_str())
        .bind(link.since.as_millis())
        .bind(link.automatic.then(|| link.since.as_millis()))
        .bind(hash)
        .bind(sealed.map(Sealed::as_bytes))
        .bind(link.created_at.as_millis())
        .bind(link.expires_at.as_millis())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM reauth_links WHERE hash = $1");

/// The link of a token, ended ones too. Like that of a session token, this look-up has no tenant: it finds the tenant.
pub async fn find_link_by_hash(conn: &mut AnyConnection, hash: &str) -> Result<Option<Link>, Error> {
    let row = sqlx::query(FIND).bind(hash).fetch_optional(conn).await?;
    row.as_ref().map(link).transpose()
}

const OF_BREAK: &str = concat!(
    "SELECT ",
    columns!(),
    ", sealed_value FROM reauth_links WHERE tenant = $1 AND connection = $2 AND break_of = $3"
);

/// The break's own link, with its sealed token.
pub async fn of_break(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    of: Break<'_>,
) -> Result<Option<(Link, Sealed)>, Error> {
    let row = sqlx::query(OF_BREAK)
        .bind(tenant.as_str())
        .bind(of.connection.as_str())
        .bind(of.since.as_millis())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((link(&row)?, Sealed::from_bytes(row.try_get(8)?))))
}

const RETIRE: &str = "UPDATE reauth_links SET break_of = NULL, sealed_value = NULL \
    WHERE tenant = $1 AND connection = $2 AND break_of = $3 AND (revoked_at IS NOT NULL OR expires_at < $4)";

/// Makes room for another link of the break where its own is revoked or does not last until `until`. The old one stays as
/// good as it is, and is not handed out again.
pub async fn retire(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (of, until): (Break<'_>, Timestamp),
) -> Result<(), Error> {
    sqlx::query(RETIRE)
        .bind(tenant.as_str())
        .bind(of.connection.as_str())
        .bind(of.since.as_millis())
        .bind(until.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reauth_links WHERE tenant = $1 AND connection = $2 ORDER BY created_at DESC, id DESC LIMIT $3"
);

/// The newest links of a connection, the newest first.
pub async fn links_of_connection(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> Result<Vec<Link>, Error> {
    let rows = sqlx::query(LIST)
        .bind(tenant.as_str())
        .bind(connection.as_str())
        .bind(MOST)
        .fetch_all(conn)
        .await?;
    rows.iter().map(link).collect()
}

const REVOKE: &str = "UPDATE reauth_links SET revoked_at = $1, sealed_value = NULL, break_of = NULL \
    WHERE tenant = $2 AND connection = $3 AND (id = $4 OR $4 = '') AND revoked_at IS NULL AND expires_at > $1";

/// Ends one live link of a connection, or all; says how many.
pub async fn revoke_links(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (connection, only): (&ConnectionId, Option<&LinkId>),
    now: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(REVOKE)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(connection.as_str())
        .bind(only.map_or("", LinkId::as_str))
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

const PURGE: &str = "DELETE FROM reauth_links WHERE expires_at < $1";

/// Forgets links that expired before `before`, over all tenants; background work.
pub async fn purge_links_of_all_tenants(conn: &mut AnyConnection, before: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(before.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

fn link(row: &AnyRow) -> Result<Link, Error> {
    let revoked: Option<i64> = row.try_get(7)?;
    Ok(Link {
        id: LinkId::trusted(row.try_get(0)?),
        tenant: TenantId::trusted(row.try_get(1)?),
        connection: ConnectionId::trusted(row.try_get(2)?),
        since: Timestamp::from_millis(row.try_get(3)?),
        automatic: row.try_get::<Option<i64>, _>(4)?.is_some(),
        created_at: Timestamp::from_millis(row.try_get(5)?),
        expires_at: Timestamp::from_millis(row.try_get(6)?),
        revoked_at: revoked.map(Timestamp::from_millis),
    })
}
