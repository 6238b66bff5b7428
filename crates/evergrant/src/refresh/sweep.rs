//! Renewing and probing all that is due, continuously.
//!
//! What is due and has room is claimed in batches, each batch in one transaction, and begun; when half of what is under way
//! has ended, more is claimed. So nobody waits for the slowest: an application that hangs fills its own room and no more. Where
//! there is no room, the sweep takes turns among the callers that wait for it too, and comes for them in the next round.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::lease::{self, LEASE};
use super::outcome::Did;
use super::plan::Why;
use super::renew::{Held, limits, times, with_lease};
use super::store::{self, Due, Lane};
use super::way::admitted;
use crate::app::App;
use crate::clock::{Moment, Timestamp};
use crate::error::Error;
use crate::ids::TenantId;
use crate::pace::{Crew, LOOK_EVERY, Limits, Place, Turn};
use crate::steps::Step;
use crate::tenants::{self, Tenant};

/// How many are under way at once, of all applications.
pub const AT_ONCE: usize = 256;
const _: () = assert!(
    AT_ONCE >= 2 * Limits::MOST_AT_ONCE as usize,
    "an application that hangs must leave half to the others"
);
/// How many due ones are looked at for that.
const LOOKED_AT: i64 = 500;
/// How long something that cannot be tried at all is put off.
const PUT_OFF: Duration = Duration::from_hours(1);

/// The refreshes under way.
struct Sweep {
    app: App,
    crew: Crew,
    /// Where the visit of the lanes goes on: of all of them, and of those whose application has room. The two take turns, since
    /// a slow application may have thousands of lanes.
    visits: (Lane, Lane),
    passes_by: bool,
    /// For places that were not free, by application; none is kept beyond the next round.
    turns: HashMap<String, VecDeque<Turn>>,
}

/// One application's part in a round.
struct Share {
    limits: Limits,
    /// What its token endpoint still admits.
    admitted: u32,
    turns: VecDeque<Turn>,
    /// How many are due that have found no place.
    left_over: usize,
}

/// Renews and probes what is due until `stop`; then begins nothing more, and finishes what has been begun.
pub async fn keep_running(app: &App, stop: &CancellationToken) -> Result<(), Error> {
    let mut sweep = Sweep::new(app);
    let mut ended = Ok(());
    while ended.is_ok() && !stop.is_cancelled() {
        ended = sweep.begin_due().await.map(drop);
        sweep.crew.half_ended(app.clock.sleep(LOOK_EVERY), stop).await;
    }
    sweep.turns.clear();
    sweep.crew.finish().await;
    ended
}

/// Everything that is due now, to its end; says how many there were. After `stop` nothing more is begun; what has been begun is
/// finished.
pub async fn run_due(app: &App, stop: &CancellationToken) -> Result<usize, Error> {
    let mut sweep = Sweep::new(app);
    let mut all = 0;
    let ended = loop {
        let begun = if stop.is_cancelled() {
            Ok(0)
        } else {
            sweep.begin_due().await
        };
        match begun {
            Ok(0) if sweep.crew.is_idle() => break Ok(all),
            Ok(begun) => all += begun,
            Err(error) => break Err(error),
        }
        // What is under way ends by itself, asked to or not.
        sweep
            .crew
            .half_ended(std::future::pending(), &CancellationToken::new())
            .await;
    };
    sweep.turns.clear();
    sweep.crew.finish().await;
    ended
}

impl Sweep {
    fn new(app: &App) -> Self {
        Self {
            app: app.clone(),
            crew: Crew::of(AT_ONCE),
            visits: (Lane::default(), Lane::default()),
            passes_by: false,
            turns: HashMap::new(),
        }
    }

    /// Begins what is due and has room; says how many.
    async fn begin_due(&mut self) -> Result<usize, Error> {
        if self.crew.free() == 0 {
            self.turns.clear();
            return Ok(0);
        }
        let mut conn = self.app.db.read().await?;
        let times = times(&self.app, &mut conn).await?;
        self.passes_by = !self.passes_by;
        let (all, with_room) = (&mut self.visits.0, &mut self.visits.1);
        let from = if self.passes_by { with_room } else { all };
        let due = store::due_of_all_tenants(&mut conn, times, (LOOKED_AT, from)).await?;
        drop(conn);
        let picked = self.pick(due, times.now);
        self.claim(picked).await
    }

