//! What a link is, and when it is good.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{ConnectionId, LinkId, TenantId};

/// How long a link lives unless the team says otherwise.
pub const DEFAULT_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long it may live at most.
pub const MAX_LIFE: Duration = Duration::from_hours(90 * 24);
/// How long it lives at least.
pub const MIN_LIFE: Duration = Duration::from_mins(1);
/// What the link of a break must have left to be handed out again.
pub(super) const REUSE_MARGIN: Duration = Duration::from_hours(24);
/// How long an ended link is remembered, so that its page can say what became of it.
pub(super) const KEPT: Duration = Duration::from_hours(30 * 24);

/// One break of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Break<'a> {
    /// The connection.
    pub connection: &'a ConnectionId,
    /// Since when it has been flagged.
    pub since: Timestamp,
}

/// A link, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its id; not a secret.
    pub id: LinkId,
    /// Whose environment.
    pub tenant: TenantId,
    /// The connection that it repairs.
    pub connection: ConnectionId,
    /// The break that it belongs to.
    pub since: Timestamp,
    /// Whether it is the break's own link, made for events and errors.
    pub automatic: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is dead.
    pub expires_at: Timestamp,
    /// When the team ended it.
    pub revoked_at: Option<Timestamp>,
}

/// Whether a link can be used, as far as that is its own matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Yes, if the break goes on.
    Live,
    /// Its time is over.
    Expired,
    /// The team ended it.
    Revoked,
}

impl LinkState {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Link {
    /// Its state at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> LinkState {
        if self.revoked_at.is_some() {
            LinkState::Revoked
        } else if self.expires_at <= now {
            LinkState::Expired
        } else {
            LinkState::Live
        }
    }
}

/// A link on its way to the team. The address is told this once.
#[derive(Debug)]
pub struct Made {
    /// The link.
    pub link: Link,
    /// Its address, which holds the token.
    pub url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_live_until_the_millisecond_it_expires_or_is_revoked() {
        let at = Timestamp::from_millis;
        let link = Link {
            id: LinkId::new(at(0)),
            tenant: TenantId::new(at(0)),
            connection: ConnectionId::new(at(0)),
            since: at(0),
            automatic: false,
            created_at: at(0),
            expires_at: at(1000),
            revoked_at: None,
        };
        assert_eq!(link.state(at(999)), LinkState::Live);
        assert_eq!(link.state(at(1000)), LinkState::Expired);
        let revoked = Link {
            revoked_at: Some(at(1)),
            ..link
        };
        assert_eq!(revoked.state(at(999)), LinkState::Revoked);
    }
}
