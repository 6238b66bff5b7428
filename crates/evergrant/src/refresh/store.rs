//! What is due: its SQL.
//!
//! Finding it costs the same however many connections there are, and however many of them are due. The oldest come from an
//! index. When more is due than was asked for, one application, or one tenant's customers of it, may stand before all others:
//! then some of the lanes (an application of a tenant) are visited in turn, each by the index too, and the next time the
//! following ones. The first of each lane come before the second of any, and of the firsts those that were visited.

use std::collections::{HashMap, HashSet};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};

/// How many lanes are visited in one go.
const LANES: i64 = 16;

/// A connection that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its application.
    pub slug: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub id: ConnectionId,
}

/// The lane that was visited last: the application's slug, and the tenant.
#[derive(Clone, Debug, Default)]
pub struct Lane(String, String);

/// After every tenant's id, in whatever order the database has texts.
const PAST_ALL: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

impl Lane {
    /// Its application.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.0
    }

    /// Passes by the other lanes of its application.
    pub fn leave_application(&mut self) {
        PAST_ALL.clone_into(&mut self.1);
    }
}

/// By whose clocks something is due.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Ours: what is due.
    pub now: Timestamp,
    /// The clock of leases: what is held.
    pub lease: Timestamp,
}

const OLDEST: &str = "SELECT slug, tenant, id FROM connections \
    WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $2) ORDER BY due_at, tenant, id LIMIT $3";

// From one lane to the next without looking at what is between: the next tenant of the same application, else the first one of
// the next application. Scalar sub-queries, since not both engines know LATERAL; no comparison of pairs, of which SQLite looks up the
// first half only; no EXISTS, for which PostgreSQL reads the table.
const NEXT_LANES: &str = "\
    WITH RECURSIVE lane (slug, tenant, place) AS ( \
      SELECT $1, $2, CAST(0 AS BIGINT) \
      UNION ALL \
      SELECT COALESCE((SELECT c.slug FROM connections c \
                         WHERE c.due_at IS NOT NULL AND c.slug = lane.slug AND c.tenant > lane.tenant \
                         ORDER BY c.tenant LIMIT 1), \
               (SELECT c.slug FROM connections c WHERE c.due_at IS NOT NULL AND c.slug > lane.slug \
                  ORDER BY c.slug, c.tenant LIMIT 1)), \
             COALESCE((SELECT c.tenant FROM connections c \
                         WHERE c.due_at IS NOT NULL AND c.slug = lane.slug AND c.tenant > lane.tenant \
                         ORDER BY c.tenant LIMIT 1), \
               (SELECT c.tenant FROM connections c WHERE c.due_at IS NOT NULL AND c.slug > lane.slug \
                  ORDER BY c.slug, c.tenant LIMIT 1)), \
             lane.place + 1 \
      FROM lane WHERE lane.slug IS NOT NULL AND lane.place < $3 \
    ) SELECT slug, tenant FROM lane WHERE place > 0 AND slug IS NOT NULL ORDER BY place";

const OF_LANE: &str = "SELECT slug, tenant, id FROM connections \
    WHERE slug = $1 AND tenant = $2 AND due_at <= $3 AND (lease_until IS NULL OR lease_until <= $4) \
    ORDER BY due_at, id LIMIT $5";

/// What is due and not under way, over all tenants: each lane in turn, within it the longest due first. Goes on from `from`.
pub async fn due_of_all_tenants(
    conn: &mut AnyConnection,
    times: Times,
    (limit, from): (i64, &mut Lane),
) -> Result<Vec<Due>, Error> {
    let oldest = oldest(conn, times, limit).await?;
    let mut found = Vec::new();
    if i64::try_from(oldest.len()).unwrap_or(i64::MAX) == limit {
        let lanes = next_lanes(conn, from).await?;
        let share = limit / i64::try_from(lanes.len().max(1)).unwrap_or(1) + 1;
        for lane in &lanes {
            found.extend(of_lane(conn, lane, times, share).await?);
        }
        // At the end of all lanes it begins anew.
        *from = lanes
            .into_iter()
            .nth(usize::try_from(LANES).unwrap_or(0) - 1)
            .unwrap_or_default();
    }
    // After what the visit has found: they may be of as many lanes as there is room for.
    found.extend(oldest);
    let mut found = in_turn(found);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

async fn oldest(conn: &mut AnyConnection, times: Times, limit: i64) -> Result<Vec<Due>, Error> {
    let rows = sqlx::query(OLDEST)
        .bind(times.now.as_millis())
        .bind(times.lease.as_millis())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter().map(due).collect()
}

async fn next_lanes(conn: &mut AnyConnection, Lane(slug, tenant): &Lane) -> Result<Vec<Lane>, Error> {
    let rows = sqlx::query(NEXT_LANES)
        .bind(slug)
        .bind(tenant)
        .bind(LANES)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(Lane(row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

async fn of_lane(
    conn: &mut AnyConnection,
    Lane(slug, tenant): &Lane,
    times: Times,
    limit: i64,
) -> Result<Vec<Due>, Error> {
    let rows = sqlx::query(OF_LANE)
        .bind(slug)
        .bind(tenant)
        .bind(times.now.as_millis())
        .bind(times.lease.as_millis())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter().map(due).collect()
}

fn due(row: &AnyRow) -> Result<Due, Error> {
    Ok(Due {
        slug: row.try_get(0)?,
        tenant: TenantId::trusted(row.try_get(1)?),
        id: ConnectionId::trusted(row.try_get(2)?),
    })
}

const WAITING: &str = "SELECT id FROM connections WHERE tenant = $1 AND slug = $2 AND auth_type = 'oauth2' \
    AND has_refresh_token = 1 AND due_at <= $3 AND (lease_until IS NULL OR lease_until <= $4) ORDER BY id LIMIT $5";

/// The grants of an application that are due and not under way, in the order in which rows are locked.
pub async fn waiting_of(
    conn: &mut AnyConnection,
    (tenant, slug): (&TenantId, &str),
    times: Times,
    limit: i64,
) -> Result<Vec<ConnectionId>, Error> {
    let rows = sqlx::query(WAITING)
        .bind(tenant.as_str())
        .bind(slug)
        .bind(times.now.as_millis())
        .bind(times.lease.as_millis())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(ConnectionId::trusted(row.try_get(0)?)))
        .collect()
}

/// The first of each lane, then the second of each, and so on; what was found twice, once.
fn in_turn(found: Vec<Due>) -> Vec<Due> {
    let mut seen = HashSet::new();
    let mut places: HashMap<(String, TenantId), usize> = HashMap::new();
    let mut placed: Vec<(usize, Due)> = Vec::with_capacity(found.len());
    for due in found {
        if seen.insert(due.id.clone()) {
            let place = places.entry((due.slug.clone(), due.tenant.clone())).or_default();
            *place += 1;
            placed.push((*place, due));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, due)| due).collect()
}
