//! How often one caller may ask (contract, section 16, row 36).
//!
//! Counted in this process, for each credential that is presented; for each address where none is, or where it is refused. Not a
//! defence against floods, which belong in front of this server: it keeps one caller's loop from taking the place of the others.
//! Pages, health and the document are not counted, so that neither a customer's consent nor a probe is ever turned away.
//!
//! An address may be that of a proxy in front, and so everybody's: a good credential is never turned away for what its address
//! has done.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::error::too_many;
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::sha256_hex;
use crate::proxy::headers::ANSWERED_BY;

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

/// A request that was counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Those of its credentials that were not known.
    strangers: Vec<String>,
    /// Its address, where it was not counted for that.
    from: Option<IpAddr>,
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

    /// Counts a request; if it is one too many, says how long to wait.
    pub(super) fn count(
        &self,
        now: Timestamp,
        (headers, from): (&HeaderMap, Option<SocketAddr>),
    ) -> Result<Counted, Duration> {
        let mut counted = Counted::default();
        if self.limits.every.is_zero() {
            return Ok(counted);
        }
        let from = from.map(|address| address.ip());
        for caller in callers(headers, from) {
            let (is_new, taken) = self.take_of(&caller, now);
            if is_new {
                counted.strangers.push(caller);
            }
            if let Err(wait) = taken {
                self.forget(&counted.strangers);
                return Err(wait);
            }
        }
        let presents_some = ["x-api-key", "authorization"]
            .iter()
            .any(|name| headers.contains_key(*name));
        counted.from = from.filter(|_| presents_some);
        Ok(counted)
    }

    /// What a counted request is answered: where its credentials were refused, it counts for its address, and they are no callers
    /// of their own.
    pub(super) fn answered<B: From<Body>>(
        &self,
        now: Timestamp,
        counted: &Counted,
        answer: Response<B>,
    ) -> Response<B> {
        let is_refused = answer.status() == StatusCode::UNAUTHORIZED && !answer.headers().contains_key(ANSWERED_BY);
        let Some(from) = counted.from.filter(|_| is_refused) else {
            return answer;
        };
        self.forget(&counted.strangers);
        // Apart from those that present none: the address may be that of a proxy in front.
        match self.take_of(&format!("refused at {from}"), now) {
            (_, Ok(())) => answer,
            (_, Err(wait)) => too_many(wait).map(B::from),
        }
    }

    fn forget(&self, callers: &[String]) {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        for caller in callers {
            known.remove(caller);
        }
    }

    /// Counts a request of one caller, and says whether nothing was known of it.
    ///
    /// The bucket is kept as the instant at which it will be full (the "generic cell rate algorithm" of ITU-T I.371):
    /// one number, and nothing to refill.
    fn take_of(&self, caller: &str, now: Timestamp) -> (bool, Result<(), Duration>) {
        let mut callers = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = callers.get_mut(caller) {
            return (false, self.take_from(full_at, now));
        }
        if callers.len() >= MAX_CALLERS {
            callers.retain(|_, full_at| *full_at > now);
            if callers.len() >= MAX_CALLERS {
                callers.clear();
            }
        }
        let full_at = callers.entry(caller.to_owned()).or_insert(now);
        (true, self.take_from(full_at, now))
    }

    fn take_from(&self, full_at: &mut Timestamp, now: Timestamp) -> Result<(), Duration> {
        let whole = self.limits.every * self.limits.burst;
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
fn callers(headers: &HeaderMap, from: Option<IpAddr>) -> Vec<String> {
    let key = headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii());
    let bearer = headers.get("authorization").map(|value| value.as_bytes().trim_ascii());
    // The token alone: spaces around it and the scheme's case make no new caller.
    let bearer = bearer.map(|value| value.rsplit(|byte| *byte == b' ').next().unwrap_or(value));
    let presented: Vec<String> = key.into_iter().chain(bearer).map(sha256_hex).collect();
    if presented.is_empty() {
        from.map(|address| address.to_string()).into_iter().collect()
    } else {
        presented
    }
}

