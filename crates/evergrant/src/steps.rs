//! Named points at which a process may die, so that tests can kill it there.
//!
//! Work calls [`Steps::at`] between two effects that a crash could part. In a debug build `EVERGRANT_DEBUG_STOP_AT`
//! names one of them: the process says so on standard error and stands still until it is killed. `EVERGRANT_DEBUG_LEASE_MS`,
//! in debug builds too, shortens the leases that a killed process leaves behind, so that a test need not wait for them. Tests
//! in the same process ask which points have been passed, instead of waiting by the clock, and a simulation watches every
//! point: it decides when whoever comes there goes on, or that it never does. Release builds compile the call to nothing.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A point between two effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lease is taken and the intent recorded; nothing has been sent.
    RefreshBeforeSend,
    /// The refresh request was sent; its reply has not been read.
    RefreshSent,
    /// The reply is at hand, with a rotated token, and nothing of it is stored.
    RefreshReplied,
    /// The outcome is committed.
    RefreshCommitted,
    /// A delivery is claimed and not sent.
    DeliveryBeforeSend,
    /// The receiver has answered; the outcome is not recorded.
    DeliverySent,
    /// The outcome of a delivery is committed.
    DeliveryCommitted,
    /// Another worker holds the refresh lease; its outcome is waited for.
    RefreshWaiting,
    /// That wait is over, and nothing has been read of the outcome.
    RefreshWaited,
    /// A refresh is wanted, and nothing has been done for it.
    RefreshWanted,
    /// An observation is written in its transaction, which is not committed.
    RecordBeforeCommit,
    /// The sweep has found something due, and begins with it.
    SweepBegun,
    /// The provider has answered a question about a credential; nothing is recorded.
    ProbeReplied,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 13] = [
        Self::RefreshBeforeSend,
        Self::RefreshSent,
        Self::RefreshReplied,
        Self::RefreshCommitted,
        Self::DeliveryBeforeSend,
        Self::DeliverySent,
        Self::DeliveryCommitted,
        Self::RefreshWaiting,
        Self::RefreshWaited,
        Self::RefreshWanted,
        Self::RecordBeforeCommit,
        Self::SweepBegun,
        Self::ProbeReplied,
    ];

    /// Its name in `EVERGRANT_DEBUG_STOP_AT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefreshBeforeSend => "refresh.before_send",
            Self::RefreshSent => "refresh.sent",
            Self::RefreshReplied => "refresh.replied",
            Self::RefreshCommitted => "refresh.committed",
            Self::DeliveryBeforeSend => "delivery.before_send",
            Self::DeliverySent => "delivery.sent",
            Self::DeliveryCommitted => "delivery.committed",
            Self::RefreshWaiting => "refresh.waiting",
            Self::RefreshWaited => "refresh.waited",
            Self::RefreshWanted => "refresh.wanted",
            Self::RecordBeforeCommit => "record.before_commit",
            Self::SweepBegun => "sweep.begun",
            Self::ProbeReplied => "probe.replied",
        }
    }

    /// The step of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// Called at every step; whoever comes there goes on when what it returns has ended.
pub type Watch = Arc<dyn Fn(Step) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Where this process is to stop, if anywhere.
#[derive(Clone, Default)]
pub struct Steps {
    stop_at: Option<Step>,
    passed: Arc<AtomicU32>,
    lease: Option<Duration>,
    watch: Option<Watch>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("stop_at", &self.stop_at)
            .finish_non_exhaustive()
    }
}

impl Steps {
    /// Stops at `step`.
    #[must_use]
    pub fn stopping_at(step: Option<Step>) -> Self {
        Self {
            stop_at: step,
            ..Self::default()
        }
    }

    /// Holds leases for `lease` instead of their own length.
    #[must_use]
    pub fn leasing(self, lease: Option<Duration>) -> Self {
        Self { lease, ..self }
    }

    /// Asks `watch` at every step.
    #[must_use]
    pub fn watched_by(self, watch: Watch) -> Self {
        Self {
            watch: Some(watch),
            ..self
        }
    }

    /// How long to hold a lease whose own length is `usual`: that, except where a test of crashes says otherwise.
    #[must_use]
    pub fn lease(&self, usual: Duration) -> Duration {
        self.lease.filter(|_| cfg!(debug_assertions)).unwrap_or(usual)
    }

    /// Whether the point has been passed since the process started; in release builds never.
    #[must_use]
    pub fn has_passed(&self, step: Step) -> bool {
        self.passed.load(Ordering::SeqCst) & (1 << step as u32) != 0
    }

    /// Passes the point, or never comes back from it.
    pub async fn at(&self, step: Step) {
        if cfg!(debug_assertions) {
            self.passed.fetch_or(1 << step as u32, Ordering::SeqCst);
        }
        if let Some(watch) = self.watch.as_ref().filter(|_| cfg!(debug_assertions)) {
            watch(step).await;
        }
        if cfg!(debug_assertions) && self.stop_at == Some(step) {
            tracing::warn!(step = step.name(), "standing still, as EVERGRANT_DEBUG_STOP_AT asks");
            std::future::pending::<()>().await;
        }
    }
}
