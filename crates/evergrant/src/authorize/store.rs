//! The authorisations' SQL.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{EndBasis, Expected, Schedule};
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
const FORGET_WAITING: &str = "DELETE FROM account_switches WHERE tenant = $1 AND account = $2 AND slug = $3";

/// Ends whatever consent is being asked of an account for an application: it has just been disconnected.
pub async fn forget(conn: &mut AnyConnection, tenant: &TenantId, account: &AccountId, slug: &str) -> Result<(), Error> {
    for statement in [FORGET, FORGET_WAITING] {
        sqlx::query(statement)
            .bind(tenant.as_str())
            .bind(account.as_str())
            .bind(slug)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// A credential of another account than expected that waits for its customer's decision.
#[derive(Debug)]
pub struct Waiting {
    /// SHA-256 of what names the decision, and the row's key.
    pub token_hash: String,
    /// The environment.
    pub tenant: TenantId,
    /// The customer.
    pub account: AccountId,
    /// The application.
    pub slug: String,
    /// How it authenticates.
    pub auth_type: AuthType,
    /// The connection that it would replace the account of.
    pub connection: ConnectionId,
    /// When its customer had last connected it: a newer consent makes the decision void.
    pub connected_at: Timestamp,
    /// The new credential, sealed as the connection's.
    pub sealed_credential: Sealed,
    /// Who asked for the consent.
    pub sealed_asker: Sealed,
    /// The other account.
    pub identifier: Value,
    /// Whether a call with the credential was accepted.
    pub proved: bool,
    /// What is known of the credential's life.
    pub schedule: Schedule,
}

const INSERT_WAITING: &str = "INSERT INTO account_switches (token_hash, tenant, account, slug, auth_type, connection, \
    connected_at, browser_hash, sealed_credential, sealed_asker, identifier, proved, has_refresh_token, issued_at, expires_at, \
    refresh_expires_at, end_basis, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

/// Lets a credential wait until `until` for a decision in one browser. It takes the place of an earlier one.
pub async fn insert_waiting(
    conn: &mut AnyConnection,
    w: &Waiting,
    browser_hash: &str,
    until: Timestamp,
) -> Result<(), Error> {
    sqlx::query(FORGET_WAITING)
        .bind(w.tenant.as_str())
        .bind(w.account.as_str())
        .bind(&w.slug)
        .execute(&mut *conn)
        .await?;
    sqlx::query(INSERT_WAITING)
        .bind(&w.token_hash)
        .bind(w.tenant.as_str())
        .bind(w.account.as_str())
        .bind(&w.slug)
        .bind(w.auth_type.as_str())
        .bind(w.connection.as_str())
        .bind(w.connected_at.as_millis())
        .bind(browser_hash)
        .bind(w.sealed_credential.as_bytes())
        .bind(w.sealed_asker.as_bytes())
        .bind(w.identifier.to_string())
        .bind(i64::from(w.proved))
        .bind(i64::from(w.schedule.has_refresh_token))
        .bind(w.schedule.issued_at.map(Timestamp::as_millis))
        .bind(w.schedule.expires_at.map(Timestamp::as_millis))
        .bind(w.schedule.refresh_expires_at.map(Timestamp::as_millis))
        .bind(w.schedule.expected.basis.as_str())
        .bind(until.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const TAKE_WAITING: &str = "DELETE FROM account_switches \
    WHERE token_hash = $1 AND slug = $2 AND browser_hash = $3 AND ends_at > $4 \
    RETURNING token_hash, tenant, account, slug, auth_type, connection, connected_at, sealed_credential, sealed_asker, \
      identifier, proved, has_refresh_token, issued_at, expires_at, refresh_expires_at, end_basis";

/// Takes a waiting credential away: one use, by the browser that was asked. The token names the tenant.
pub async fn take_waiting(
    conn: &mut AnyConnection,
    (token_hash, slug): (&str, &str),
    browser_hash: &str,
    now: Timestamp,
) -> Result<Option<Waiting>, Error> {
    let row = sqlx::query(TAKE_WAITING)
        .bind(token_hash)
        .bind(slug)
        .bind(browser_hash)
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(waiting).transpose()
}

fn waiting(row: &AnyRow) -> Result<Waiting, Error> {
    let token_hash: String = row.try_get(0)?;
    let corrupt = || Error::Corrupt {
        table: "account_switches",
        id: token_hash.clone(),
    };
    let time = |at: usize| Ok::<_, Error>(row.try_get::<Option<i64>, _>(at)?.map(Timestamp::from_millis));
    let (auth_type, identifier): (String, String) = (row.try_get(4)?, row.try_get(9)?);
    let has_refresh_token = row.try_get::<i64, _>(11)? == 1;
    let basis: String = row.try_get(15)?;
    Ok(Waiting {
        tenant: TenantId::trusted(row.try_get(1)?),
        account: AccountId::trusted(row.try_get(2)?),
        slug: row.try_get(3)?,
        auth_type: AuthType::parse(&auth_type).ok_or_else(corrupt)?,
        connection: ConnectionId::trusted(row.try_get(5)?),
        connected_at: Timestamp::from_millis(row.try_get(6)?),
        sealed_credential: Sealed::from_bytes(row.try_get(7)?),
        sealed_asker: Sealed::from_bytes(row.try_get(8)?),
        identifier: serde_json::from_str(&identifier).map_err(|_| corrupt())?,
        proved: row.try_get::<i64, _>(10)? == 1,
        schedule: Schedule {
            has_refresh_token,
            issued_at: time(12)?,
            expires_at: time(13)?,
            refresh_issued_at: if has_refresh_token { time(12)? } else { None },
            refresh_expires_at: time(14)?,
            expected: Expected {
                end: time(13)?,
                basis: EndBasis::parse(&basis).ok_or_else(corrupt)?,
                moves: false,
            },
            ..Schedule::default()
        },
        token_hash,
    })
}

const PURGE: &str = "DELETE FROM authorizations WHERE expires_at <= $1";
const PURGE_WAITING: &str = "DELETE FROM account_switches WHERE ends_at <= $1";

/// Removes what nobody can use any more, over all tenants.
pub async fn purge_of_all_tenants(conn: &mut AnyConnection, now: Timestamp) -> Result<u64, Error> {
    let mut gone = 0;
    for statement in [PURGE, PURGE_WAITING] {
        let done = sqlx::query(statement).bind(now.as_millis()).execute(&mut *conn).await?;
        gone += done.rows_affected();
    }
    Ok(gone)
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
