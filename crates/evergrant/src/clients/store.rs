//! The OAuth clients' SQL.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::OAuthClient;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ClientId, TenantId};
use crate::vault::Sealed;

const UPSERT: &str = "\
    INSERT INTO oauth_clients (id, tenant, slug, client_id, sealed_secret, scopes, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (tenant, slug) DO UPDATE SET id = excluded.id, client_id = excluded.client_id, \
        sealed_secret = excluded.sealed_secret, scopes = excluded.scopes, updated_at = excluded.updated_at";

/// Sets the client of an application. The row takes the new id, since the sealed secret is bound to it.
pub async fn upsert(conn: &mut AnyConnection, client: &OAuthClient) -> Result<(), Error> {
    sqlx::query(UPSERT)
        .bind(client.id.as_str())
        .bind(client.tenant.as_str())
        .bind(&client.slug)
        .bind(&client.client_id)
        .bind(client.sealed_secret.as_ref().map(Sealed::as_bytes))
        .bind(client.scopes.as_ref().map(|scopes| scopes.join(" ")))
        .bind(client.created_at.as_millis())
        .bind(client.updated_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const FIND: &str = "SELECT id, tenant, slug, client_id, sealed_secret, scopes, created_at, updated_at \
    FROM oauth_clients WHERE tenant = $1 AND slug = $2";

/// The client of an application.
pub async fn find(conn: &mut AnyConnection, tenant: &TenantId, slug: &str) -> Result<Option<OAuthClient>, Error> {
    let row = sqlx::query(FIND)
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(client).transpose()
}

const OF_CLIENT_ID: &str = "SELECT id, tenant, slug, client_id, sealed_secret, scopes, created_at, updated_at \
    FROM oauth_clients WHERE slug = $1 AND client_id = $2 ORDER BY tenant";

/// The clients of one client id, over all tenants: for a notice that names nothing else. Each carries its tenant along.
pub async fn of_client_id_of_all_tenants(
    conn: &mut AnyConnection,
    slug: &str,
    client_id: &str,
) -> Result<Vec<OAuthClient>, Error> {
    let rows = sqlx::query(OF_CLIENT_ID)
        .bind(slug)
        .bind(client_id)
        .fetch_all(conn)
        .await?;
    rows.iter().map(client).collect()
}

const LIST: &str = "SELECT id, tenant, slug, client_id, sealed_secret, scopes, created_at, updated_at \
    FROM oauth_clients WHERE tenant = $1 ORDER BY slug";

/// Every client of an environment.
pub async fn list(conn: &mut AnyConnection, tenant: &TenantId) -> Result<Vec<OAuthClient>, Error> {
    let rows = sqlx::query(LIST).bind(tenant.as_str()).fetch_all(conn).await?;
    rows.iter().map(client).collect()
}

const REMOVE: &str = "DELETE FROM oauth_clients WHERE tenant = $1 AND slug = $2";

/// Removes the client of an application; says whether there was one.
pub async fn remove(conn: &mut AnyConnection, tenant: &TenantId, slug: &str) -> Result<bool, Error> {
    let done = sqlx::query(REMOVE)
        .bind(tenant.as_str())
        .bind(slug)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn client(row: &AnyRow) -> Result<OAuthClient, Error> {
    let scopes: Option<String> = row.try_get(5)?;
    Ok(OAuthClient {
        id: ClientId::trusted(row.try_get(0)?),
        tenant: TenantId::trusted(row.try_get(1)?),
        slug: row.try_get(2)?,
        client_id: row.try_get(3)?,
        sealed_secret: row.try_get::<Option<Vec<u8>>, _>(4)?.map(Sealed::from_bytes),
        scopes: scopes.map(|text| text.split_whitespace().map(str::to_owned).collect()),
        created_at: Timestamp::from_millis(row.try_get(6)?),
        updated_at: Timestamp::from_millis(row.try_get(7)?),
    })
}
