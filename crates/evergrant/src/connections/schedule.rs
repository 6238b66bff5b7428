//! When a connection is next due. Pure.
//!
//! * A grant with a refresh token is renewed ahead of the access token's end: a fifth of its life, at least 30 seconds and at
//!   most ten minutes, and up to as much again earlier, so that tokens issued together do not fall due together.
//! * A grant without one is looked at when its access token ends.
//! * A key, or a token without an end, is probed once a day, give or take.
//! * Trouble is retried after half a minute, then twice as long each time, at most an hour.
//! * A flagged grant is tried once a day for a month: that is how it heals by itself.

use std::time::Duration;

use super::model::Connection;
use crate::catalog::{Application, AuthType};
use crate::clock::Timestamp;

const LEAST_AHEAD: Duration = Duration::from_secs(30);
const MOST_AHEAD: Duration = Duration::from_mins(10);
const DAY: Duration = Duration::from_hours(24);
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LAST_RETRY: Duration = Duration::from_hours(1);
const HEALING: Duration = Duration::from_hours(30 * 24);

/// How long before its end an access token of this life is renewed, at the latest.
#[must_use]
pub fn ahead(life: Duration) -> Duration {
    (life / 5).clamp(LEAST_AHEAD, MOST_AHEAD)
}

/// When the connection is next due, as it stands at `now`. `jitter` is random in `0.0..1.0`.
#[must_use]
pub(super) fn next_due(c: &Connection, application: &Application, jitter: f64, now: Timestamp) -> Option<Timestamp> {
    let about_a_day = now.after(DAY.mul_f64(0.75 + jitter / 2.0));
    if let Some(flag) = c.status.flag() {
        let hopeful = c.schedule.has_refresh_token && now.since(flag.since) < HEALING;
        return hopeful.then_some(about_a_day);
    }
    if c.trouble.is_some() {
        return Some(now.after(retry_after_failures(c.failures, jitter)));
    }
    let probed = match c.auth_type {
        AuthType::OAuth2 => application.oauth2.as_ref().is_some_and(|scheme| scheme.probe.is_some()),
        AuthType::Keybased => application
            .keybased
            .as_ref()
            .is_some_and(|scheme| scheme.probe.is_some()),
    };
    match c.schedule.expires_at {
        Some(end) if c.schedule.has_refresh_token => {
            let life = end.since(c.schedule.issued_at.unwrap_or(now));
            let ahead = ahead(life);
            Some(
                end.before(ahead + ahead.mul_f64(jitter))
                    .max(now.after(LEAST_AHEAD.min(life / 2))),
            )
        }
        Some(end) => Some(end),
        None => probed.then_some(about_a_day),
    }
}

/// How long to wait after so many failures in a row.
#[must_use]
pub fn retry_after_failures(failures: u32, jitter: f64) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LAST_RETRY).mul_f64(0.75 + jitter / 2.0)
}
