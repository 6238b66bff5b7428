//! The background loops, and ending in good order.
//!
//! Promises: a loop never dies, whatever fails in a round; what a round has begun is finished before the process ends;
//! and work that a request has begun is finished even when its caller hangs up.
//!
//! Tasks that outlive a call start here and in [`crate::tasks`] only, so that shutdown can wait for all of them.

use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::App;
use crate::clock::Clock;
use crate::connections::KEPT_AFTER_DISCONNECT;
use crate::error::Error;
use crate::ledger::LATE;
use crate::tasks::Tasks;
use crate::tenants::audit;
use crate::{authorize, connections, incidents, links, notices, refresh, sessions, webhooks};

/// How long a loop rests after a round that failed; doubled with each failure in a row.
const BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_mins(1);

/// How often hand-outs are written to the audit trail: in time, if writing takes no longer than that.
const AUDIT_EVERY: Duration = Duration::from_millis(500);
const _: () = assert!(AUDIT_EVERY.as_millis() * 2 <= LATE.as_millis());
/// How long that loop rests where writing has failed: soon enough to be in time after one failure, and there is no hurry to get
/// out of a database's way with so little.
const AUDIT_AGAIN: Duration = Duration::from_millis(250);
const _: () = assert!(AUDIT_EVERY.as_millis() + AUDIT_AGAIN.as_millis() < LATE.as_millis());

/// Whether a round has left something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing was due.
    Nothing,
    /// Some, and that was all.
    Some,
    /// A full batch: there is probably more.
    Batch,
}

type Round = Pin<Box<dyn Future<Output = Result<Found, Error>> + Send>>;
/// What a round works with, and what asks for its end.
type Given = (App, CancellationToken);

/// One loop.
#[derive(Clone, Copy)]
struct Job {
    name: &'static str,
    round: fn(Given) -> Round,
    /// The rest after a round that found something.
    rest: Duration,
    /// The rest grows to this while nothing is found.
    longest_rest: Duration,
    /// The rest grows to this while rounds fail.
    longest_back_off: Duration,
}

const JOBS: [Job; 5] = [
    // These two go on by themselves: their rounds end with the process, or when the database fails.
    Job {
        name: "refresh",
        round: |(app, stop)| Box::pin(async move { refresh::keep_running(&app, &stop).await.map(|()| Found::Nothing) }),
        rest: Duration::from_secs(1),
        longest_rest: Duration::from_secs(1),
        longest_back_off: LONGEST_BACK_OFF,
    },
    Job {
        name: "deliver",
        round: |(app, stop)| {
            Box::pin(async move {
                webhooks::deliver::keep_running(&app, &stop)
                    .await
                    .map(|()| Found::Nothing)
            })
        },
        rest: Duration::from_secs(1),
        longest_rest: Duration::from_secs(1),
        longest_back_off: LONGEST_BACK_OFF,
    },
    Job {
        name: "audit",
        round: |(app, _)| Box::pin(async move { Ok(batch(audit::write_hand_outs(&app).await?, usize::MAX)) }),
        rest: AUDIT_EVERY,
        longest_rest: AUDIT_EVERY,
        longest_back_off: AUDIT_AGAIN,
    },
    Job {
        name: "foretell",
        round: |(app, _)| {
            Box::pin(async move {
                Ok(batch(
                    connections::foretell_due(&app).await?,
                    connections::FORETOLD_AT_ONCE,
                ))
            })
        },
        rest: Duration::from_mins(1),
        longest_rest: Duration::from_mins(1),
        longest_back_off: LONGEST_BACK_OFF,
    },
    Job {
        name: "housekeeping",
        round: |(app, _)| Box::pin(async move { housekeeping(&app).await.map(|()| Found::Nothing) }),
        rest: Duration::from_hours(1),
        longest_rest: Duration::from_hours(1),
        longest_back_off: LONGEST_BACK_OFF,
    },
];

fn batch(found: usize, full: usize) -> Found {
    match found {
        0 => Found::Nothing,
        some if some < full => Found::Some,
        _ => Found::Batch,
    }
}

