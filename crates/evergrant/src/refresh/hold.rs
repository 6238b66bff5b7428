//! Holding refreshes back while an application as a whole does not work.

use std::time::Duration;

use super::plan::Why;
use super::renew::times;
use super::{lease, store};
use crate::app::App;
use crate::clock::Timestamp;
use crate::connections::Connection;
use crate::error::Error;
use crate::ids::random_fraction;
use crate::incidents::{self, Gate};
use crate::tenants::Tenant;

/// Over how long those that wait come back, so that they do not all stand before the token endpoint at once.
const SPREAD: Duration = Duration::from_mins(10);

/// How many are put off at once.
const AT_ONCE: i64 = 500;

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
    match incidents::gate(app, tenant, &connection.slug).await? {
        Gate::Free => Ok(None),
        Gate::Held { confirmed: false, .. } if why != Why::Due => Ok(None),
        Gate::Held { until, .. } => {
            if why == Why::Due {
                put_off_others(app, tenant, (&connection.slug, until)).await?;
            }
            Ok(Some(apart(until)))
        }
    }
}

fn apart(until: Timestamp) -> Timestamp {
    until.after(SPREAD.mul_f64(random_fraction()))
}

/// Puts off, in one transaction, all that are due and would only be claimed to learn the same.
async fn put_off_others(app: &App, tenant: &Tenant, (slug, until): (&str, Timestamp)) -> Result<(), Error> {
    let mut conn = app.db.read().await?;
    let times = times(app, &mut conn).await?;
    let waiting = store::waiting_of(&mut conn, (&tenant.id, slug), times, AT_ONCE).await?;
    drop(conn);
    if waiting.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    for id in &waiting {
        lease::postpone(&mut tx, (&tenant.id, id), Some(apart(until)), times.now).await?;
    }
    tx.commit().await
}
