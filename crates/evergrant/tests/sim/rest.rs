//! When everybody stands still: nobody can go on until somebody is let on, or a database's thread answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use evergrant::db::Db;

use crate::gates::Gates;

/// Wakes the one who waits for rest when the runtime has nothing left to do.
#[derive(Clone, Default)]
pub(crate) struct Rest(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waits: Option<Waker>,
    has_come: bool,
    watched: Option<(Vec<Db>, Gates)>,
}

impl Rest {
    /// A runtime that tells of its rest.
    pub(crate) fn runtime(&self) -> tokio::runtime::Runtime {
        let rest = self.clone();
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || rest.tell())
            .build()
            .unwrap()
    }

    /// From now on rest is when no connection of these is in use, or somebody has died at these gates.
    pub(crate) fn watch(&self, dbs: &[Db], gates: &Gates) {
        self.lock().watched = Some((dbs.to_vec(), gates.clone()));
    }

    /// Comes back when the runtime has nothing to do.
    pub(crate) async fn come(&self) {
        self.lock().has_come = false;
        // Being woken is not enough: a database's thread may still wake whoever was served by it before.
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            if state.has_come {
                return Poll::Ready(());
            }
            state.waits = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn tell(&self) {
        let mut state = self.lock();
        let rests = state
            .watched
            .as_ref()
            .is_some_and(|(dbs, gates)| dbs.iter().all(Db::is_idle) || gates.has_dead());
        if rests && let Some(waits) = state.waits.take() {
            state.has_come = true;
            drop(state);
            waits.wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
