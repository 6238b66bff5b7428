//! One renewal, in order.

use std::time::Duration;

use super::ask::{ask, ended};
use super::attempt::{SENT_AT_MOST, attempt, settle};
use super::hold;
use super::lease::{self, LEASE, Lease};
use super::outcome::{Did, Outcome};
use super::plan::{Plan, Why, plan};
use super::spare;
use super::store::Times;
use crate::app::App;
use crate::catalog::Application;
use crate::clock::{Moment, Timestamp, within};
use crate::connections::{self, Connection, ConnectionStatus};
use crate::egress::DEFAULT_TIMEOUT;
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::pace::{Limits, Place};
use crate::steps::Step;
use crate::tenants::Tenant;

/// How long a caller waits for a place of its application, and for somebody else's renewal.
const WAIT: Duration = Duration::from_secs(10);
/// How often another node's renewal is looked at: within this process nobody polls.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a rotated token is tried to be stored when the database fails, not counting the database's own time-outs: the old
/// one is dead, and nobody else has the new one.
pub const STORING: Duration = Duration::from_secs(25);
/// The pauses between the tries: the first, and the longest of those that follow.
pub(super) const STORE_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a worker may take from its claim to sending: with one that was stopped for longer, the lease might lapse in flight.
const FRESH_LEASE: Duration = Duration::from_secs(10);

const _: () = assert!(
    LEASE.as_secs() > FRESH_LEASE.as_secs() + DEFAULT_TIMEOUT.as_secs() * SENT_AT_MOST + 5,
    "a lease must outlast the requests, or a live worker is overtaken"
);

/// A lease in the hands of a worker.
pub(super) struct Held {
    pub(super) lease: Lease,
    /// When it was taken, by the worker's own clocks.
    pub(super) since: Moment,
    /// Its application's, for as long as it lasts.
    pub(super) place: Place,
}

impl Held {
    pub(super) fn connection(&self) -> &Connection {
        &self.lease.connection
    }

    /// Whether a request that is begun now ends before the lease lapses, `earlier` ones having been sent with it.
    pub(super) fn bears_a_request(&self, app: &App, earlier: u32) -> bool {
        self.since.age(&*app.clock) <= FRESH_LEASE + DEFAULT_TIMEOUT * earlier
    }
}

/// Renews a connection if `why` demands it: alone, in this process and over all nodes. Who comes while that is under way waits
/// for its outcome, and finds it in the connection that comes back; where its worker has died, takes over. Before anything is
/// claimed it waits for a place of its application. Where it fails after sending, the intent stays as the record of a lost
/// reply, and the lease lapses.
pub async fn renew(app: &App, tenant: &Tenant, id: &ConnectionId, why: Why) -> Result<Outcome, Error> {
    app.steps.at(Step::RefreshWanted).await;
    let flight = match app.flights.begin(id.as_str()) {
        Ok(flight) => flight,
        Err(_) if why == Why::Due => return as_it_is(app, tenant, id, Did::Waited).await,
        Err(landing) => {
            app.steps.at(Step::RefreshWaiting).await;
            let landed = within(&*app.clock, WAIT, landing.landed()).await;
            app.steps.at(Step::RefreshWaited).await;
            landed.ok_or(Error::Busy)?;
            return waited(app, tenant, id).await;
        }
    };
    let began = Moment::of(&*app.clock);
    let place = place(app, tenant, id).await?;
    let since = Moment::of(&*app.clock);
    let mut tx = app.db.begin().await?;
    let now = app.db.lease_time(&mut tx, app.now()).await?;
    let until = now.after(app.steps.lease(LEASE));
    let claimed = lease::claim(&mut tx, &tenant.id, id, (now, until)).await?;
    tx.commit().await?;
    match claimed {
        // Boxed, since callers are many and this is large.
        Some(lease) => Box::pin(with_lease(app, tenant, Held { lease, since, place }, why)).await,
        None if why == Why::Due => as_it_is(app, tenant, id, Did::Waited).await,
        None => {
            drop(place);
            app.steps.at(Step::RefreshWaiting).await;
            let left = WAIT.saturating_sub(began.age(&*app.clock));
            let free = within(&*app.clock, left, until_free(app, tenant, id)).await;
            app.steps.at(Step::RefreshWaited).await;
            let lapsed = free.ok_or(Error::Busy)??;
            let outcome = waited(app, tenant, id).await?;
            if !lapsed {
                return Ok(outcome);
            }
            // Its worker is dead: nobody else does what we came for. A lease that somebody takes now outlasts our waiting, so
            // this does not go on for ever.
            drop(flight);
            Box::pin(renew(app, tenant, id, why)).await
        }
    }
}

