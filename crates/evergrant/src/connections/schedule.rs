//! When a connection is next due. Pure.
//!
//! * A grant with a refresh token is renewed ahead of the access token's end: a fifth of its life, at least 30 seconds and at
//!   most ten minutes, and up to as much again earlier, so that tokens issued together do not fall due together. Where the
//!   provider refuses to refresh what is still valid: just after its end.
//! * A refresh token that would die of disuse, or at an end that each refresh moves, is used when 60 to 80 per cent of that
//!   time are over, even if the access token needs nothing.
//! * A grant without one is looked at when its access token ends.
//! * A key, or a token without an end, is probed once a day (a setting), give or take a quarter.
//! * Trouble is retried after 20 seconds to a minute, then after up to three times as long as the last time, at most an hour;
//!   never before the provider would refresh at all.
//! * A flagged grant is tried once a day for a month: that is how it heals by itself.
//!
//! "Give or take" is each connection's own, the same every time: many that begin together stay apart.

use std::time::Duration;

use super::model::Connection;
use crate::catalog::Application;
use crate::clock::{Timestamp, spread};
use crate::ids::fraction_of;

const LEAST_AHEAD: Duration = Duration::from_secs(30);
const MOST_AHEAD: Duration = Duration::from_mins(10);
const DAY: Duration = Duration::from_hours(24);
const FIRST_RETRY: Duration = Duration::from_secs(20);
/// How long after its end a token is refreshed that the provider refuses to refresh before.
const JUST_AFTER: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_hours(1);
const HEALING: Duration = Duration::from_hours(30 * 24);

/// How long before its end an access token of this life is renewed, at the latest.
#[must_use]
pub fn ahead(life: Duration) -> Duration {
    (life / 5).clamp(LEAST_AHEAD, MOST_AHEAD)
}

/// When the connection is next due, as it stands at `now`.
#[must_use]
pub(super) fn next_due(
    c: &Connection,
    application: &Application,
    (now, probe_every): (Timestamp, Duration),
) -> Option<Timestamp> {
    let jitter = fraction_of(c.id.as_str());
    if let Some(flag) = c.status.flag() {
        let hopeful = c.schedule.has_refresh_token && now.since(flag.since) < HEALING;
        return hopeful.then(|| now.after(give_or_take(DAY, c)));
    }
    if c.trouble.is_some() {
        let again = now.after(c.schedule.retry_wait.unwrap_or(FIRST_RETRY));
        return Some(again.max(refreshable_from(c, application, jitter).unwrap_or(again)));
    }
    let probed = application.proves(c.auth_type);
    let for_the_access_token = match c.schedule.expires_at {
        Some(end) if c.schedule.has_refresh_token => Some(renewal(c, application, (end, jitter), now)),
        Some(end) => Some(end),
        None => probed.then(|| now.after(give_or_take(probe_every, c))),
    };
    let to_keep_alive = if c.schedule.has_refresh_token {
        keep_alive(c, jitter, now).map(|at| at.max(refreshable_from(c, application, jitter).unwrap_or(at)))
    } else {
        None
    };
    [for_the_access_token, to_keep_alive].into_iter().flatten().min()
}

/// This long, give or take a quarter that is the connection's own: how often it is probed.
#[must_use]
pub fn give_or_take(time: Duration, c: &Connection) -> Duration {
    time.mul_f64(0.75 + fraction_of(c.id.as_str()) / 2.0)
}

/// When an access token that ends at `end` is renewed.
fn renewal(c: &Connection, application: &Application, (end, jitter): (Timestamp, f64), now: Timestamp) -> Timestamp {
    if let Some(from) = refreshable_from(c, application, jitter) {
        return from;
    }
    let life = end.since(c.schedule.issued_at.unwrap_or(now));
    let ahead = ahead(life);
    end.before(ahead + ahead.mul_f64(jitter))
        .max(now.after(LEAST_AHEAD.min(life / 2)))
}

/// From when the provider takes the refresh token, where it refuses to refresh what is still valid.
fn refreshable_from(c: &Connection, application: &Application, jitter: f64) -> Option<Timestamp> {
    let end = c.schedule.expires_at.filter(|_| c.schedule.has_refresh_token)?;
    (!application.refreshing.early).then(|| end.after(JUST_AFTER + JUST_AFTER.mul_f64(jitter)))
}

/// When a refresh token must be used lest it die. One whose end is upon it has not been moved by being used: then once more would
/// not help either.
fn keep_alive(c: &Connection, jitter: f64, now: Timestamp) -> Option<Timestamp> {
    let end = c.schedule.expected.end.filter(|_| c.schedule.expected.moves)?;
    let left = end.since(now);
    (left > LEAST_AHEAD).then(|| now.after(left.mul_f64(0.8 - jitter / 5.0)))
}

/// How long to wait after one more failure; `jitter` is random in `0.0..1.0`.
#[must_use]
pub(super) fn retry_wait(before: Option<Duration>, jitter: f64) -> Duration {
    spread((FIRST_RETRY, LAST_RETRY), before, jitter)
}
