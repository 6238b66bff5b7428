//! Work that goes on when whoever asked for it has gone, and that shutdown waits for.
//!
//! A request's caller may hang up at any moment, and what the request was doing ends there. What must not end there, since a
//! rotated token or a proof is in its hands, is given to [`Tasks::finish`].

use std::future::Future;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// All of it in this process. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Runs `work` to its end, even if the caller goes away meanwhile.
    pub async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.0.spawn(work).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Starts `work`.
    pub fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.0.spawn(work)
    }

    /// Lets shutdown wait for as long as this is held.
    pub fn hold(&self) -> TaskTrackerToken {
        self.0.token()
    }

    /// Waits for the end of all; says whether it came in time.
    pub async fn ended(&self, patience: Duration) -> bool {
        self.0.close();
        tokio::time::timeout(patience, self.0.wait()).await.is_ok()
    }
}
