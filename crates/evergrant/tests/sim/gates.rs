//! Where everybody waits, and virtual time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evergrant::clock::{Clock, Sleep, Timestamp};
use tokio::sync::oneshot;

use crate::chance::Chance;

/// Everything that waits, shared by all of a run.
#[derive(Clone)]
pub(crate) struct Gates(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    waiting: Vec<Waiting>,
    chance: Chance,
    trace: Vec<String>,
    arrivals: u64,
    dies: Option<usize>,
    calm: bool,
}

struct Waiting {
    what: String,
    ready_at: Timestamp,
    open: oneshot::Sender<()>,
}

impl Gates {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            waiting: Vec::new(),
            chance: Chance::of(seed),
            trace: Vec::new(),
            arrivals: 0,
            dies: None,
            calm: false,
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
        let mut state = self.lock();
        let line = format!("{:>10} {what}", state.now.as_millis() - crate::stage::START.as_millis());
        state.trace.push(line);
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// How often somebody has come to a gate.
    pub(crate) fn arrivals(&self) -> u64 {
        self.lock().arrivals
    }

    /// A node dies here and now, in the middle of what it does.
    pub(crate) fn die(&self, node: usize) {
        self.lock().dies = Some(node);
    }

    /// From now on nobody dies.
    pub(crate) fn calm_down(&self) {
        self.lock().calm = true;
    }

    /// Whether somebody dies who would in `percent` of all cases.
    pub(crate) fn is_deadly(&self, percent: usize) -> bool {
        let mut state = self.lock();
        !state.calm && state.chance.happens(percent)
    }

    pub(crate) fn who_dies(&self) -> Option<usize> {
        self.lock().dies.take()
    }

    /// Waits to be let on, and at least `wait`.
    pub(crate) async fn pass(&self, what: String, wait: Duration) {
        let opened = {
            let mut state = self.lock();
            let (open, opened) = oneshot::channel();
            let ready_at = state.now.after(wait);
            state.arrivals += 1;
            state.waiting.push(Waiting { what, ready_at, open });
            opened
        };
        if opened.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets one go on who may, drawn by chance. Says whether there was one.
    pub(crate) fn let_one_on(&self) -> bool {
        let mut state = self.lock();
        let now = state.now;
        state.waiting.retain(|one| !one.open.is_closed());
        let ready: Vec<usize> = (0..state.waiting.len())
            .filter(|at| state.waiting[*at].ready_at <= now)
            .collect();
        if ready.is_empty() {
            return false;
        }
        let which = ready[state.chance.below(ready.len())];
        let one = state.waiting.remove(which);
        let line = format!(
            "{:>10} -> {}",
            now.as_millis() - crate::stage::START.as_millis(),
            one.what
        );
        state.trace.push(line);
        one.open.send(()).is_ok()
    }

    /// Moves time to when the next one may go on. Says whether anybody waits.
    pub(crate) fn wake_next(&self) -> bool {
        let mut state = self.lock();
        state.waiting.retain(|one| !one.open.is_closed());
        let Some(next) = state.waiting.iter().map(|one| one.ready_at).min() else {
            return false;
        };
        state.now = state.now.max(next);
        true
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.now = state.now.after(by);
    }
}

/// A node's clock: virtual time, and how far it is off.
pub(crate) struct NodeClock {
    pub(crate) gates: Gates,
    pub(crate) node: usize,
    pub(crate) ahead: Duration,
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        self.gates.now().after(self.ahead)
    }

    fn sleep(&self, wait: Duration) -> Sleep {
        let (gates, node) = (self.gates.clone(), self.node);
        Box::pin(async move { gates.pass(format!("node {node} wakes"), wait).await })
    }
}
