//! Time as a value.
//!
//! Rules take `now: Timestamp`; only [`Clock`] reads the machine's clock, and tests push a [`ManualClock`]. Whoever has to wait
//! waits by the same clock, so that a simulation decides when that ends.

use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z: the precision of the wire and of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest instant: 9999-12-30, the last whole day that the time library can write.
    pub const MAX: Self = Self(253_402_128_000_000);

    /// From milliseconds since the epoch, as the database stores it.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Later by `by`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by).min(Self::MAX.0))
    }

    /// Earlier by `by`.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(by))
    }

    /// Time since `earlier`; nothing when that lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// ISO 8601 in UTC with milliseconds, the form of the REST API: `2024-01-02T03:04:05.678Z`.
    #[must_use]
    pub fn iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
    }

    /// Reads a time in ISO 8601 with its offset from UTC (RFC 3339), such as `2024-01-02T03:04:05Z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.trim().parse().ok()?;
        Some(Self(at.as_millisecond().min(Self::MAX.0)))
    }

    /// Reads an HTTP date (RFC 9110, 5.6.7), in any of its three forms.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let at = httpdate::parse_http_date(text).ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Self(i64::try_from(since.as_millis()).ok()?.min(Self::MAX.0)))
    }

    /// The RFC 7231 date of webhook bodies: `Tue, 02 Jan 2024 03:04:05 GMT`.
    #[must_use]
    pub fn http_date(self) -> String {
        let secs = u64::try_from(self.0.div_euclid(1000)).unwrap_or(0);
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(secs))
    }
}

/// A random wait with decorrelated jitter: between the shortest and three times the one before, at most the longest. `jitter` is
/// random in `0.0..1.0`. Waits grow while things fail, and those of many who fail together drift apart.
#[must_use]
pub fn spread((shortest, longest): (Duration, Duration), before: Option<Duration>, jitter: f64) -> Duration {
    let most = before.unwrap_or(shortest).max(shortest).saturating_mul(3).min(longest);
    shortest + most.saturating_sub(shortest).mul_f64(jitter)
}

/// Where `now` comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// The time since an instant of the clock's own choosing, by a clock that nobody sets.
    fn steady(&self) -> Duration {
        self.now().since(Timestamp(0))
    }

    /// Comes back when `wait` has passed: the machine's time, unless the clock has one of its own.
    fn sleep(&self, wait: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// An instant by both clocks of a process, to say how long ago it is.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    wall: Timestamp,
    steady: Duration,
}

impl Moment {
    /// The present one.
    #[must_use]
    pub fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            steady: clock.steady(),
        }
    }

    /// How long ago it is, by whichever clock says more: the one on the wall may have been set back, and the steady one stands
    /// while the machine sleeps.
    #[must_use]
    pub fn age(self, clock: &dyn Clock) -> Duration {
        let steady = clock.steady().saturating_sub(self.steady);
        clock.now().since(self.wall).max(steady)
    }
}

/// A wait that a [`Clock`] ends.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Does `work` for at most `limit` by `clock`; nothing where that was too short.
pub async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(limit) => None,
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn steady(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// A clock that only moves when it is told to.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves to an instant, be it back.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_formats_of_the_contract() {
        let at = Timestamp::from_millis(1_704_164_645_678);
        assert_eq!(at.iso(), "2024-01-02T03:04:05.678Z");
        assert_eq!(at.http_date(), "Tue, 02 Jan 2024 03:04:05 GMT");
        assert_eq!(
            Timestamp::from_millis(1_704_164_645_000).iso(),
            "2024-01-02T03:04:05.000Z"
        );
    }

    #[test]
    fn an_age_is_what_either_clock_says_whichever_is_more() {
        struct Two(i64, u64);
        impl Clock for Two {
            fn now(&self) -> Timestamp {
                Timestamp(self.0)
            }
            fn steady(&self) -> Duration {
                Duration::from_millis(self.1)
            }
        }
        let moment = Moment::of(&Two(1_000_000, 500));
        let age = |wall, steady| moment.age(&Two(wall, steady)).as_millis();
        assert_eq!(age(1_000_010, 510), 10);
        assert_eq!(age(400_000, 20_500), 20_000, "the clock on the wall was set back");
        assert_eq!(age(1_900_000, 500), 900_000, "the machine has slept");
        assert_eq!(age(400_000, 500), 0);
    }

    #[test]
    fn reads_times_with_their_offset_and_nothing_else() {
        for text in [
            "2024-01-02T03:04:05.678Z",
            "2024-01-02T04:04:05.678+01:00",
            " 2024-01-02 03:04:05.678Z",
        ] {
            assert_eq!(
                Timestamp::parse(text),
                Some(Timestamp::from_millis(1_704_164_645_678)),
                "{text}"
            );
        }
        for wrong in ["", "tomorrow", "2024-01-02", "2024-01-02T03:04:05", "1704164645"] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn waits_grow_at_random_between_the_shortest_and_the_longest() {
        let (short, long) = (Duration::from_secs(10), Duration::from_secs(100));
        let wait =
            |before: Option<u64>, jitter| spread((short, long), before.map(Duration::from_secs), jitter).as_secs();
        assert_eq!((wait(None, 0.0), wait(None, 1.0)), (10, 30));
        assert_eq!(
            (wait(Some(30), 0.0), wait(Some(30), 0.5), wait(Some(30), 1.0)),
            (10, 50, 90)
        );
        assert_eq!((wait(Some(90), 1.0), wait(Some(1), 1.0)), (100, 30));
        assert_eq!(spread((short, long), Some(Duration::MAX), 1.0), long);
    }

    #[test]
    fn never_leaves_the_years_that_can_be_written() {
        assert_eq!(Timestamp::from_millis(0).after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.iso(), "9999-12-30T00:00:00.000Z");
    }
}
