//! Holding refreshes back while an application as a whole does not work.

use std::time::Duration;

use super::plan::Why;
use crate::app::App;
use crate::clock::Timestamp;
use crate::connections::Connection;
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
    connection: &Connection,
    why: Why,
) -> Result<Option<Timestamp>, Error> {
    if why.by_hand() {
        return Ok(None);
    }
    Ok(match incidents::gate(app, tenant, &connection.slug).await? {
        Gate::Free => None,
        Gate::Held { confirmed: false, .. } if why != Why::Due => None,
        Gate::Held { until, .. } => Some(until.after(SPREAD.mul_f64(random_fraction()))),
    })
}