/// Removes what nobody can use any more.
async fn housekeeping(app: &App) -> Result<(), Error> {
    let now = app.now();
    let events = webhooks::purge(app).await?;
    let hand_outs = audit::purge_hand_outs(app).await?;
    let notices = notices::purge(app).await?;
    let mut tx = app.db.begin().await?;
    let sessions = sessions::store::purge_expired_of_all_tenants(&mut tx, now).await?;
    let authorizations = authorize::store::purge_of_all_tenants(&mut tx, now).await?;
    let kept_since = now.before(KEPT_AFTER_DISCONNECT);
    let connections = connections::store::purge_of_all_tenants(&mut tx, kept_since).await?;
    let links = links::purge(app, &mut tx).await?;
    let ended = now.before(incidents::KEPT_AFTER_CLOSING);
    let incidents = incidents::store::purge_of_all_tenants(&mut tx, ended).await?;
    tx.commit().await?;
    if events + hand_outs + sessions + authorizations + connections + links + notices + incidents > 0 {
        tracing::info!(
            events,
            hand_outs,
            sessions,
            authorizations,
            connections,
            links,
            notices,
            incidents,
            "removed what is past its time"
        );
    }
    Ok(())
}

/// Does everything that is due, once: for tests.
pub async fn run_due(app: &App) -> Result<(), Error> {
    let on = CancellationToken::new();
    refresh::run_due(app, &on).await?;
    while connections::foretell_due(app).await? > 0 {}
    while webhooks::deliver::run_due(app).await? > 0 {}
    audit::write_hand_outs(app).await?;
    housekeeping(app).await
}

/// The running loops, and whatever else shutdown waits for.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    tasks: Tasks,
    stop: CancellationToken,
}

impl Jobs {
    /// Starts every loop; none begins a new round after `stop`.
    #[must_use]
    pub fn start(app: &App, stop: CancellationToken) -> Self {
        let jobs = Self {
            tasks: app.tasks().clone(),
            stop,
        };
        for job in JOBS {
            drop(jobs.tasks.start(jobs.clone().run(job, app.clone())));
        }
        jobs
    }

    /// Runs `work` to its end, even if the caller goes away: a request whose client has hung up may hold a rotated token.
    pub async fn finish<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.tasks.finish(work).await
    }

    /// What shutdown waits for until it is dropped.
    pub fn under_way(&self) -> TaskTrackerToken {
        self.tasks.hold()
    }

    /// Runs something that shutdown does not wait for.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks")]
    pub fn watch(what: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::spawn(what));
    }

    /// Begins no new round, and waits for what is under way; says whether all of it ended in time.
    pub async fn stop(self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tasks.ended(patience).await
    }

    async fn run(self, job: Job, app: App) {
        let round = || (job.round)((app.clone(), self.stop.clone()));
        self.keep_at(job, &*app.clock, round).await;
    }

    /// Begins one round after the other until the end is asked for, with a rest after each.
    async fn keep_at(&self, job: Job, clock: &dyn Clock, round: impl Fn() -> Round) {
        let mut rest = job.rest;
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            // A task of its own, so that a panic ends the round and not the loop.
            let wait = match self.tasks.start(round()).await {
                Ok(Ok(found)) => {
                    failures = 0;
                    rest = if found == Found::Nothing {
                        (rest * 2).min(job.longest_rest)
                    } else {
                        job.rest
                    };
                    if found == Found::Batch { Duration::ZERO } else { rest }
                }
                Ok(Err(error)) => {
                    failures += 1;
                    tracing::error!(
                        job = job.name,
                        failures,
                        error = &error as &dyn std::error::Error,
                        "a round failed"
                    );
                    job.back_off(failures)
                }
                Err(error) => {
                    failures += 1;
                    tracing::error!(
                        job = job.name,
                        failures,
                        panicked = error.is_panic(),
                        "a round broke off"
                    );
                    job.back_off(failures)
                }
            };
            let _ = self.stop.run_until_cancelled(clock.sleep(wait)).await;
        }
    }
}

