//! The tenants' SQL.

use std::sync::Arc;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::{AccountSwitch, ApiKey, Environment, EnvironmentRow, Organisation, Scopes, Tenant};
use crate::clock::Timestamp;
use crate::db::{Db, Glance, LookUp};
use crate::error::Error;
use crate::ids::{ApiKeyId, DataKeyId, OrgId, TenantId};
use crate::vault::Sealed;

pub use super::audit::store::audit;

const GET_META: &str = "SELECT value FROM meta WHERE name = $1";

/// A value of the server itself, such as the master key's check value.
pub async fn get_meta(conn: &mut AnyConnection, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let row = sqlx::query(GET_META).bind(name).fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

const INSERT_META: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

/// Stores a value of the server itself unless there is one: of several nodes at once, the first one's stands.
pub async fn insert_meta(conn: &mut AnyConnection, name: &str, value: &[u8]) -> Result<(), Error> {
    sqlx::query(INSERT_META).bind(name).bind(value).execute(conn).await?;
    Ok(())
}

const INSERT_ORG: &str = "INSERT INTO organisations (id, name, created_at) VALUES ($1, $2, $3)";

/// Adds an organisation; a taken name is a duplicate.
pub async fn insert_organisation(conn: &mut AnyConnection, org: &Organisation) -> Result<(), Error> {
    sqlx::query(INSERT_ORG)
        .bind(org.id.as_str())
        .bind(&org.name)
        .bind(org.created_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const LIST_ORGS: &str = "SELECT id, name, created_at FROM organisations ORDER BY created_at, id";

/// Every organisation, for the operator.
pub async fn organisations(conn: &mut AnyConnection) -> Result<Vec<Organisation>, Error> {
    let rows = sqlx::query(LIST_ORGS).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Organisation {
                id: OrgId::trusted(row.try_get(0)?),
                name: row.try_get(1)?,
                created_at: Timestamp::from_millis(row.try_get(2)?),
            })
        })
        .collect()
}

const INSERT_ENVIRONMENT: &str = "INSERT INTO environments (id, org, name, return_origins, frame_origins, created_at) \
    VALUES ($1, $2, $3, '[]', '[]', $4)";

