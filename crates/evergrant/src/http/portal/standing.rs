//! How a customer stands with an application, in words that a customer understands.

use super::page::Frame;
use crate::catalog::{Application, AuthType};
use crate::clock::Timestamp;
use crate::connections::{Connection, expires_soon};
use crate::reason::Reason;

/// Whether an application is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never, or no longer.
    New,
    /// And works.
    Connected,
    /// It works, and is known to end soon.
    Expiring {
        /// When.
        ends: Timestamp,
    },
    /// Only the customer can bring it back.
    Expired {
        /// Why.
        reason: Reason,
        /// Since when.
        since: Timestamp,
    },
}

impl Standing {
    pub(super) const fn class(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Connected => "connected",
            Self::Expiring { .. } => "expiring",
            Self::Expired { .. } => "expired",
        }
    }

    pub(super) const fn chip(&self) -> Option<&'static str> {
        match self {
            Self::New => None,
            Self::Connected => Some("state.connected"),
            Self::Expiring { .. } => Some("state.expiring"),
            Self::Expired { .. } => Some("state.expired"),
        }
    }

    pub(super) const fn verb(&self) -> &'static str {
        match self {
            Self::New => "action.connect",
            Self::Connected | Self::Expiring { .. } | Self::Expired { .. } => "action.reconnect",
        }
    }

    pub(super) const fn is_connected(&self) -> bool {
        !matches!(self, Self::New)
    }

    /// Connecting again what works is possible, and not what the page suggests.
    pub(super) const fn is_well(&self) -> bool {
        matches!(self, Self::Connected)
    }

    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Expired { .. } => 0,
            Self::Expiring { .. } => 1,
            Self::Connected => 2,
            Self::New => 3,
        }
    }

    /// What is the matter, and since when.
    pub(super) fn story(&self, frame: &Frame, name: &str) -> Option<String> {
        match self {
            Self::New | Self::Connected => None,
            Self::Expiring { ends } => Some(frame.dated("detail.ends", *ends)),
            Self::Expired { reason, since } => {
                let (why, since) = (
                    frame.app(plain_reason(*reason), name),
                    frame.dated("detail.since", *since),
                );
                // Japanese needs no space between sentences.
                let gap = if why.ends_with('。') { "" } else { " " };
                Some(format!("{why}{gap}{since}"))
            }
        }
    }
}

/// A reason as an end customer understands it: the key of a sentence.
#[must_use]
pub const fn plain_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ApiKeyInvalid => "reason.api_key_invalid",
        Reason::TokenRevoked => "reason.token_revoked",
        Reason::PasswordChanged => "reason.password_changed",
        Reason::UserDisabled => "reason.user_disabled",
        Reason::RefreshTokenExpired | Reason::AccessTokenExpired => "reason.token_expired",
        Reason::AppUninstalled => "reason.app_uninstalled",
        Reason::OauthAppDeleted => "reason.app_deleted",
        Reason::MfaOrConsentRequired => "reason.consent_required",
        Reason::OauthClientSecretInvalid
        | Reason::ScopeMissing
        | Reason::RateLimited
        | Reason::ProviderOutage
        | Reason::Network
        | Reason::BadRequest => "reason.other",
    }
}

/// How an account stands with an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it is connected.
    pub standing: Standing,
    /// The name of the account at the provider, where it is known.
    pub account: Option<String>,
    /// When the customer last connected.
    pub connected_at: Option<Timestamp>,
    /// How the connection that this is about authenticates.
    pub auth_type: Option<AuthType>,
}

impl Status {
    /// Of an application, by the account's connections: the one that needs its customer most.
    #[must_use]
    pub fn of(application: &Application, live: &[Connection]) -> Self {
        let mine = live.iter().filter(|one| one.slug == application.slug);
        let worst = mine
            .map(|one| (standing(one), one))
            .min_by_key(|(standing, _)| standing.rank());
        worst.map_or(
            Self {
                standing: Standing::New,
                account: None,
                connected_at: None,
                auth_type: None,
            },
            |(standing, one)| Self {
                standing,
                account: account_name(one),
                connected_at: Some(one.connected_at),
                auth_type: Some(one.auth_type),
            },
        )
    }
}

/// What the customer reads is what the team has been told: there is one meaning of "soon".
fn standing(connection: &Connection) -> Standing {
    if let Some(flag) = connection.status.flag() {
        return Standing::Expired {
            reason: flag.reason,
            since: flag.since,
        };
    }
    match connection.schedule.expected.end {
        Some(ends) if expires_soon(connection) => Standing::Expiring { ends },
        _ => Standing::Connected,
    }
}

fn account_name(connection: &Connection) -> Option<String> {
    let identifier = connection.identifier.as_ref()?;
    let text = identifier
        .as_str()
        .or_else(|| identifier["name"].as_str())
        .or_else(|| identifier["id"].as_str());
    text.filter(|text| !text.is_empty()).map(shown)
}

/// A name that comes from a provider, as far as a page has room for it.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}