/// Turns away what is too much, before anything is looked up.
pub(super) async fn limit(State((app, limiter)): State<(App, Limiter)>, request: Request, next: Next) -> Response {
    let from = request.extensions().get().map(|ConnectInfo(from)| *from);
    match limiter.count(app.now(), (request.headers(), from)) {
        Ok(counted) => {
            let answer = next.run(request).await;
            limiter.answered(app.now(), &counted, answer)
        }
        Err(wait) => too_many(wait),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    impl Limiter {
        fn take(&self, caller: &str, now: Timestamp) -> Result<(), Duration> {
            self.take_of(caller, now).1
        }
    }

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
        let take = |millis| limiter.take("a", at(millis));
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
        let passed = (0..100).filter(|_| limiter.take("a", NOW).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(limiter.take("a", at(1000)), Ok(()));
    }

    #[test]
    fn the_normal_rate_is_never_turned_away_and_callers_do_not_meet() {
        let limiter = three_then_one_a_second();
        for second in 0..1000 {
            assert_eq!(limiter.take("a", at(second * 1000)), Ok(()));
            assert_eq!(limiter.take("b", at(second * 1000)), Ok(()));
        }
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let limiter = three_then_one_a_second();
        assert_eq!(limiter.take("a", at(3_600_000)), Ok(()));
        assert_eq!(limiter.take("a", NOW), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take("a", at(1000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = three_then_one_a_second();
        for number in 0..MAX_CALLERS + 10 {
            assert_eq!(limiter.take(&number.to_string(), NOW), Ok(()));
        }
        assert!(limiter.full_at.lock().unwrap().len() <= MAX_CALLERS);
    }

    #[test]
    fn made_up_credentials_are_no_callers_and_use_up_their_address() {
        let limiter = three_then_one_a_second();
        let ask = |from: [u8; 4], key: &str, answer: StatusCode| {
            let mut headers = HeaderMap::new();
            headers.insert("x-api-key", key.parse().unwrap());
            let Ok(counted) = limiter.count(NOW, (&headers, Some((from, 1).into()))) else {
                return StatusCode::TOO_MANY_REQUESTS;
            };
            let mut response: Response = Response::default();
            *response.status_mut() = answer;
            limiter.answered(NOW, &counted, response).status()
        };
        let (no, here) = (StatusCode::UNAUTHORIZED, [10, 1, 2, 3]);
        for number in 0..3 {
            assert_eq!(ask(here, &format!("made-up-{number}"), no), no);
        }
        for key in ["made-up-3", "made-up-0"] {
            assert_eq!(ask(here, key, no), StatusCode::TOO_MANY_REQUESTS, "{key}");
        }
        assert_eq!(
            limiter.full_at.lock().unwrap().len(),
            1,
            "the address alone is remembered"
        );
        assert_eq!(ask([10, 1, 2, 4], "made-up-5", no), no, "another address");
        let nobody = limiter.take("10.1.2.3", NOW);
        assert_eq!(nobody, Ok(()), "those without a credential are counted apart");
        // The address may be that of a proxy in front.
        for _ in 0..3 {
            assert_eq!(ask(here, "good", StatusCode::OK), StatusCode::OK);
        }
        assert_eq!(ask(here, "good", StatusCode::OK), StatusCode::TOO_MANY_REQUESTS);
        // A refusal of a known one does not make it a stranger.
        assert_eq!(ask(here, "good", no), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn a_caller_is_its_credential_or_else_its_address() {
        let mut headers = HeaderMap::new();
        let from = Some("10.1.2.3".parse().unwrap());
        assert!(callers(&headers, None).is_empty());
        assert_eq!(callers(&headers, from), ["10.1.2.3"]);
        headers.insert("authorization", "Bearer st_x".parse().unwrap());
        let by_session = callers(&headers, from);
        headers.insert("authorization", "bearer   st_x ".parse().unwrap());
        assert_eq!(callers(&headers, from), by_session, "the token alone counts");
        headers.insert("x-api-key", "made-up".parse().unwrap());
        let both = callers(&headers, from);
        assert!(
            both.len() == 2 && both.contains(&by_session[0]),
            "a made-up key hides no session"
        );
    }
}
