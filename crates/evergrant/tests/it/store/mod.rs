//! Every store function, on both engines.

mod accounts;
mod audit;
mod authorize;
mod clients;
mod connections;
mod due;
mod incidents;
mod lease;
mod links;
mod listing;
mod look_up;
mod notices;
mod purging;
mod sessions;
mod tenants;
mod webhooks;

use evergrant::clock::Timestamp;
use evergrant::error::Error;
use evergrant::ids::{ConnectionId, TenantId};
use evergrant::refresh::store::{Lane, Times, due_of_all_tenants};

/// What is due, asked for the first time.
async fn find_due(
    conn: &mut sqlx::AnyConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(TenantId, ConnectionId)>, Error> {
    let times = Times { now, lease: now };
    let due = due_of_all_tenants(conn, times, (limit, &mut Lane::default())).await?;
    Ok(due.into_iter().map(|one| (one.tenant, one.id)).collect())
}
