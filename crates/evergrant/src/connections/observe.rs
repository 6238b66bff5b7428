//! An answer, or the lack of one, as an observation of a connection.

use std::time::Duration;

use super::model::Connection;
use crate::catalog::{Application, Rotation};
use crate::clock::Timestamp;
use crate::egress::{Reply, Unreachable};
use crate::verdict::{Auth, Circumstances, NetworkFault, Observation, Phase};

/// What was seen, ready to be judged.
#[must_use]
pub fn observation(
    auth: Auth,
    phase: Phase,
    answer: Result<&Reply, Unreachable>,
    circumstances: Circumstances,
) -> Observation {
    let seen = match answer {
        Ok(reply) => Observation {
            headers: reply.headers.clone(),
            content_type: reply.header("content-type").unwrap_or_default().to_owned(),
            body: reply.body.clone(),
            ..Observation::answer(auth, phase, reply.status)
        },
        Err(unreachable) => Observation::fault(auth, phase, fault(unreachable)),
    };
    Observation { circumstances, ..seen }
}

const fn fault(unreachable: Unreachable) -> NetworkFault {
    match unreachable {
        Unreachable::Forbidden => NetworkFault::Other,
        Unreachable::NotConnected => NetworkFault::Unreachable,
        Unreachable::ReplyLost => NetworkFault::Broken,
        Unreachable::TimedOut => NetworkFault::Timeout,
    }
}

/// What is known of a connection besides the answer.
#[must_use]
pub fn circumstances(c: &Connection, application: &Application, now: Timestamp) -> Circumstances {
    let since = |at: Option<Timestamp>| at.map(|at| now.since(at));
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| -> Option<Duration> { Some(to?.since(from?)) };
    let s = &c.schedule;
    Circumstances {
        has_refresh_token: Some(s.has_refresh_token),
        access_token_age: since(s.issued_at),
        access_token_lifetime: between(s.issued_at, s.expires_at),
        refresh_token_age: since(s.refresh_issued_at),
        refresh_token_lifetime: between(s.refresh_issued_at, s.refresh_expires_at)
            .or(application.lifetimes.refresh_token),
        // The access token was issued when the refresh token last worked.
        idle_for: since(s.issued_at),
        idle_limit: application.lifetimes.idle_limit,
        // Only an acceptance since the present token was issued speaks of this token.
        token_previously_worked: c.last_ok_at.map(|at| s.issued_at.is_none_or(|issued| at > issued)),
        // Where refreshing does not rotate, a lost reply costs nothing.
        reply_lost: Some(c.reply_lost_at.is_some() && application.lifetimes.rotation != Rotation::None),
        ..Circumstances::default()
    }
}
