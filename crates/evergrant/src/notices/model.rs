//! What an address is, and a notice as it arrived.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::ids::TenantId;
use crate::reason::Reason;
use crate::vault::{Place, Sealed};

/// How far the time of a signature may be from ours: the five minutes that Slack, HubSpot, Stripe and Zoom recommend.
pub const WINDOW: Duration = Duration::from_mins(5);
/// How long a notice is remembered whose signature covers no time.
pub(super) const REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// Where one application's notices for one environment arrive.
#[derive(Clone, Debug)]
pub struct Address {
    /// The last segment of its path: opaque, unguessable, not a secret.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// The application.
    pub slug: String,
    /// The signing secret that the provider shows to the team, where there is one.
    pub sealed_secret: Option<Sealed>,
    /// The one before, which is still accepted for a day: signatures under way were made with it.
    pub sealed_previous: Option<Sealed>,
    /// Until when the one before is accepted.
    pub previous_until: Option<Timestamp>,
    /// When a verified notice last arrived.
    pub heard_at: Option<Timestamp>,
    /// When one was last refused, and why: for the team, never for the sender.
    pub refused: Option<(Timestamp, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the team last changed it.
    pub updated_at: Timestamp,
}

impl Address {
    /// Where the signing secret is sealed for.
    pub(super) fn place(id: &str) -> Place<'_> {
        Place {
            table: "notice_addresses",
            id,
            column: "sealed_secret",
        }
    }

    /// Its path on this server.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/notices/{}", self.id)
    }
}

/// A notice as it arrived, nothing of it believed.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The whole address under which the provider knows us.
    pub url: &'a str,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    /// The raw body.
    pub body: &'a [u8],
}

impl Heard<'_> {
    /// The first header of a name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A notice whose sender has proved itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proved {
    /// What it says: the body, or the claims of a token.
    pub(super) body: Value,
    /// What is remembered of it, so that it counts once.
    pub(super) digest: String,
    /// When it was signed, where the signature covers that.
    pub(super) signed_at: Option<Timestamp>,
    /// How long the signature holds from then on.
    pub(super) window: Duration,
    /// The OAuth clients it is meant for, where it names them.
    pub(super) clients: Option<Vec<String>>,
}

/// Why a notice is refused. The sender learns nothing of it; the team does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("no signing secret is set")]
    NoSecret,
    #[error("the signature is missing")]
    Unsigned,
    #[error("the signature is wrong: is the signing secret the one that the provider shows?")]
    Forged,
    #[error("the signature is too old, or from the future")]
    Stale,
    #[error("the body is not what this provider sends")]
    Unreadable,
    #[error("the token is meant for another OAuth client")]
    NotForUs,
    #[error("the issuer's keys cannot be had at present")]
    NoKeys,
}

/// One thing that a notice says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// Which rule read it.
    pub(super) rule: String,
    /// Why the connection is dead.
    pub(super) reason: Reason,
    /// The external accounts that it names.
    pub(super) accounts: Vec<String>,
    /// The refresh token that it names instead.
    pub(super) token: Option<TokenNamed>,
    /// When it happened, as far as it says so.
    pub(super) at: Option<Timestamp>,
}

/// A refresh token, named without being shown (the RISC profile of security event tokens, subject type `oauth_token`).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenNamed {
    /// Its first sixteen characters.
    Prefix(String),
    /// SHA-512 twice, in base64.
    Sha512Twice(String),
}