/// Waits for a place of the application. Whoever has a lease does not wait for one: it might lapse.
async fn place(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Place, Error> {
    let slug = connections::find(app, tenant, id).await?.slug;
    let waiting = app.pace.rooms.place(&slug, limits(app, &slug), &*app.clock);
    within(&*app.clock, WAIT, waiting).await.ok_or(Error::Busy)
}

/// What an application bears; of one that is gone from the catalogue, what any would.
pub(super) fn limits(app: &App, slug: &str) -> Limits {
    let application = app.catalog.get(slug);
    application.map_or_else(Limits::default, |application| application.refreshing.limits)
}

/// Does what the plan says with a connection that is ours for now.
pub(super) async fn with_lease(app: &App, tenant: &Tenant, held: Held, why: Why) -> Result<Outcome, Error> {
    match plan(held.connection(), why, (early(app, held.connection()), app.now())) {
        Plan::Renew => match hold::held_until(app, tenant, held.connection(), why).await? {
            Some(until) => {
                give_back(app, &held, Some(until)).await?;
                Ok(Outcome {
                    did: Did::HeldBack,
                    connection: held.lease.connection,
                })
            }
            None => attempt(app, tenant, &held, why).await,
        },
        Plan::Ask => match spare::spared_until(app, held.connection(), why) {
            Some(until) => {
                give_back(app, &held, Some(until)).await?;
                Ok(Outcome {
                    did: Did::NotNeeded,
                    connection: held.lease.connection,
                })
            }
            None => ask(app, tenant, &held).await,
        },
        Plan::Reauthorize => settle(app, tenant, &held, ended(held.connection())).await,
        Plan::UseAsIs => {
            give_back(app, &held, None).await?;
            Ok(Outcome {
                did: Did::NotNeeded,
                connection: held.lease.connection,
            })
        }
    }
}

/// Whether the application lets tokens be refreshed that are still valid.
pub(super) fn early(app: &App, connection: &Connection) -> bool {
    let application = app.catalog.get(&connection.slug);
    application.is_none_or(|application| application.refreshing.early)
}

/// The application of a connection, which an operator may have taken out of the custom folder since.
pub(super) fn application(app: &App, connection: &Connection) -> Result<std::sync::Arc<Application>, Error> {
    let application = app.catalog.get(&connection.slug).cloned();
    application.ok_or(Error::NotFound("Application"))
}

/// Ends a lease with which nothing was sent; puts the next try off where there is a reason to.
pub(super) async fn give_back(app: &App, held: &Held, until: Option<Timestamp>) -> Result<(), Error> {
    let c = held.connection();
    let mut tx = app.db.begin().await?;
    lease::release(&mut tx, &held.lease).await?;
    if until.is_some() {
        lease::postpone(&mut tx, (&c.tenant, &c.id), until, app.now()).await?;
    }
    tx.commit().await
}

pub(super) async fn as_it_is(app: &App, tenant: &Tenant, id: &ConnectionId, did: Did) -> Result<Outcome, Error> {
    Ok(Outcome {
        did,
        connection: connections::find(app, tenant, id).await?,
    })
}

/// What another worker's renewal has made of the connection.
async fn waited(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Outcome, Error> {
    let outcome = as_it_is(app, tenant, id, Did::Waited).await?;
    // A lease that cannot be had though nobody holds it: the connection has ended.
    let ended = matches!(outcome.connection.status, ConnectionStatus::Disconnected { .. });
    (!ended).then_some(outcome).ok_or(Error::NotFound("Connection"))
}

/// Waits for the end of another node's renewal; says whether its lease has lapsed instead.
async fn until_free(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<bool, Error> {
    loop {
        let mut conn = app.db.read().await?;
        let times = times(app, &mut conn).await?;
        let held = lease::held_until(&mut conn, &tenant.id, id).await?;
        drop(conn);
        if held.is_none_or(|until| until <= times.lease) {
            return Ok(held.is_some());
        }
        app.clock.sleep(LOOK_EVERY).await;
    }
}

/// What time it is, here and for leases.
pub(super) async fn times(app: &App, conn: &mut sqlx::AnyConnection) -> Result<Times, Error> {
    let now = app.now();
    let lease = app.db.lease_time(conn, now).await?;
    Ok(Times { now, lease })
}