    /// Those for which there is room, in their order.
    fn pick(&mut self, due: Vec<Due>, now: Timestamp) -> Vec<(Due, Place)> {
        let mut before = std::mem::take(&mut self.turns);
        let mut shares: HashMap<String, Share> = HashMap::new();
        let mut picked = Vec::new();
        for one in due {
            if picked.len() == self.crew.free() {
                break;
            }
            let share = shares.entry(one.slug.clone()).or_insert_with(|| {
                let turns = before.remove(&one.slug).unwrap_or_default();
                Share::of(&self.app, (&one.slug, turns), now)
            });
            if let Some(place) = share.place(&self.app, &one.slug, now) {
                picked.push((one, place));
            }
        }
        let visited_last = &mut self.visits.1;
        if shares.get(visited_last.slug()).is_some_and(Share::is_full) {
            visited_last.leave_application();
        }
        let kept = shares.into_iter().map(|(slug, share)| (slug, share.turns_to_keep()));
        self.turns = kept.collect();
        // All nodes lock rows in the same order, so that no two wait for each other.
        picked.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        picked
    }

    /// Claims them in one transaction, and begins those that nobody else has claimed.
    async fn claim(&mut self, picked: Vec<(Due, Place)>) -> Result<usize, Error> {
        if picked.is_empty() {
            return Ok(0);
        }
        let app = self.app.clone();
        let mut claimed = Vec::with_capacity(picked.len());
        let mut tenants: HashMap<TenantId, Tenant> = HashMap::new();
        let since = Moment::of(&*app.clock);
        let mut tx = app.db.begin().await?;
        let times = times(&app, &mut tx).await?;
        let until = times.lease.after(app.steps.lease(LEASE));
        for (due, place) in picked {
            // Somebody in this process is at it.
            let Ok(flight) = app.flights.begin(due.id.as_str()) else {
                continue;
            };
            let Some(lease) = lease::claim_due(&mut tx, &due, (times, until)).await? else {
                continue;
            };
            if !tenants.contains_key(&due.tenant) {
                let tenant = tenants::store::get_environment(&mut tx, &due.tenant).await?.tenant;
                tenants.insert(due.tenant.clone(), tenant);
            }
            claimed.push((lease, flight, place));
        }
        tx.commit().await?;
        let begun = claimed.len();
        for (lease, flight, place) in claimed {
            let app = app.clone();
            let Some(tenant) = tenants.get(&lease.connection.tenant).cloned() else {
                continue;
            };
            let held = Held { lease, since, place };
            self.crew.begin(async move {
                one(&app, &tenant, held).await;
                drop(flight);
            });
        }
        Ok(begun)
    }
}

impl Share {
    fn of(app: &App, (slug, turns): (&str, VecDeque<Turn>), now: Timestamp) -> Self {
        let application = app.catalog.get(slug);
        Self {
            limits: limits(app, slug),
            admitted: application.map_or(1, |application| admitted(app, application, now)),
            turns,
            left_over: 0,
        }
    }

    /// A place for one more, if there is one; else it takes a turn, of which callers leave it a few.
    fn place(&mut self, app: &App, slug: &str, now: Timestamp) -> Option<Place> {
        if self.admitted == 0 {
            return None;
        }
        let limits = self.limits;
        let queue_up = || app.pace.rooms.queue_up(slug, limits, now);
        if self.left_over == 0 {
            let mut turn = self.turns.pop_front().unwrap_or_else(&queue_up);
            if let Ok(place) = turn.take(now) {
                self.admitted -= 1;
                return Some(place);
            }
            self.turns.push_front(turn);
        }
        self.left_over += 1;
        if self.turns.len() < self.turns_wanted() {
            self.turns.push_back(queue_up());
        }
        None
    }

    /// Whether some found no place, or none would have.
    fn is_full(&self) -> bool {
        self.left_over > 0 || self.admitted == 0
    }

    /// At most a quarter of the room: what the sweep does not come for at once stands empty until then.
    fn turns_wanted(&self) -> usize {
        let most = usize::try_from(self.limits.at_once / 4).unwrap_or(usize::MAX).max(1);
        self.left_over.min(most)
    }

    fn turns_to_keep(mut self) -> VecDeque<Turn> {
        self.turns.truncate(self.turns_wanted());
        self.turns
    }
}

async fn one(app: &App, tenant: &Tenant, held: Held) {
    app.steps.at(Step::SweepBegun).await;
    let (tenant_id, id) = (held.connection().tenant.clone(), held.connection().id.clone());
    let put_off = match with_lease(app, tenant, held, Why::Due).await {
        Ok(outcome) => matches!(outcome.did, Did::Unverified | Did::NoClient),
        // It stays due: the lease has been given back, or lapses.
        Err(error @ (Error::Busy | Error::Database(_))) => {
            tracing::warn!(connection = %id, %error, "could not be refreshed; tried again soon");
            false
        }
        Err(error) => {
            tracing::warn!(connection = %id, %error, "could not be refreshed; put off");
            true
        }
    };
    if put_off && let Err(error) = postpone(app, &tenant_id, &id).await {
        tracing::error!(connection = %id, %error, "could not be put off");
    }
}

async fn postpone(app: &App, tenant: &TenantId, id: &crate::ids::ConnectionId) -> Result<(), Error> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    lease::postpone(&mut tx, (tenant, id), Some(now.after(PUT_OFF)), now).await?;
    tx.commit().await
}