/// Adds an environment.
pub async fn insert_environment(conn: &mut AnyConnection, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    sqlx::query(INSERT_ENVIRONMENT)
        .bind(tenant.id.as_str())
        .bind(tenant.org.as_str())
        .bind(tenant.environment.as_str())
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const FIND_ENVIRONMENT: &str = "SELECT e.id, e.org, e.name, o.name, e.signing_key, e.return_origins, e.frame_origins \
    FROM environments e JOIN organisations o ON o.id = e.org WHERE o.name = $1 AND e.name = $2";

/// The environment of an organisation that the operator names.
pub async fn find_environment(
    conn: &mut AnyConnection,
    org: &str,
    environment: Environment,
) -> Result<Option<EnvironmentRow>, Error> {
    let row = sqlx::query(FIND_ENVIRONMENT)
        .bind(org)
        .bind(environment.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(environment_row).transpose()
}

const GET_ENVIRONMENT: &str = "SELECT e.id, e.org, e.name, o.name, e.signing_key, e.return_origins, e.frame_origins \
    FROM environments e JOIN organisations o ON o.id = e.org WHERE e.id = $1";

/// An environment by its id.
pub async fn get_environment(conn: &mut AnyConnection, tenant: &TenantId) -> Result<EnvironmentRow, Error> {
    let row = sqlx::query(GET_ENVIRONMENT)
        .bind(tenant.as_str())
        .fetch_optional(conn)
        .await?;
    environment_row(&row.ok_or(Error::NotFound("Environment"))?)
}

fn environment_row(row: &AnyRow) -> Result<EnvironmentRow, Error> {
    let id: String = row.try_get(0)?;
    let name: String = row.try_get(2)?;
    let corrupt = || Error::Corrupt {
        table: "environments",
        id: id.clone(),
    };
    let tenant = Tenant {
        id: TenantId::trusted(id.clone()),
        org: OrgId::trusted(row.try_get(1)?),
        environment: Environment::parse(&name).ok_or_else(corrupt)?,
    };
    let (returns, frames): (String, String) = (row.try_get(5)?, row.try_get(6)?);
    Ok(EnvironmentRow {
        tenant,
        org_name: row.try_get(3)?,
        signing_key: row.try_get::<Option<String>, _>(4)?.map(ApiKeyId::trusted),
        return_origins: serde_json::from_str(&returns).map_err(|_| corrupt())?,
        frame_origins: serde_json::from_str(&frames).map_err(|_| corrupt())?,
    })
}

const ACCOUNT_SWITCH: &str = "SELECT account_switch FROM environments WHERE id = $1";

/// What happens when a customer reconnects with another account than before.
pub async fn account_switch(conn: &mut AnyConnection, tenant: &TenantId) -> Result<AccountSwitch, Error> {
    let row = sqlx::query(ACCOUNT_SWITCH)
        .bind(tenant.as_str())
        .fetch_one(conn)
        .await?;
    let word: String = row.try_get(0)?;
    AccountSwitch::parse(&word).ok_or_else(|| Error::Corrupt {
        table: "environments",
        id: tenant.to_string(),
    })
}

const SET_ACCOUNT_SWITCH: &str = "UPDATE environments SET account_switch = $1 WHERE id = $2";

/// Sets what happens when a customer reconnects with another account than before.
pub async fn set_account_switch(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    policy: AccountSwitch,
) -> Result<(), Error> {
    sqlx::query(SET_ACCOUNT_SWITCH)
        .bind(policy.as_str())
        .bind(tenant.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

const SET_ORIGINS: &str = "UPDATE environments SET return_origins = $1, frame_origins = $2 WHERE id = $3";

/// Replaces the origins that hosted pages may lead back to and be framed by.
pub async fn set_origins(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    returns: &[String],
    frames: &[String],
) -> Result<(), Error> {
    let text = |list: &[String]| serde_json::Value::from(list).to_string();
    sqlx::query(SET_ORIGINS)
        .bind(text(returns))
        .bind(text(frames))
        .bind(tenant.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

const SET_SIGNING_KEY: &str = "UPDATE environments SET signing_key = $1 WHERE id = $2";

/// Names the key that signs the environment's webhooks.
pub async fn set_signing_key(conn: &mut AnyConnection, tenant: &TenantId, key: &ApiKeyId) -> Result<(), Error> {
    sqlx::query(SET_SIGNING_KEY)
        .bind(key.as_str())
        .bind(tenant.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

const INSERT_DATA_KEY: &str = "INSERT INTO data_keys (id, org, wrapped, created_at) VALUES ($1, $2, $3, $4)";

/// Adds a wrapped data key; the newest seals.
pub async fn insert_data_key(
    conn: &mut AnyConnection,
    org: &OrgId,
    key: (&DataKeyId, &[u8]),
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT_DATA_KEY)
        .bind(key.0.as_str())
        .bind(org.as_str())
        .bind(key.1)
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const DATA_KEYS: &str = "SELECT id, wrapped FROM data_keys WHERE org = $1 ORDER BY created_at DESC, id DESC";

/// An organisation's wrapped data keys, the newest first.
pub async fn data_keys(conn: &mut AnyConnection, org: &OrgId) -> Result<Vec<(DataKeyId, Vec<u8>)>, Error> {
    let rows = sqlx::query(DATA_KEYS).bind(org.as_str()).fetch_all(conn).await?;
    rows.iter()
        .map(|row| Ok((DataKeyId::trusted(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

const INSERT_KEY: &str = "INSERT INTO api_keys (id, tenant, name, hint, hash, sealed_value, scopes, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Adds an API key.
pub async fn insert_key(
    conn: &mut AnyConnection,
    key: &ApiKey,
    hash: &str,
    sealed: Option<&Sealed>,
) -> Result<(), Error> {
    sqlx::query(INSERT_KEY)
        .bind(key.id.as_str())
        .bind(key.tenant.id.as_str())
        .bind(&key.name)
        .bind(&key.hint)
        .bind(hash)
        .bind(sealed.map(Sealed::as_bytes))
        .bind(key.scopes.to_string())
        .bind(key.created_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

static FIND_KEY: LookUp<Option<Arc<ApiKey>>> = LookUp::new(
    (
        "SELECT k.id, k.tenant, e.org, e.name, k.name, k.hint, k.scopes, k.created_at, k.revoked_at, column1 FROM (VALUES ",
        1,
        ") wanted JOIN api_keys k ON k.hash = column2 JOIN environments e ON e.id = k.tenant WHERE k.revoked_at IS NULL",
    ),
    |rows| rows.first().map(|row| api_key(row).map(Arc::new)).transpose(),
);

/// The key of a value, unless it is revoked. The one look-up that has no tenant: it finds the tenant.
pub async fn find_key(db: &Db, glance: Glance, hash: &str) -> Result<Option<Arc<ApiKey>>, Error> {
    Ok(db.look_up_since(glance, &FIND_KEY, &[hash]).await?.as_ref().clone())
}

const LIST_KEYS: &str = "SELECT k.id, k.tenant, e.org, e.name, k.name, k.hint, k.scopes, k.created_at, k.revoked_at \
    FROM api_keys k JOIN environments e ON e.id = k.tenant WHERE k.tenant = $1 ORDER BY k.created_at, k.id";

/// An environment's keys, revoked ones too, the oldest first.
pub async fn keys(conn: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<ApiKey>, Error> {
    let rows = sqlx::query(LIST_KEYS).bind(tenant.as_str()).fetch_all(conn).await?;
    rows.iter().map(api_key).collect()
}

fn api_key(row: &AnyRow) -> Result<ApiKey, Error> {
    let id: String = row.try_get(0)?;
    let (environment, scopes): (String, String) = (row.try_get(3)?, row.try_get(6)?);
    let corrupt = || Error::Corrupt {
        table: "api_keys",
        id: id.clone(),
    };
    Ok(ApiKey {
        id: ApiKeyId::trusted(id.clone()),
        tenant: Tenant {
            id: TenantId::trusted(row.try_get(1)?),
            org: OrgId::trusted(row.try_get(2)?),
            environment: Environment::parse(&environment).ok_or_else(corrupt)?,
        },
        name: row.try_get(4)?,
        hint: row.try_get(5)?,
        scopes: Scopes::parse(&scopes).map_err(|_| corrupt())?,
        created_at: Timestamp::from_millis(row.try_get(7)?),
        revoked_at: row.try_get::<Option<i64>, _>(8)?.map(Timestamp::from_millis),
    })
}

const SEALED_KEY: &str = "SELECT sealed_value FROM api_keys WHERE tenant = $1 AND id = $2";

/// The sealed value of a key, where one is kept.
pub async fn sealed_key(conn: &mut AnyConnection, tenant: &TenantId, key: &ApiKeyId) -> Result<Option<Sealed>, Error> {
    let row = sqlx::query(SEALED_KEY)
        .bind(tenant.as_str())
        .bind(key.as_str())
        .fetch_optional(conn)
        .await?;
    let value: Option<Option<Vec<u8>>> = row.map(|row| row.try_get(0)).transpose()?;
    Ok(value.flatten().map(Sealed::from_bytes))
}

const REVOKE_KEY: &str = "UPDATE api_keys SET revoked_at = $1, sealed_value = NULL \
    WHERE tenant = $2 AND id = $3 AND revoked_at IS NULL \
      AND NOT EXISTS (SELECT 1 FROM environments e WHERE e.id = api_keys.tenant AND e.signing_key = api_keys.id)";

/// Revokes a key that is not the signing key; says whether it did.
pub async fn revoke_key(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    key: &ApiKeyId,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(REVOKE_KEY)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(key.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}
