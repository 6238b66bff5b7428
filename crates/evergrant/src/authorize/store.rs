//! The authorisations' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, ConnectionId, TenantId};
use crate::vault::Sealed;

/// A row: whose consent is being asked for what.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// SHA-256 of the start page's token, and the row's key.
    pub start_hash: String,
    /// The environment.
    pub tenant: TenantId,
    /// The customer.
    pub account: AccountId,
    /// The application.
    pub slug: String,
    /// The connection being repaired, where there is one.
    pub connection: Option<ConnectionId>,
    /// What the callback needs.
    pub sealed_request: Sealed,
}

const INSERT: &str = "INSERT INTO authorizations \
    (start_hash, tenant, account, slug, connection, sealed_request, created_at, expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Adds an authorisation that nobody has opened yet.
pub async fn insert(
    conn: &mut AnyConnection,
    a: &Authorization,
    (now, until): (Timestamp, Timestamp),
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(&a.start_hash)
        .bind(a.tenant.as_str())
        .bind(a.account.as_str())
        .bind(&a.slug)
        .bind(a.connection.as_ref().map(ConnectionId::as_str))
        .bind(a.sealed_request.as_bytes())
        .bind(now.as_millis())
        .bind(until.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const TRIM: &str = "DELETE FROM authorizations WHERE tenant = $1 AND account = $2 AND slug = $3 AND start_hash NOT IN ( \
    SELECT start_hash FROM authorizations WHERE tenant = $1 AND account = $2 AND slug = $3 \
    ORDER BY created_at DESC, start_hash LIMIT $4)";

/// Keeps the newest `most` authorisations of an account for an application: a browser that begins again and again fills no
/// table.
pub async fn trim(conn: &mut AnyConnection, a: &Authorization, most: i64) -> Result<(), Error> {
    sqlx::query(TRIM)
        .bind(a.tenant.as_str())
        .bind(a.account.as_str())
        .bind(&a.slug)
        .bind(most)
        .execute(conn)
        .await?;
    Ok(())
}

const OPEN: &str = "UPDATE authorizations SET state_hash = $1, browser_hash = $2 \
    WHERE start_hash = $3 AND slug = $4 AND state_hash IS NULL AND expires_at > $5 \
    RETURNING start_hash, tenant, account, slug, connection, sealed_request";

/// Binds an authorisation to a state and a browser, once: the second call finds nothing. The token is all that a browser
/// has, so it names the tenant here.
pub async fn open_by_token(
    conn: &mut AnyConnection,
    (start_hash, slug): (&str, &str),
    (state_hash, browser_hash): (&str, &str),
    now: Timestamp,
) -> Result<Option<Authorization>, Error> {
    let row = sqlx::query(OPEN)
        .bind(state_hash)
        .bind(browser_hash)
        .bind(start_hash)
        .bind(slug)
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(authorization).transpose()
}

const SET_REQUEST: &str = "UPDATE authorizations SET sealed_request = $1 WHERE tenant = $2 AND start_hash = $3";

/// Replaces what an authorisation remembers.
pub async fn set_request(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    start_hash: &str,
    sealed_request: &Sealed,
) -> Result<(), Error> {
    sqlx::query(SET_REQUEST)
        .bind(sealed_request.as_bytes())
        .bind(tenant.as_str())
        .bind(start_hash)
        .execute(conn)
        .await?;
    Ok(())
}

const TAKE: &str = "DELETE FROM authorizations \
    WHERE state_hash = $1 AND slug = $2 AND browser_hash = $3 AND expires_at > $4 \
    RETURNING start_hash, tenant, account, slug, connection, sealed_request";

/// Takes an authorisation away: single use by construction. Another browser, another application or a stale state find
/// nothing and take nothing. The state names the tenant.
pub async fn take_by_state(
    conn: &mut AnyConnection,
    (state_hash, slug): (&str, &str),
    browser_hash: &str,
    now: Timestamp,
) -> Result<Option<Authorization>, Error> {
    let row = sqlx::query(TAKE)
        .bind(state_hash)
        .bind(slug)
        .bind(browser_hash)
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(authorization).transpose()
}

const FORGET: &str = "DELETE FROM authorizations WHERE tenant = $1 AND account = $2 AND slug = $3";

/// Ends whatever consent is being asked of an account for an application: it has just been disconnected.
pub async fn forget(conn: &mut AnyConnection, tenant: &TenantId, account: &AccountId, slug: &str) -> Result<(), Error> {
    sqlx::query(FORGET)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(slug)
        .execute(conn)
        .await?;
    Ok(())
}

const PURGE: &str = "DELETE FROM authorizations WHERE expires_at <= $1";

/// Removes what nobody can use any more, over all tenants.
pub async fn purge_of_all_tenants(conn: &mut AnyConnection, now: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(now.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

fn authorization(row: &AnyRow) -> Result<Authorization, Error> {
    Ok(Authorization {
        start_hash: row.try_get(0)?,
        tenant: TenantId::trusted(row.try_get(1)?),
        account: AccountId::trusted(row.try_get(2)?),
        slug: row.try_get(3)?,
        connection: row.try_get::<Option<String>, _>(4)?.map(ConnectionId::trusted),
        sealed_request: Sealed::from_bytes(row.try_get(5)?),
    })
}
