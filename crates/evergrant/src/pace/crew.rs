//! Work under way, refilled as it ends: nobody waits for the slowest.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A bounded set of tasks.
#[derive(Debug)]
pub struct Crew {
    running: JoinSet<()>,
    most: usize,
}

impl Crew {
    /// At most so many at once.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self {
            running: JoinSet::new(),
            most,
        }
    }

    /// How many more may begin.
    #[must_use]
    pub fn free(&self) -> usize {
        self.most.saturating_sub(self.running.len())
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Begins a piece of work.
    pub fn begin(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(work);
    }

    /// Waits until half of what is under way has ended, so that the next claim is worth a commit; or until the time is up, or
    /// the end is asked for.
    pub async fn half_ended(&mut self, wait: impl Future<Output = ()>, stop: &CancellationToken) {
        let (idle, enough) = (self.is_idle(), self.running.len() / 2);
        let ended = async {
            while self.running.len() > enough {
                note(self.running.join_next().await);
            }
            if idle {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = ended => {}
            () = wait => {}
        }
    }

    /// Waits for one piece of work, if any is under way.
    pub async fn one_ended(&mut self) {
        note(self.running.join_next().await);
    }

    /// Waits for all of it.
    pub async fn finish(mut self) {
        while !self.is_idle() {
            self.one_ended().await;
        }
    }
}

fn note(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(error)) = ended {
        tracing::error!(%error, "a piece of background work broke off; it is tried again when its lease ends");
    }
}

/// How often the database is asked for what has become due.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
