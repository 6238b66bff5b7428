//! Holding refreshes back while an application as a whole does not work.

use std::time::Duration;

use super::lease::{self, Lease};
use super::outcome::{Did, Outcome};
use super::plan::Why;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::random_fraction;
use crate::incidents::{self, Gate};
use crate::tenants::Tenant;

/// Over how long those that wait come back, so that they do not all stand before the token endpoint at once.
const SPREAD: Duration = Duration::from_mins(10);

/// Whether this refresh waits, and until when: while an incident is open, one at a time finds out whether it is over. Who
/// demands a refresh by hand is not held back, nor is a caller who needs a token while only one connection has seen trouble.
pub(super) async fn held_until(
    app: &App,
    tenant: &Tenant,
    lease: &Lease,
    why: Why,
) -> Result<Option<Timestamp>, Error> {
    if why == Why::Forced {
        return Ok(None);
    }
    Ok(match incidents::gate(app, tenant, &lease.connection.slug).await? {
        Gate::Free => None,
        Gate::Held { confirmed: false, .. } if why != Why::Due => None,
        Gate::Held { until, .. } => Some(until.after(SPREAD.mul_f64(random_fraction()))),
    })
}

/// Gives the lease back unused, and comes back later.
pub(super) async fn hold_back(app: &App, lease: Lease, until: Timestamp) -> Result<Outcome, Error> {
    let mut tx: Tx = app.db.begin().await?;
    let connection = &lease.connection;
    lease::release(&mut tx, &lease).await?;
    let key = (&connection.tenant, &connection.id);
    lease::postpone(&mut tx, key, Some(until), app.now()).await?;
    tx.commit().await?;
    Ok(Outcome {
        did: Did::HeldBack,
        connection: lease.connection,
    })
}
