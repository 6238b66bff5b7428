//! Where everybody waits, and virtual time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evergrant::clock::{Clock, Sleep, Timestamp};
use tokio::sync::oneshot;

use crate::chance::Chance;
use crate::stage::{NODES, START};

/// Everything that waits, shared by all of a run.
#[derive(Clone)]
pub(crate) struct Gates(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    waiting: Vec<Waiting>,
    chance: Chance,
    trace: Vec<String>,
    dies: Option<usize>,
    calm: bool,
    /// Until when each node stands still: nobody of it is let on before.
    stands: [Timestamp; NODES],
    stood: Vec<Stood>,
    /// How far each node's wall clock is off, in milliseconds.
    skew: [i64; NODES],
}

struct Waiting {
    node: usize,
    what: String,
    /// In how many cases of a hundred the node dies here instead of going on.
    deadly: usize,
    ready_at: Timestamp,
    open: oneshot::Sender<()>,
}

/// A time in which a node did nothing, whatever there was to do.
struct Stood {
    node: usize,
    from: Timestamp,
    until: Timestamp,
}

impl Gates {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            waiting: Vec::new(),
            chance: Chance::of(seed),
            trace: Vec::new(),
            dies: None,
            calm: false,
            stands: [now; NODES],
            stood: Vec::new(),
            skew: [0; NODES],
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.lock().now
    }

    pub(crate) fn chance<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.lock().chance)
    }

    pub(crate) fn note(&self, what: &str) {
        self.lock().note(what);
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// A node dies here and now, in the middle of what it does.
    pub(crate) fn die(&self, node: usize) {
        self.lock().dies = Some(node);
    }

    /// From now on nobody dies, and everybody is awake.
    pub(crate) fn calm_down(&self) {
        let mut state = self.lock();
        state.calm = true;
        state.stands = [state.now; NODES];
    }

    /// Whether somebody dies who would in `percent` of all cases.
    pub(crate) fn is_deadly(&self, percent: usize) -> bool {
        let mut state = self.lock();
        !state.calm && state.chance.happens(percent)
    }

    pub(crate) fn has_dead(&self) -> bool {
        self.lock().dies.is_some()
    }

    pub(crate) fn who_dies(&self) -> Option<usize> {
        self.lock().dies.take()
    }

    /// Waits to be let on, and at least `wait`.
    pub(crate) async fn pass(&self, node: usize, what: String, wait: Duration) {
        self.stand_at(node, (what, 0), wait).await;
    }

    /// Waits to be let on; in `percent` of all cases the node dies instead.
    ///
    /// That is drawn when its turn comes, not when it arrives: who arrives first may be up to the machine.
    pub(crate) async fn pass_or_die(&self, node: usize, what: String, percent: usize) {
        self.stand_at(node, (what, percent), Duration::ZERO).await;
    }

    async fn stand_at(&self, node: usize, (what, deadly): (String, usize), wait: Duration) {
        let opened = {
            let mut state = self.lock();
            let (open, opened) = oneshot::channel();
            let ready_at = state.now.after(wait);
            state.waiting.push(Waiting {
                node,
                what,
                deadly,
                ready_at,
                open,
            });
            opened
        };
        if opened.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets one go on who may, drawn by chance. Says whether there was one.
    pub(crate) fn let_one_on(&self) -> bool {
        let mut state = self.lock();
        state.waiting.retain(|one| !one.open.is_closed());
        // Who comes first may be up to the machine: a database's thread that answers at once lets a task go on that otherwise
        // waits, and sets its timers in another order.
        state
            .waiting
            .sort_by(|a, b| (a.ready_at, a.node, &a.what).cmp(&(b.ready_at, b.node, &b.what)));
        let ready: Vec<usize> = (0..state.waiting.len())
            .filter(|at| state.may_go_at(&state.waiting[*at]) <= state.now)
            .collect();
        if ready.is_empty() {
            return false;
        }
        let which = ready[state.chance.below(ready.len())];
        let one = state.waiting.remove(which);
        if one.deadly > 0 && !state.calm && state.chance.happens(one.deadly) {
            state.note(&format!("   dies: {}", one.what));
            state.dies = Some(one.node);
            return true;
        }
        state.note(&format!("-> {}", one.what));
        one.open.send(()).is_ok()
    }

    /// Moves time to when the next one may go on. Says whether anybody waits.
    pub(crate) fn wake_next(&self) -> bool {
        let mut state = self.lock();
        state.waiting.retain(|one| !one.open.is_closed());
        let Some(next) = state.waiting.iter().map(|one| state.may_go_at(one)).min() else {
            return false;
        };
        state.now = state.now.max(next);
        true
    }

    /// Lets time pass in which nobody has anything to do.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now.after(by);
    }

    /// Lets time pass in which nobody does anything: all processes stand still, and cannot know.
    pub(crate) fn all_stand(&self, by: Duration) {
        let mut state = self.lock();
        let (from, until) = (state.now, state.now.after(by));
        state.stood.extend((0..NODES).map(|node| Stood { node, from, until }));
        state.now = until;
    }

    /// From now on a node stands still for so long, while the others go on.
    pub(crate) fn stand(&self, node: usize, by: Duration) {
        let mut state = self.lock();
        let (from, until) = (state.now, state.now.after(by));
        state.stood.push(Stood { node, from, until });
        state.stands[node] = state.stands[node].max(until);
    }

    /// A new process does not stand still.
    pub(crate) fn wake(&self, node: usize) {
        let mut state = self.lock();
        state.stands[node] = state.now;
    }

    /// For how long a node has stood still since then.
    pub(crate) fn stood(&self, node: usize, since: Timestamp) -> Duration {
        let state = self.lock();
        let of_node = state.stood.iter().filter(|one| one.node == node);
        of_node
            .map(|one| one.until.min(state.now).since(one.from.max(since)))
            .sum()
    }

    /// Sets a node's wall clock.
    pub(crate) fn set_clock(&self, node: usize, skew_ms: i64) {
        self.lock().skew[node] = skew_ms;
    }
}

impl State {
    fn note(&mut self, what: &str) {
        let line = format!("{:>10} {what}", self.now.as_millis() - START.as_millis());
        self.trace.push(line);
    }

    fn may_go_at(&self, one: &Waiting) -> Timestamp {
        one.ready_at.max(self.stands[one.node])
    }
}

/// Virtual time: that of the database, which all nodes share.
pub(crate) struct TrueClock(pub(crate) Gates);

impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A node's clocks: the one on its wall is off, and is set now and then; the other one is not.
pub(crate) struct NodeClock {
    pub(crate) gates: Gates,
    pub(crate) node: usize,
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let state = self.gates.lock();
        Timestamp::from_millis(state.now.as_millis() + state.skew[self.node])
    }

    fn steady(&self) -> Duration {
        self.gates.now().since(START)
    }

    fn sleep(&self, wait: Duration) -> Sleep {
        let (gates, node) = (self.gates.clone(), self.node);
        Box::pin(async move { gates.pass(node, format!("node {node} wakes"), wait).await })
    }
}
