//! How often one caller may ask (contract, section 16, row 36).
//!
//! Counted in this process, for each credential that is presented; for each address where none is. Not a defence against
//! floods, which belong in front of this server: it keeps one caller's loop from taking the place of the others. Pages,
//! health and the document are not counted, so that neither a customer's consent nor a probe is ever turned away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use super::error::too_many;
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::sha256_hex;

/// How many callers are remembered. Past that the idle ones are forgotten, and if that is not enough all are: memory is
/// bounded, and a forgotten caller merely starts afresh.
const MAX_CALLERS: usize = 20_000;

/// How much one caller may ask. The default is far above what SDKs do: a tab polls once in three seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One request in this time, in the long run.
    pub every: Duration,
    /// So many at once.
    pub burst: u32,
}

impl Limits {
    /// So many requests a second, and twice as many at once; 0 is no limit.
    #[must_use]
    pub fn per_second(rate: u32) -> Self {
        Self {
            every: Duration::from_secs(1).checked_div(rate).unwrap_or_default(),
            burst: rate.saturating_mul(2),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::per_second(50)
    }
}

impl Limits {
    /// What one caller may ask of the routes that stand before every call to a provider.
    pub(super) fn for_calls(self) -> Self {
        Self {
            every: self.every / 100,
            burst: self.burst.saturating_mul(100),
        }
    }
}

/// Who has asked how much. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    limits: Limits,
    /// For each caller, when its bucket would be full again.
    full_at: Arc<Mutex<HashMap<String, Timestamp>>>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            full_at: Arc::default(),
        }
    }

    /// Counts a request; the answer to one that is too much.
    pub(super) fn refused(&self, app: &App, request: &Request) -> Option<Response> {
        if self.limits.every.is_zero() {
            return None;
        }
        let now = app.now();
        let callers = callers(request.headers(), request.extensions().get());
        let taken = callers.into_iter().try_for_each(|caller| self.take(caller, now));
        taken.err().map(too_many)
    }

    /// Counts a request; if it is one too many, says how long to wait.
    ///
    /// The bucket is kept as the instant at which it will be full (the "generic cell rate algorithm" of ITU-T I.371):
    /// one number, and nothing to refill.
    fn take(&self, caller: String, now: Timestamp) -> Result<(), Duration> {
        let whole = self.limits.every * self.limits.burst;
        let mut callers = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MAX_CALLERS && !callers.contains_key(&caller) {
            callers.retain(|_, full_at| *full_at > now);
            if callers.len() >= MAX_CALLERS {
                callers.clear();
            }
        }
        let full_at = callers.entry(caller).or_insert(now);
        // A clock that was set back must not lock anybody out for long.
        let from = (*full_at).clamp(now, now.after(whole));
        let next = from.after(self.limits.every);
        let excess = next.since(now.after(whole));
        if excess.is_zero() {
            *full_at = next;
            Ok(())
        } else {
            *full_at = from;
            Err(excess)
        }
    }
}

/// Whose request this is: every credential that it presents, as a digest, so that a made-up one beside a good one hides
/// nothing; without any, the address. A request of which neither is known is nobody's.
fn callers(headers: &HeaderMap, from: Option<&ConnectInfo<SocketAddr>>) -> Vec<String> {
    let key = headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii());
    let bearer = headers.get("authorization").map(|value| value.as_bytes().trim_ascii());
    // The token alone: spaces around it and the scheme's case make no new caller.
    let bearer = bearer.map(|value| value.rsplit(|byte| *byte == b' ').next().unwrap_or(value));
    let presented: Vec<String> = key.into_iter().chain(bearer).map(sha256_hex).collect();
    if presented.is_empty() {
        from.map(|ConnectInfo(address)| address.ip().to_string())
            .into_iter()
            .collect()
    } else {
        presented
    }
}

/// Turns away what is too much, before anything is looked up.
pub(super) async fn limit(State((app, limiter)): State<(App, Limiter)>, request: Request, next: Next) -> Response {
    match limiter.refused(&app, &request) {
        None => next.run(request).await,
        Some(refused) => refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn three_then_one_a_second() -> Limiter {
        Limiter::new(Limits {
            every: Duration::from_secs(1),
            burst: 3,
        })
    }

    fn at(millis: u64) -> Timestamp {
        NOW.after(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_passes_and_the_next_one_is_told_how_long_to_wait() {
        let limiter = three_then_one_a_second();
        let take = |millis| limiter.take("a".to_owned(), at(millis));
        for _ in 0..3 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), Err(Duration::from_secs(1)));
        assert_eq!(take(999), Err(Duration::from_millis(1)));
        assert_eq!(take(1000), Ok(()));
        assert_eq!(take(1000), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_rate_is_one_request_in_its_part_of_a_second() {
        let half_a_second = Limits::per_second(2);
        assert_eq!(
            (half_a_second.every, half_a_second.burst),
            (Duration::from_millis(500), 4)
        );
        assert_eq!(Limits::per_second(0).every, Duration::ZERO);
    }

    #[test]
    fn what_was_turned_away_is_not_counted() {
        let limiter = three_then_one_a_second();
        let passed = (0..100).filter(|_| limiter.take("a".to_owned(), NOW).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(limiter.take("a".to_owned(), at(1000)), Ok(()));
    }

    #[test]
    fn the_normal_rate_is_never_turned_away_and_callers_do_not_meet() {
        let limiter = three_then_one_a_second();
        for second in 0..1000 {
            assert_eq!(limiter.take("a".to_owned(), at(second * 1000)), Ok(()));
            assert_eq!(limiter.take("b".to_owned(), at(second * 1000)), Ok(()));
        }
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let limiter = three_then_one_a_second();
        assert_eq!(limiter.take("a".to_owned(), at(3_600_000)), Ok(()));
        assert_eq!(limiter.take("a".to_owned(), NOW), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take("a".to_owned(), at(1000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = three_then_one_a_second();
        for number in 0..MAX_CALLERS + 10 {
            assert_eq!(limiter.take(number.to_string(), NOW), Ok(()));
        }
        assert!(limiter.full_at.lock().unwrap().len() <= MAX_CALLERS);
    }

    #[test]
    fn a_caller_is_its_credential_or_else_its_address() {
        let mut headers = HeaderMap::new();
        let from = ConnectInfo("10.1.2.3:4567".parse().unwrap());
        assert!(callers(&headers, None).is_empty());
        assert_eq!(callers(&headers, Some(&from)), ["10.1.2.3"]);
        headers.insert("authorization", "Bearer st_x".parse().unwrap());
        let by_session = callers(&headers, Some(&from));
        headers.insert("authorization", "bearer   st_x ".parse().unwrap());
        assert_eq!(callers(&headers, Some(&from)), by_session, "the token alone counts");
        headers.insert("x-api-key", "made-up".parse().unwrap());
        let both = callers(&headers, Some(&from));
        assert!(
            both.len() == 2 && both.contains(&by_session[0]),
            "a made-up key hides no session"
        );
    }
}