impl Job {
    fn back_off(&self, failures: u32) -> Duration {
        BACK_OFF
            .saturating_mul(1 << (failures - 1).min(6))
            .min(self.longest_back_off)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::clock::{ManualClock, Sleep, Timestamp};

    fn job(name: &str) -> Job {
        *JOBS.iter().find(|job| job.name == name).unwrap()
    }

    #[test]
    fn a_failing_loop_rests_longer_and_longer_up_to_a_minute() {
        let back_off = |failures| job("refresh").back_off(failures);
        let seconds: Vec<u64> = (1..=8).map(|failures| back_off(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }

    /// A clock that moves on by itself where somebody waits.
    struct Impatient(ManualClock);

    impl Clock for Impatient {
        fn now(&self) -> Timestamp {
            self.0.now()
        }

        fn sleep(&self, wait: Duration) -> Sleep {
            let clock = self.0.clone();
            Box::pin(async move { clock.advance(wait) })
        }
    }

    /// When the rounds of a loop begin, of which those fail that are named.
    async fn rounds(job: Job, failing: &'static [usize]) -> Vec<Duration> {
        const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
        let clock = ManualClock::at(START);
        let (begun, jobs) = (Arc::new(Mutex::new(Vec::new())), Jobs::default());
        let round = || -> Round {
            let (clock, begun, stop) = (clock.clone(), begun.clone(), jobs.stop.clone());
            Box::pin(async move {
                let mut begun = begun.lock().unwrap();
                begun.push(clock.now().since(START));
                if begun.len() == 8 {
                    stop.cancel();
                }
                if failing.contains(&begun.len()) {
                    return Err(Error::Internal("a full disk"));
                }
                Ok(Found::Some)
            })
        };
        jobs.keep_at(job, &Impatient(clock.clone()), round).await;
        begun.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn hand_outs_are_written_in_time_though_writing_them_has_failed_once() {
        let begun = rounds(job("audit"), &[3, 6]).await;
        let written: Vec<_> = (1..=8)
            .filter(|round| ![3, 6].contains(round))
            .map(|round| begun[round - 1])
            .collect();
        assert_eq!(written.len(), 6);
        for pair in written.windows(2) {
            // What was handed out right after the one had been written waits until the other.
            assert!(pair[1] < pair[0] + LATE, "{begun:?}");
        }
        // However often it has failed, it is tried in every period.
        let failing = rounds(job("audit"), &[1, 2, 3, 4, 5, 6, 7]).await;
        assert!(
            failing.windows(2).all(|pair| pair[1] <= pair[0] + AUDIT_EVERY),
            "{failing:?}"
        );
    }

    #[test]
    fn only_a_full_batch_is_followed_at_once() {
        assert_eq!(batch(0, 2), Found::Nothing);
        assert_eq!(batch(1, 2), Found::Some);
        assert_eq!(batch(2, 2), Found::Batch);
    }

    #[tokio::test]
    async fn work_that_is_finished_outlives_its_caller_and_is_waited_for() {
        let jobs = Jobs::default();
        let (release, wait) = tokio::sync::oneshot::channel::<()>();
        let (done, mut is_done) = tokio::sync::oneshot::channel::<()>();
        let caller = {
            let jobs = jobs.clone();
            async move {
                jobs.finish(async move {
                    let _ = wait.await;
                    let _ = done.send(());
                })
                .await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_millis(1), caller).await.is_err(),
            "the caller hangs up"
        );
        assert!(is_done.try_recv().is_err());
        release.send(()).unwrap();
        assert!(jobs.stop(Duration::from_secs(10)).await);
        is_done.try_recv().unwrap();
    }

    #[tokio::test]
    async fn stopping_gives_up_on_what_does_not_end() {
        let jobs = Jobs::default();
        drop(jobs.tasks.start(std::future::pending::<()>()));
        assert!(!jobs.stop(Duration::from_millis(1)).await);
    }
}
