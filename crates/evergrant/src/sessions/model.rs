//! Types of the sessions, and the rules that need no database.

use std::time::Duration;

use crate::accounts::LinkedAccount;
use crate::clock::Timestamp;
use crate::ids::{SessionId, sha256_hex};
use crate::secret::Secret;
use crate::tenants::Tenant;

/// What a token must have left to be handed out again.
pub(super) const REUSE_MARGIN: Duration = Duration::from_hours(24);
/// How long the properties of a hosted page are kept.
pub(super) const PROPERTIES_LIFE: Duration = Duration::from_hours(3 * 24);

/// How long tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The session token.
    pub token: Duration,
    /// The refresh token, which the documented API still returns and no longer accepts.
    pub refresh: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            token: Duration::from_hours(7 * 24),
            refresh: Duration::from_hours(30 * 24),
        }
    }
}

/// How a token is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// How long a new one lives.
    pub lifetimes: Lifetimes,
    /// A new one even while another could be handed out again.
    pub force_refresh: bool,
}

/// A session, found by its token.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id; not a secret.
    pub id: SessionId,
    /// Whose environment.
    pub tenant: Tenant,
    /// The one account it acts for.
    pub account: LinkedAccount,
    /// From then on it is invalid.
    pub expires_at: Timestamp,
}

/// A token on its way to a caller.
#[derive(Debug)]
pub struct Issued {
    /// The session.
    pub id: SessionId,
    /// Its value.
    pub token: Secret,
    /// Until when it is valid.
    pub expires_at: Timestamp,
    /// Until when the refresh token claims to be.
    pub refresh_expires_at: Timestamp,
}

impl Issued {
    /// The refresh token of the documented response. Nothing accepts it, so that it need not be kept: it is derived
    /// from the token, one way, and stays the same when the token is handed out again.
    #[must_use]
    pub fn refresh_token(&self) -> Secret {
        let digest = sha256_hex(format!("evergrant refresh token\0{}", self.token.expose()).as_bytes());
        Secret::from(format!("sr_{digest}"))
    }
}

/// How a token is looked up.
pub(super) fn hash(token: &str) -> String {
    sha256_hex(token.as_bytes())
}
