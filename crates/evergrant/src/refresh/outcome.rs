//! What came of a renewal or a check.

use crate::clock::Timestamp;
use crate::connections::Connection;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// A new access token is stored.
    Renewed,
    /// The credential will do as it is.
    NotNeeded,
    /// The provider was asked, and answered one way or the other.
    Asked,
    /// The refresh failed: the connection says how.
    Failed,
    /// Another worker was at it, and has finished.
    Waited,
    /// The credential was replaced while we were at it: the newer one stands.
    Superseded,
    /// The application has no call that would prove anything.
    Unverified,
    /// The provider is left alone for now: it fails, or has asked for patience. Nothing was sent.
    Paused {
        /// When it may be tried again.
        until: Timestamp,
    },
    /// The team has set no OAuth client, so nothing can be refreshed.
    NoClient,
    /// The application has an open incident, and another connection finds out whether it is over.
    HeldBack,
}

impl Did {
    /// The stable spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::NotNeeded => "not_needed",
            Self::Asked => "asked",
            Self::Failed => "failed",
            Self::Waited => "waited",
            Self::Superseded => "superseded",
            Self::Unverified => "unverified",
            Self::Paused { .. } => "paused",
            Self::NoClient => "no_oauth_client",
            Self::HeldBack => "held_back",
        }
    }
}

/// What was done, and how the connection stands now.
#[derive(Debug)]
pub struct Outcome {
    /// What was done.
    pub did: Did,
    /// The connection after it.
    pub connection: Connection,
}
