//! The audit trail: who did what to what.
//!
//! What operators and back ends change is in it in the same transaction as the change. Hand-outs of credentials are written
//! together, at most a second after the fact ([`crate::ledger`]); where they cannot be, nothing more is handed out.

pub mod store;

use std::time::Duration;

pub use store::{AuditFilter, AuditRow};

use super::model::Tenant;
use crate::app::App;
use crate::error::Error;
use crate::ids::{ApiKeyId, ConnectionId};
use crate::ledger::HandOut;

/// How long hand-outs stay in the trail. What operators do stays for ever.
pub const HAND_OUTS_KEPT: Duration = Duration::from_hours(90 * 24);

/// The action of a hand-out.
pub const HAND_OUT: &str = "credential.read";

/// Notes that a key is being given a credential. Comes before the credential goes out.
pub async fn hand_out(app: &App, tenant: &Tenant, key: &ApiKeyId, connection: &ConnectionId) -> Result<(), Error> {
    let what = HandOut {
        tenant: tenant.id.clone(),
        key: key.clone(),
        connection: connection.clone(),
    };
    if app.ledger().note(what, app.now()) {
        write_hand_outs(app).await?;
    }
    Ok(())
}

/// Writes the hand-outs that wait, and says how many entries they were.
pub async fn write_hand_outs(app: &App) -> Result<usize, Error> {
    let taken = app.ledger().take().await;
    if taken.entries.is_empty() {
        return Ok(0);
    }
    let mut tx = app.db.begin().await?;
    store::audit_hand_outs(&mut tx, HAND_OUT, &taken.entries).await?;
    tx.commit().await?;
    let written = taken.entries.len();
    taken.written();
    Ok(written)
}

/// A page of an environment's trail, the newest first.
pub async fn trail(app: &App, tenant: &Tenant, filter: &AuditFilter, limit: u16) -> Result<Vec<AuditRow>, Error> {
    store::trail(&mut *app.db.read().await?, &tenant.id, filter, limit).await
}

/// Removes hand-outs that are past their time, in every environment.
pub async fn purge_hand_outs(app: &App) -> Result<u64, Error> {
    let before = app.now().before(HAND_OUTS_KEPT);
    let tenants = store::environment_ids(&mut *app.db.read().await?).await?;
    let mut removed = 0;
    for tenant in tenants {
        let mut tx = app.db.begin().await?;
        removed += store::purge_audit(&mut tx, &tenant, HAND_OUT, before).await?;
        tx.commit().await?;
    }
    Ok(removed)
}
