//! Sparing probes of credentials that traffic proves alive.
//!
//! A call that the provider has just accepted proves as much as most probes, so that a probe which falls due within an interval of
//! it is put off. Not for ever: a call may not need the credential at all, while a probe truly does, so that a connection
//! in daily use is still asked about one time in seven.

use std::time::Duration;

use super::plan::Why;
use crate::app::App;
use crate::clock::Timestamp;
use crate::connections::{Connection, give_or_take};

/// One probe in so many is sent whatever traffic shows.
const TURNS: u64 = 7;
/// A probe is not put off for less than this.
const LEAST: Duration = Duration::from_mins(1);

/// Until when a probe that is due is put off; `None` where it is to be sent.
pub(super) fn spared_until(app: &App, c: &Connection, why: Why) -> Option<Timestamp> {
    if why != Why::Due || c.trouble.is_some() || c.is_flagged() || c.schedule.expires_at.is_some() {
        return None;
    }
    let (now, every) = (app.now(), give_or_take(app.probe_every, c));
    // Not beyond its next turn, which would pass unused.
    let until = c.last_ok_at?.after(every).min(next_turn(c, (now, every)));
    (until > now.after(LEAST)).then_some(until)
}

/// When the next one time in [`TURNS`] begins, or has begun: each connection has its own.
fn next_turn(c: &Connection, (now, every): (Timestamp, Duration)) -> Timestamp {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    let length = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
    let turn = millis / length;
    let own = c.id.as_str().bytes().fold(0_u64, |sum, byte| sum + u64::from(byte));
    let ahead = (own % TURNS + TURNS - turn % TURNS) % TURNS;
    Timestamp::from_millis(i64::try_from((turn + ahead).saturating_mul(length)).unwrap_or(i64::MAX))
}
