//! The SQL of all connections of an application.

use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::connections::model::Connection;
use crate::connections::row::{columns, connection};
use crate::db::Engine;
use crate::error::Error;
use crate::ids::TenantId;

macro_rules! of_application {
    ($taking:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM connections WHERE tenant = $1 AND slug = $2 AND auth_type = 'oauth2' AND disconnected_at IS NULL ORDER BY id",
            $taking
        )
    };
}

const OF_APPLICATION: &str = of_application!("");
const TAKE_ALL: (&str, &str) = (OF_APPLICATION, of_application!(" FOR UPDATE"));

/// The live OAuth connections of an application, over all accounts of a tenant.
pub async fn live_of_application(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    slug: &str,
) -> Result<Vec<Connection>, Error> {
    let rows = sqlx::query(OF_APPLICATION)
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_all(conn)
        .await?;
    rows.iter().map(connection).collect()
}

/// The same, taken for the rest of the transaction, in the order of their ids: none of them changes meanwhile.
pub async fn take_all_of_application(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    slug: &str,
) -> Result<Vec<Connection>, Error> {
    let rows = sqlx::query(Engine::of(conn).locking(TAKE_ALL))
        .bind(tenant.as_str())
        .bind(slug)
        .fetch_all(conn)
        .await?;
    rows.iter().map(connection).collect()
}

/// The pause between two connections that a mended OAuth client lets on, and over how long they are spread at most.
const PACE_MS: i64 = 100;
const SPREAD_MS: i64 = 15 * 60 * 1000;

macro_rules! try_again {
    ($taking:literal) => {
        concat!(
            "WITH stopped AS (SELECT id AS stopped_id FROM connections WHERE tenant = $2 AND slug = $3 AND auth_type = 'oauth2' \
                AND has_refresh_token = 1 AND disconnected_at IS NULL \
                AND (trouble_verdict = 'app_broken' OR reason = 'oauth_app_deleted') ORDER BY id",
            $taking,
            "), paced AS (SELECT stopped_id, ROW_NUMBER() OVER (ORDER BY stopped_id) AS turn FROM stopped) \
             UPDATE connections SET due_at = $1 + ((paced.turn - 1) * $4) % $5 FROM paced \
             WHERE connections.tenant = $2 AND connections.id = paced.stopped_id"
        )
    };
}

const TRY_AGAIN: (&str, &str) = (try_again!(""), try_again!(" FOR UPDATE"));

/// Makes due what a broken OAuth client had stopped: the first at once, ten a second, all within a quarter of an hour.
pub async fn try_again(conn: &mut AnyConnection, tenant: &TenantId, slug: &str, now: Timestamp) -> Result<u64, Error> {
    let done = sqlx::query(Engine::of(conn).locking(TRY_AGAIN))
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(slug)
        .bind(PACE_MS)
        .bind(SPREAD_MS)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
