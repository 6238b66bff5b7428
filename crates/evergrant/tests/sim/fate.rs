//! The perfect client, and what it would have lost.
//!
//! It persists its intent before it sends, sends under a lease, stores a reply at once, and uses a token again only where the
//! reply to the first use is lost: at once and once more where the provider forgives that for a while. So there is one way to lose
//! a grant whose tokens can be used once: the next token was issued and never reached a process that lived on, ran on and could
//! write. Whatever else ends a grant by a second use is the engine's fault.

use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::refresh::STORING;

use crate::disk::Disk;
use crate::gates::Gates;

/// A process that has stood still for so long may have been overtaken, whatever it is.
const OVERTAKEN: Duration = Duration::from_secs(5);

/// What became of a reply with a token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing yet.
    UnderWay,
    /// The network lost it, or it came too late.
    Lost,
    /// It was read, whole.
    Delivered,
    /// Whoever waited for it gave up.
    Dropped,
    /// There was no token in it, or it was never asked for.
    Refused,
}

/// A reply with a token in it, and to which life of which node it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) to: (usize, u64),
    pub(crate) end: End,
    /// When it was delivered; else when it was asked for.
    pub(crate) at: Timestamp,
}

/// What is known of the nodes.
pub(crate) struct World<'a> {
    pub(crate) gates: &'a Gates,
    /// How often each was born anew.
    pub(crate) lives: &'a [u64],
}

/// A second use that ended a grant, to be judged when it is known when writing failed.
#[derive(Clone, Debug)]
pub(crate) struct Reuse {
    pub(crate) grant: usize,
    pub(crate) token: usize,
    /// Replies that were read by somebody who lived and ran on: only a disk that failed excuses these.
    pub(crate) read_at: Vec<Timestamp>,
    /// Whether these may have been replies to a second request with the same lease.
    pub(crate) late: bool,
}

/// A token that was used a second time.
pub(crate) struct Case<'a> {
    /// The replies that held its successor.
    pub(crate) replies: &'a [Fate],
    /// How often the token was sent for that before, without an answer.
    pub(crate) tries: usize,
    /// How often it is to be sent before it is given up.
    pub(crate) forgiven: usize,
    /// Whether the successor was stored when the second use was sent.
    pub(crate) stored: bool,
}

/// What is wrong with a second use, if that is clear; else what only a failing disk excuses.
pub(crate) fn judge(case: &Case<'_>, world: &World<'_>) -> Result<Vec<Timestamp>, String> {
    let overtaken = |one: &Fate| world.gates.stood(one.to.0, one.at) >= OVERTAKEN;
    let fallen = |one: &Fate| overtaken(one) || world.lives[one.to.0] != one.to.1;
    let replies = case.replies;
    if case.stored && !replies.iter().any(overtaken) {
        return Err("its successor was stored".to_owned());
    }
    let mut read_at = Vec::new();
    for one in replies.iter().filter(|one| !fallen(one)) {
        match one.end {
            End::Lost | End::Refused => {}
            End::Delivered => read_at.push(one.at),
            End::UnderWay => return Err("the reply to its first use is under way".to_owned()),
            End::Dropped => return Err("the reply to its first use was given up by a process that lived".to_owned()),
        }
    }
    if case.tries < case.forgiven && read_at.is_empty() && !replies.iter().any(fallen) {
        return Err(format!("sent only {} times while that was forgiven", case.tries));
    }
    Ok(read_at)
}

/// For how long writing may fail without a token being lost that is tried to be stored for all of that time, and by a lease that
/// is only so long.
const BORNE: Duration = Duration::from_secs(24);
const _: () = assert!(BORNE.as_millis() < STORING.as_millis());
/// The same where the reply was one to a second request.
const BORNE_LATE: Duration = Duration::from_secs(9);

impl Reuse {
    /// Whether somebody had the successor in hand all the time, and could write.
    pub(crate) fn was_needless(&self, disk: &Disk) -> bool {
        let borne = if self.late { BORNE_LATE } else { BORNE };
        self.read_at.iter().any(|at| disk.failed(*at, STORING) < borne)
    }
}
