//! What a connection is.

use std::time::Duration;

use serde_json::Value;

use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::error::OtherAccount;
use crate::ids::{AccountId, ConnectionId, TenantId};
use crate::reason::{Confidence, Reason, Verdict};
use crate::vault::Sealed;
use crate::verdict::Evidence;

/// How long id, times and reason of a disconnected connection are kept.
pub const KEPT_AFTER_DISCONNECT: Duration = Duration::from_hours(30 * 24);

/// The kind of a timeline entry for an observation that changed nothing.
pub const OBSERVED: &str = "observed";

/// How many observations of a connection are kept that changed nothing: the last few.
pub const KEPT_UNCHANGED: u32 = 5;

/// Whether a connection can be used.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionStatus {
    /// It works, or is believed to.
    Active,
    /// Only a new consent or a new key helps.
    ReauthRequired(Flag),
    /// The customer or the team ended it; nothing secret is left of it.
    Disconnected {
        /// When.
        at: Timestamp,
    },
}

impl ConnectionStatus {
    /// The word in the database and in the connection object.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReauthRequired(_) => "reauth_required",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// The flag, where there is one.
    #[must_use]
    pub const fn flag(&self) -> Option<&Flag> {
        if let Self::ReauthRequired(flag) = self {
            Some(flag)
        } else {
            None
        }
    }
}

/// Why a connection needs its customer, since when, and how sure that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// Stated or inferred.
    pub confidence: Confidence,
    /// Which rule, which words.
    pub evidence: Evidence,
}

/// Trouble under way on an active connection; it is still served and tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// The last observation's verdict.
    pub verdict: Verdict,
    /// Its reason.
    pub reason: Option<Reason>,
    /// Since when there has been trouble.
    pub since: Timestamp,
}

/// How an expected end is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndBasis {
    /// The provider said so.
    Stated,
    /// The catalogue knows how long such tokens live.
    KnownLifetime,
    /// It dies of disuse.
    IdleLimit,
    /// It is not known.
    #[default]
    Unknown,
}

impl EndBasis {
    /// The stable spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::KnownLifetime => "known_lifetime",
            Self::IdleLimit => "idle_limit",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that spelling.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Stated, Self::KnownLifetime, Self::IdleLimit, Self::Unknown];
        all.into_iter().find(|basis| basis.as_str() == word)
    }
}

/// The end that is expected of a connection unless something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// When.
    pub end: Option<Timestamp>,
    /// How that is known.
    pub basis: EndBasis,
    /// Whether each refresh moves it, so that it comes only if refreshing fails.
    pub moves: bool,
}

/// When something is next due, and what is known of the tokens' lives. Nothing here is secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Whether a refresh token is stored.
    pub has_refresh_token: bool,
    /// When the access token, or the key, was stored.
    pub issued_at: Option<Timestamp>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token was issued.
    pub refresh_issued_at: Option<Timestamp>,
    /// When the refresh token ends, if the provider said so.
    pub refresh_expires_at: Option<Timestamp>,
    /// When a refresh, or a probe, is next due.
    pub due_at: Option<Timestamp>,
    /// How long the last wait after a failure was.
    pub retry_wait: Option<Duration>,
    /// The end that is expected.
    pub expected: Expected,
    /// When the team is to be told of it.
    pub tell_at: Option<Timestamp>,
    /// The end that the team has been told of.
    pub told_end: Option<Timestamp>,
}

/// A connection, without its credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Stays the same through every repair.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The customer.
    pub account: AccountId,
    /// The application.
    pub slug: String,
    /// How it authenticates.
    pub auth_type: AuthType,
    /// Whether it can be used.
    pub status: ConnectionStatus,
    /// Trouble under way.
    pub trouble: Option<Trouble>,
    /// Failed tries in a row.
    pub failures: u32,
    /// The external account, as text or an object; `None` when not known.
    pub identifier: Option<Value>,
    /// Counts every stored credential.
    pub version: i64,
    /// Counts every claim of the refresh lease.
    pub fence: i64,
    /// The sealed credential; gone once disconnected.
    pub sealed: Option<Sealed>,
    /// When what is due.
    pub schedule: Schedule,
    /// When the provider last accepted the credential.
    pub last_ok_at: Option<Timestamp>,
    /// Since when the reply to a refresh has been missing: the provider may have rotated without us.
    pub reply_lost_at: Option<Timestamp>,
    /// When the customer last connected: a repair moves it.
    pub connected_at: Timestamp,
    /// When the customer first connected.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
}

/// A connection with the team's own name of its customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The connection.
    pub connection: Connection,
    /// The team's own id of its customer; empty where the customer is gone.
    pub linked_account_id: String,
}

impl Connection {
    /// Whether its customer must reconnect.
    #[must_use]
    pub const fn is_flagged(&self) -> bool {
        matches!(self.status, ConnectionStatus::ReauthRequired(_))
    }

    /// The provider's own id of the external account, where it is known.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.identifier.as_ref().and_then(external_id)
    }

    /// The identifier as the wire contract shows it: `"NA"` when unknown.
    #[must_use]
    pub fn identifier_or_na(&self) -> Value {
        self.identifier.clone().unwrap_or_else(|| Value::from("NA"))
    }
}

/// Whether an identifier names another account than the connection's. Not knowing either is no difference.
#[must_use]
pub fn other_account(connection: &Connection, identifier: Option<&Value>) -> Option<OtherAccount> {
    let (before, now) = (connection.identifier.as_ref()?, identifier?);
    if external_id(before)? == external_id(now)? {
        return None;
    }
    let name = |identifier: &Value| {
        let name = identifier.get("name").and_then(Value::as_str);
        name.or_else(|| external_id(identifier)).unwrap_or_default().to_owned()
    };
    let (expected, found) = (name(before), name(now));
    if expected != found {
        return Some(OtherAccount { expected, found });
    }
    // Two of the same name: their ids tell them apart.
    let full = |identifier| format!("{expected} ({})", external_id(identifier).unwrap_or_default());
    Some(OtherAccount {
        expected: full(before),
        found: full(now),
    })
}

/// The id in an identifier: the text itself, or the `id` of an object.
#[must_use]
pub fn external_id(identifier: &Value) -> Option<&str> {
    identifier.get("id").unwrap_or(identifier).as_str()
}
