//! The notices' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::Address;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::TenantId;
use crate::vault::Sealed;

macro_rules! columns {
    () => {
        "id, tenant, slug, sealed_secret, sealed_previous, previous_until, heard_at, refused_at, refused_for, created_at, \
         updated_at"
    };
}

const PUT: &str = "\
    INSERT INTO notice_addresses (id, tenant, slug, sealed_secret, sealed_previous, previous_until, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (tenant, slug) DO UPDATE SET sealed_secret = excluded.sealed_secret, \
        sealed_previous = excluded.sealed_previous, previous_until = excluded.previous_until, updated_at = excluded.updated_at \
    RETURNING id";

/// Makes or changes the address of an application; says whether the row is the one given (somebody else may have made it
/// meanwhile, under another id, which the sealed secret is not bound to).
pub async fn put(conn: &mut AnyConnection, address: &Address) -> Result<bool, Error> {
    let row = sqlx::query(PUT)
        .bind(&address.id)
        .bind(address.tenant.as_str())
        .bind(&address.slug)
        .bind(address.sealed_secret.as_ref().map(Sealed::as_bytes))
        .bind(address.sealed_previous.as_ref().map(Sealed::as_bytes))
        .bind(address.previous_until.map(Timestamp::as_millis))
        .bind(address.created_at.as_millis())
        .bind(address.updated_at.as_millis())
        .fetch_one(conn)
        .await?;
    Ok(row.try_get::<String, _>(0)? == address.id)
}

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM notice_addresses WHERE tenant = $1 AND slug = $2"
);

/// The address of an application.
pub async fn find(conn: &mut AnyConnection, tenant: &TenantId, slug: &str) -> Result<Option<Address>, Error> {
    let row = sqlx::query(FIND)
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(address).transpose()
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM notice_addresses WHERE tenant = $1 ORDER BY slug"
);

/// Every address of an environment.
pub async fn list(conn: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<Address>, Error> {
    let rows = sqlx::query(LIST).bind(tenant.as_str()).fetch_all(conn).await?;
    rows.iter().map(address).collect()
}

const BY_ID: &str = concat!("SELECT ", columns!(), " FROM notice_addresses WHERE id = $1");

/// The address of an opaque id, over all tenants: a provider knows nothing else. It carries its tenant along.
pub async fn by_id_of_all_tenants(conn: &mut AnyConnection, id: &str) -> Result<Option<Address>, Error> {
    let row = sqlx::query(BY_ID).bind(id).fetch_optional(conn).await?;
    row.as_ref().map(address).transpose()
}

const REMOVE: &str = "DELETE FROM notice_addresses WHERE tenant = $1 AND slug = $2";

/// Removes an address; says whether there was one.
pub async fn remove(conn: &mut AnyConnection, tenant: &TenantId, slug: &str) -> Result<bool, Error> {
    let done = sqlx::query(REMOVE)
        .bind(tenant.as_str())
        .bind(slug)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const WAS_HEARD: &str = "SELECT 1 FROM notices_heard WHERE tenant = $1 AND slug = $2 AND digest = $3 AND until > $4";

/// Whether a notice has been heard before and is still remembered.
pub async fn was_heard(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (slug, digest): (&str, &str),
    now: Timestamp,
) -> Result<bool, Error> {
    let row = sqlx::query(WAS_HEARD)
        .bind(tenant.as_str())
        .bind(slug)
        .bind(digest)
        .bind(now.as_millis())
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

const REMEMBER: &str = "INSERT INTO notices_heard (tenant, slug, digest, until) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (tenant, slug, digest) DO UPDATE SET until = excluded.until";

/// Remembers a notice until `until`.
pub async fn remember(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (slug, digest): (&str, &str),
    until: Timestamp,
) -> Result<(), Error> {
    sqlx::query(REMEMBER)
        .bind(tenant.as_str())
        .bind(slug)
        .bind(digest)
        .bind(until.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const HEARD: &str = "UPDATE notice_addresses SET heard_at = $1 WHERE tenant = $2 AND slug = $3";

/// Writes down that a verified notice arrived.
pub async fn heard(conn: &mut AnyConnection, tenant: &TenantId, slug: &str, now: Timestamp) -> Result<(), Error> {
    sqlx::query(HEARD)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(slug)
        .execute(conn)
        .await?;
    Ok(())
}

const REFUSED: &str = "UPDATE notice_addresses SET refused_at = $1, refused_for = $2 \
    WHERE tenant = $3 AND slug = $4 AND (refused_at IS NULL OR refused_at < $5)";

/// Writes down that a notice was refused, unless one was after `unless_since`: strangers cannot make us write at will.
pub async fn refused(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    (slug, why): (&str, &str),
    (now, unless_since): (Timestamp, Timestamp),
) -> Result<(), Error> {
    sqlx::query(REFUSED)
        .bind(now.as_millis())
        .bind(why)
        .bind(tenant.as_str())
        .bind(slug)
        .bind(unless_since.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const PURGE: &str = "DELETE FROM notices_heard WHERE until <= $1";

/// Forgets notices whose time is over, over all tenants.
pub async fn purge_of_all_tenants(conn: &mut AnyConnection, now: Timestamp) -> Result<u64, Error> {
    Ok(sqlx::query(PURGE)
        .bind(now.as_millis())
        .execute(conn)
        .await?
        .rows_affected())
}

fn address(row: &AnyRow) -> Result<Address, Error> {
    let sealed = |at: usize| -> Result<Option<Sealed>, Error> {
        Ok(row.try_get::<Option<Vec<u8>>, _>(at)?.map(Sealed::from_bytes))
    };
    let time = |at: usize| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>, _>(at)?.map(Timestamp::from_millis))
    };
    Ok(Address {
        id: row.try_get(0)?,
        tenant: TenantId::trusted(row.try_get(1)?),
        slug: row.try_get(2)?,
        sealed_secret: sealed(3)?,
        sealed_previous: sealed(4)?,
        previous_until: time(5)?,
        heard_at: time(6)?,
        refused: time(7)?.zip(row.try_get::<Option<String>, _>(8)?),
        created_at: Timestamp::from_millis(row.try_get(9)?),
        updated_at: Timestamp::from_millis(row.try_get(10)?),
    })
}
