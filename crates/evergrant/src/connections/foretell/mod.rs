//! Telling the team ahead of time that a connection will end.

pub mod store;

use crate::app::App;
use crate::connections::tell;
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};
use crate::tenants;
use crate::webhooks::EventKind;

/// How many are looked at in one go.
pub const FORETOLD_AT_ONCE: usize = 100;

/// Tells of a batch of ends that come near, over all tenants, each once; says how many there were.
pub async fn foretell_due(app: &App) -> Result<usize, Error> {
    let limit = i64::try_from(FORETOLD_AT_ONCE).unwrap_or(i64::MAX);
    let due = store::to_tell_of_all_tenants(&mut *app.db.read().await?, app.now(), limit).await?;
    for (tenant, id) in &due {
        foretell(app, tenant, id).await?;
    }
    Ok(due.len())
}

/// One transaction: that it has been told, and the event.
async fn foretell(app: &App, tenant: &TenantId, id: &ConnectionId) -> Result<(), Error> {
    let mut conn = app.db.read().await?;
    let tenant = tenants::store::get_environment(&mut conn, tenant).await?.tenant;
    drop(conn);
    let now = app.now();
    let mut tx = app.db.begin().await?;
    if let Some(connection) = store::hold_to_tell(&mut tx, &tenant.id, id, now).await? {
        tell(&mut tx, &tenant, &connection, (EventKind::ConnectionExpiring, now)).await?;
    }
    tx.commit().await
}
