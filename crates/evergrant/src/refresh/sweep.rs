//! Renewing and probing all that is due.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lease;
use super::outcome::Did;
use super::plan::Why;
use super::renew::renew;
use crate::app::App;
use crate::connections;
use crate::error::Error;
use crate::ids::{ConnectionId, TenantId};
use crate::steps::Step;
use crate::tenants;

/// How many due connections one round looks at.
pub const BATCH: u16 = 100;
/// How many are under way at once.
const AT_ONCE: usize = 16;
/// How long something that cannot be tried at all is put off.
const PUT_OFF: Duration = Duration::from_hours(1);

/// One round: takes what is due, renews or probes it, and says how many there were. After `stop` nothing more is begun; what
/// has been begun is finished.
pub async fn run_due(app: &App, stop: &CancellationToken) -> Result<usize, Error> {
    let due = connections::store::due_of_all_tenants(&mut *app.db.read().await?, app.now(), i64::from(BATCH)).await?;
    let found = due.len();
    let mut running = JoinSet::new();
    for (tenant, id) in due {
        if stop.is_cancelled() {
            break;
        }
        if running.len() >= AT_ONCE {
            running.join_next().await;
        }
        let app = app.clone();
        running.spawn(async move { one(&app, &tenant, &id).await });
    }
    while running.join_next().await.is_some() {}
    Ok(found)
}

async fn one(app: &App, tenant_id: &TenantId, id: &ConnectionId) {
    app.steps.at(Step::SweepBegun).await;
    let done = async {
        let mut conn = app.db.read().await?;
        let tenant = tenants::store::get_environment(&mut conn, tenant_id).await?.tenant;
        drop(conn);
        renew(app, &tenant, id, Why::Due).await
    };
    let put_off = match done.await {
        Ok(outcome) => matches!(outcome.did, Did::Unverified | Did::NoClient),
        Err(error) => {
            tracing::warn!(connection = %id, %error, "could not be refreshed; put off");
            true
        }
    };
    if put_off && let Err(error) = postpone(app, tenant_id, id).await {
        tracing::error!(connection = %id, %error, "could not be put off");
    }
}

async fn postpone(app: &App, tenant: &TenantId, id: &ConnectionId) -> Result<(), Error> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    lease::postpone(&mut tx, (tenant, id), Some(now.after(PUT_OFF)), now).await?;
    tx.commit().await
}
