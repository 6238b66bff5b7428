//! The sessions' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::Session;
use crate::accounts::LinkedAccount;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, OrgId, SessionId, TenantId};
use crate::tenants::{Environment, Tenant};
use crate::vault::Sealed;

/// A session as it is stored.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Its id.
    pub id: &'a SessionId,
    /// The account it acts for.
    pub account: &'a AccountId,
    /// SHA-256 of the token.
    pub hash: &'a str,
    /// The token, sealed.
    pub sealed: &'a Sealed,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// When the refresh token ends.
    pub refresh_expires_at: Timestamp,
}

const INSERT: &str = "INSERT INTO session_tokens \
    (id, tenant, account, hash, sealed_value, created_at, expires_at, refresh_expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Adds a session.
pub async fn insert(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    new: &NewSession<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(new.id.as_str())
        .bind(tenant.as_str())
        .bind(new.account.as_str())
        .bind(new.hash)
        .bind(new.sealed.as_bytes())
        .bind(now.as_millis())
        .bind(new.expires_at.as_millis())
        .bind(new.refresh_expires_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// A stored token that can be handed out again.
#[derive(Debug)]
pub struct Reusable {
    /// Its session.
    pub id: SessionId,
    /// The token, sealed.
    pub sealed: Sealed,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When its refresh token ends.
    pub refresh_expires_at: Timestamp,
}

const REUSABLE: &str = "SELECT id, sealed_value, expires_at, refresh_expires_at FROM session_tokens \
    WHERE tenant = $1 AND account = $2 AND revoked_at IS NULL AND expires_at >= $3 \
    ORDER BY expires_at DESC, id DESC LIMIT 1";

/// The account's token that lives longest, if that is at least until `until`.
pub async fn reusable(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    account: &AccountId,
    until: Timestamp,
) -> Result<Option<Reusable>, Error> {
    let row = sqlx::query(REUSABLE)
        .bind(tenant.as_str())
        .bind(account.as_str())
        .bind(until.as_millis())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Reusable {
            id: SessionId::trusted(row.try_get(0)?),
            sealed: Sealed::from_bytes(row.try_get(1)?),
            expires_at: Timestamp::from_millis(row.try_get(2)?),
            refresh_expires_at: Timestamp::from_millis(row.try_get(3)?),
        })
    })
    .transpose()
}

const FIND: &str = "SELECT s.id, s.expires_at, e.id, e.org, e.name, \
        a.id, a.account_id, a.name, a.version, a.created_at, a.updated_at \
    FROM session_tokens s JOIN linked_accounts a ON a.tenant = s.tenant AND a.id = s.account \
    JOIN environments e ON e.id = s.tenant WHERE s.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2";

/// The live session of a token. Like that of an API key, this look-up has no tenant: it finds the tenant.
pub async fn find_by_hash(conn: &mut AnyConnection, hash: &str, now: Timestamp) -> Result<Option<Session>, Error> {
    let row = sqlx::query(FIND)
        .bind(hash)
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(session).transpose()
}

fn session(row: &AnyRow) -> Result<Session, Error> {
    let (tenant, environment): (String, String) = (row.try_get(2)?, row.try_get(4)?);
    let corrupt = || Error::Corrupt {
        table: "environments",
        id: tenant.clone(),
    };
    Ok(Session {
        id: SessionId::trusted(row.try_get(0)?),
        expires_at: Timestamp::from_millis(row.try_get(1)?),
        tenant: Tenant {
            id: TenantId::trusted(tenant.clone()),
            org: OrgId::trusted(row.try_get(3)?),
            environment: Environment::parse(&environment).ok_or_else(corrupt)?,
        },
        account: LinkedAccount {
            id: AccountId::trusted(row.try_get(5)?),
            account_id: row.try_get(6)?,
            name: row.try_get(7)?,
            version: row.try_get(8)?,
            created_at: Timestamp::from_millis(row.try_get(9)?),
            updated_at: Timestamp::from_millis(row.try_get(10)?),
        },
    })
}

const REVOKE: &str = "UPDATE session_tokens SET revoked_at = $1, sealed_value = $2, properties = NULL, \
    properties_until = NULL WHERE tenant = $3 AND id = $4 AND revoked_at IS NULL AND expires_at > $1";

/// Ends a live session and erases its token; says whether it was live.
pub async fn revoke(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let erased: &[u8] = &[];
    let done = sqlx::query(REVOKE)
        .bind(now.as_millis())
        .bind(erased)
        .bind(tenant.as_str())
        .bind(session.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const PURGE: &str = "DELETE FROM session_tokens WHERE expires_at <= $1";

/// Removes the expired sessions of every tenant; background work. Says how many.
pub async fn purge_expired_of_all_tenants(conn: &mut AnyConnection, now: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(now.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

const PUT_PROPERTIES: &str = "UPDATE session_tokens SET properties = $1, properties_until = $2 \
    WHERE tenant = $3 AND id = $4 AND revoked_at IS NULL";

/// Keeps the properties of a hosted page until `until`.
pub async fn put_properties(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    session: &SessionId,
    (text, until): (&str, Timestamp),
) -> Result<(), Error> {
    sqlx::query(PUT_PROPERTIES)
        .bind(text)
        .bind(until.as_millis())
        .bind(tenant.as_str())
        .bind(session.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

const PROPERTIES: &str =
    "SELECT properties FROM session_tokens WHERE tenant = $1 AND id = $2 AND properties_until > $3";

/// The properties of a hosted page, while they are kept.
pub async fn properties(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let row = sqlx::query(PROPERTIES)
        .bind(tenant.as_str())
        .bind(session.as_str())
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    let text: Option<Option<String>> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(text.flatten())
}
