//! Whether there is anything to do. Pure.

use std::time::Duration;

use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{Connection, ahead};

/// Why somebody asks for a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is due, as the sweep sees it.
    Due,
    /// A caller needs a token that lives at least this long.
    Use {
        /// How long.
        need: Duration,
    },
    /// The provider has refused the access token of this version of the credential.
    Refused {
        /// Which.
        version: i64,
    },
    /// Somebody wants to see whether this version of the credential works, and it does not look so.
    Checked {
        /// Which.
        version: i64,
    },
    /// Somebody says so, whatever the token's age.
    Forced,
}

impl Why {
    /// Whether somebody waits to see the provider's answer, so that it is asked though it had better be left alone.
    pub(super) const fn by_hand(self) -> bool {
        matches!(self, Self::Forced | Self::Checked { .. })
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The credential will do.
    UseAsIs,
    /// Use the refresh token.
    Renew,
    /// Nothing can be refreshed; ask the provider whether it still works.
    Ask,
    /// Past its end by every clock, and nothing to refresh it with: only a new consent helps.
    Reauthorize,
}

/// How far the clocks of nodes may be apart. No grant is called dead by one of them alone before that has passed.
pub const CLOCKS: Duration = Duration::from_mins(5);

/// How much of a token's life must be left for a use that takes `need`. The clock that wrote its end may be ahead of ours, hence
/// a margin. Never so much that a new token would not have it left either, or every use would renew.
fn left(need: Duration, life: Duration) -> Duration {
    let ahead = ahead(life);
    let margin = CLOCKS.min(ahead);
    (need + margin).min(life.saturating_sub(ahead)).max(ahead / 2)
}

/// Decides what to do with a connection at `now`. `early` says whether its provider lets tokens be refreshed that are still
/// valid.
#[must_use]
pub fn plan(c: &Connection, why: Why, (early, now): (bool, Timestamp)) -> Plan {
    let due = c.schedule.due_at.is_some_and(|due| due <= now);
    let ended = c.schedule.expires_at.is_some_and(|end| end <= now);
    let certainly_ended = c.schedule.expires_at.is_some_and(|end| end.after(CLOCKS) <= now);
    if c.auth_type == AuthType::Keybased {
        return if due || why.by_hand() { Plan::Ask } else { Plan::UseAsIs };
    }
    if !c.schedule.has_refresh_token {
        return match why {
            _ if certainly_ended => Plan::Reauthorize,
            // By our clock: the provider's word is better.
            _ if ended => Plan::Ask,
            _ if why.by_hand() => Plan::Ask,
            Why::Due if due => Plan::Ask,
            _ => Plan::UseAsIs,
        };
    }
    let wanted = match why {
        Why::Forced => early || ended || c.schedule.expires_at.is_none(),
        // Many callers are refused at once: the first one's renewal is everybody's.
        Why::Refused { version } | Why::Checked { version } => c.version == version,
        Why::Due => due,
        Why::Use { .. } if !early => ended,
        Why::Use { need } => {
            let life = |end: Timestamp| end.since(c.schedule.issued_at.unwrap_or(now));
            c.schedule
                .expires_at
                .is_some_and(|end| end <= now.after(left(need, life(end))))
        }
    };
    if wanted { Plan::Renew } else { Plan::UseAsIs }
}
