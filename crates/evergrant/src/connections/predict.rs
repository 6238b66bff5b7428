//! When a connection ends unless something is done, and how that is known. Pure.
//!
//! | what is stored             | ends                                                              | basis            |
//! |----------------------------|-------------------------------------------------------------------|------------------|
//! | a key                      | not known                                                         | `unknown`        |
//! | no refresh token           | with its access token, as the reply said or the catalogue knows   | `stated`, `known_lifetime` |
//! | a refresh token            | at the first of: its stated end, its known lifetime, the grant's known lifetime, its idle limit | `stated`, `known_lifetime`, `idle_limit` |
//! | and nothing is known of it | not known                                                         | `unknown`        |
//!
//! Most of these ends move with every refresh, and come only if refreshing fails. So the team is told of an end that moves
//! only while there is trouble; of one that stays where it is, in any case.

use std::time::Duration;

use super::fresh::WOBBLE;
use super::model::{Connection, ConnectionStatus, EndBasis, Expected, Schedule};
use crate::catalog::{Lifetimes, Rotation};
use crate::clock::Timestamp;

/// The end that is expected of a connection whose tokens have just been stored; `before` is what was known of the ones
/// before, where a refresh has replaced them.
#[must_use]
pub(super) fn expected(c: &Connection, lifetimes: &Lifetimes, before: Option<&Schedule>) -> Expected {
    let s = &c.schedule;
    if !s.has_refresh_token {
        return s.expected;
    }
    let at = |from: Option<Timestamp>, life: Option<Duration>| Some(from?.after(life?));
    let rotates = lifetimes.rotation != Rotation::None;
    let of_token = match s.refresh_expires_at {
        Some(end) => Some((end, EndBasis::Stated, moves(end, before).unwrap_or(rotates))),
        None => at(s.refresh_issued_at, lifetimes.refresh_token).map(|end| (end, EndBasis::KnownLifetime, rotates)),
    };
    let of_grant = at(Some(c.connected_at), lifetimes.grant).map(|end| (end, EndBasis::KnownLifetime, false));
    let of_disuse = at(s.issued_at, lifetimes.idle_limit).map(|end| (end, EndBasis::IdleLimit, true));
    let first = [of_token, of_grant, of_disuse].into_iter().flatten();
    first.min_by_key(|(end, _, moves)| (*end, *moves)).map_or(
        Expected {
            moves: true,
            ..Expected::default()
        },
        |(end, basis, moves)| Expected {
            end: Some(end),
            basis,
            moves,
        },
    )
}

/// Whether the last refresh moved the stated end; nothing where that cannot be seen.
fn moves(end: Timestamp, before: Option<&Schedule>) -> Option<bool> {
    let before = before?.refresh_expires_at?;
    Some(end > before.after(WOBBLE))
}

/// When the team is to be told that the connection will end: `ahead` of that, once for each end.
#[must_use]
pub(super) fn tell_at(c: &Connection, ahead: Duration) -> Option<Timestamp> {
    let end = threat(c)?;
    (c.schedule.told_end != Some(end)).then(|| end.before(ahead))
}

/// Whether the connection will end and soon, as far as can be foreseen: from when the team is told so.
#[must_use]
pub fn expires_soon(c: &Connection) -> bool {
    threat(c).is_some_and(|end| c.schedule.told_end == Some(end))
}

/// The end that will come if nobody but us does anything.
fn threat(c: &Connection) -> Option<Timestamp> {
    let will_come = !c.schedule.expected.moves || c.trouble.is_some();
    let active = c.status == ConnectionStatus::Active;
    c.schedule.expected.end.filter(|_| active && will_come)
}
