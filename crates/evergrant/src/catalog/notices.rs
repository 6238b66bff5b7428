//! How a provider's notices are verified and read: its webhooks about uninstalling, deauthorising and revoking.
//!
//! What many providers do alike, a keyed hash over the raw body, is declared in the file. The rest is named there and
//! done in code ([`crate::notices`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FileError;
use crate::reason::Reason;

/// What an application's notices look like.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// Where the facts come from.
    pub source: String,
    /// Where to paste the address at the provider, for people.
    pub setup: String,
    /// How the sender proves itself.
    pub verified_by: Verification,
    /// What to answer when the provider tries the address.
    #[serde(default)]
    pub challenge: Option<Challenge>,
    /// What notices mean; every one that matches counts.
    pub event: Vec<NoticeRule>,
}

/// How the sender of a notice proves itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// A keyed hash (RFC 2104) over the raw body and what else the file says.
    Hmac(Hmac),
    /// HTTP Basic (RFC 7617) with the OAuth client's id and secret.
    ClientBasic,
    /// A signed security event token (RFC 8417), checked against its issuer's key set.
    SecurityEventToken(Issuer),
}

impl Verification {
    /// Whether the team gives a secret of its own for it, besides its OAuth client's.
    #[must_use]
    pub const fn takes_own_secret(&self) -> bool {
        matches!(
            self,
            Self::Hmac(Hmac {
                secret: SigningSecret::Own,
                ..
            })
        )
    }
}

/// Whose secret keys the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningSecret {
    /// A signing secret of its own, which the provider shows to the team.
    Own,
    /// The OAuth client's.
    Client,
}

/// A keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// Whose secret.
    pub secret: SigningSecret,
    /// Which hash.
    pub hash: Hash,
    /// The header that holds the signature, in lower case.
    pub header: String,
    /// What stands before the digest, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// The header is a list of `name=value` with commas between; signatures have this name (there may be several).
    #[serde(default)]
    pub pair: Option<String>,
    /// How the digest is written.
    pub encoding: Encoding,
    /// What is signed, over `{body}`, `{timestamp}`, `{method}` and `{url}`.
    #[serde(default = "body_alone")]
    pub content: String,
    /// When it was signed, where the signature covers that.
    #[serde(default)]
    pub timestamp: Option<SignedTime>,
}

/// The hash of a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-1, which is still sound in a keyed hash (RFC 6194, section 3.3).
    Sha1,
}

/// How a digest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// Where the time stands that the signature covers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTime {
    /// In a header of its own; else in the signature's header.
    #[serde(default)]
    pub header: Option<String>,
    /// The name of its pair, where that header is a list.
    #[serde(default)]
    pub pair: Option<String>,
    /// How it is written.
    pub unit: TimeUnit,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// RFC 3339.
    Iso,
}

/// Who signs security event tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What `iss` must be; more than one spelling may be in use.
    pub issuer: Vec<String>,
    /// Where its keys are (RFC 7517).
    pub jwks_url: String,
}

/// A provider's trial of the address, answered with JSON once its signature holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// JSON pointers and values by which it is known.
    pub pointer: BTreeMap<String, Value>,
    /// JSON pointer to the text that must come back.
    pub value: String,
    /// The member of the answer that repeats it.
    pub answer: String,
    /// The member of the answer with its keyed hash, in hexadecimal.
    #[serde(default)]
    pub signed: Option<String>,
}

/// One thing that notices say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRule {
    /// A stable dotted name that begins with the slug or the provider.
    pub name: String,
    /// Why the connection is dead.
    pub reason: Reason,
    /// Applied to every member of the list at this JSON pointer (empty: the body itself) instead of to the body.
    #[serde(default)]
    pub each: Option<String>,
    /// Headers, in lower case, and their values.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// JSON pointers and values.
    #[serde(default)]
    pub pointer: BTreeMap<String, Value>,
    /// JSON pointers at which something must stand.
    #[serde(default)]
    pub present: Vec<String>,
    /// JSON pointers to external account ids.
    #[serde(default)]
    pub account: Vec<String>,
    /// Taken off the end of an account id.
    #[serde(default)]
    pub account_suffix: String,
    /// JSON pointer to the subject of a security event token that names a refresh token instead of an account.
    #[serde(default)]
    pub token_subject: Option<String>,
    /// JSON pointer to the OAuth client's id, where the notice names one: it must be the team's.
    #[serde(default)]
    pub client: Option<String>,
    /// When it happened.
    #[serde(default)]
    pub at: Option<NoticeTime>,
    /// Notices that it must match.
    pub positive: Vec<NoticeExample>,
    /// Notices that look alike and that it must leave alone.
    pub near_miss: Vec<NoticeExample>,
}

/// Where a notice says when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTime {
    /// JSON pointer.
    #[serde(default)]
    pub pointer: Option<String>,
    /// A header, in lower case.
    #[serde(default)]
    pub header: Option<String>,
    /// How it is written.
    pub unit: TimeUnit,
}

/// A notice as it may arrive, for the tests of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeExample {
    /// Headers that matter.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: JSON.
    pub body: String,
    /// The external accounts that it names.
    #[serde(default)]
    pub accounts: Vec<String>,
}

fn body_alone() -> String {
    "{body}".to_owned()
}

const PLACES: [&str; 4] = ["{body}", "{timestamp}", "{method}", "{url}"];

impl Notices {
    /// What must hold beyond the form; `owners` are the names that rules may begin with.
    pub(super) fn check(&self, owners: &[&str]) -> Result<(), FileError> {
        if let Verification::Hmac(hmac) = &self.verified_by {
            hmac.check()?;
        }
        if self.event.is_empty() {
            return Err(FileError::at(
                "notices.event",
                "notices that say nothing need not be heard",
            ));
        }
        for rule in &self.event {
            rule.check(owners)?;
        }
        Ok(())
    }
}

impl Hmac {
    fn check(&self) -> Result<(), FileError> {
        let at = "notices.verified_by.hmac";
        if !self.content.contains("{body}") {
            return Err(FileError::at(
                at,
                "`content` must hold `{body}`: what is not signed proves nothing",
            ));
        }
        if self.content.contains("{timestamp}") != self.timestamp.is_some() {
            return Err(FileError::at(
                at,
                "`timestamp` and `{timestamp}` in `content` belong together",
            ));
        }
        let mut rest = self.content.clone();
        for place in PLACES {
            rest = rest.replace(place, "");
        }
        if rest.contains(['{', '}']) {
            return Err(FileError::at(
                at,
                "`content` knows {body}, {timestamp}, {method} and {url}",
            ));
        }
        let names = [
            Some(&self.header),
            self.timestamp.as_ref().and_then(|time| time.header.as_ref()),
        ];
        if names
            .into_iter()
            .flatten()
            .any(|name| *name != name.to_ascii_lowercase())
        {
            return Err(FileError::at(at, "names of headers are written in lower case"));
        }
        Ok(())
    }
}

impl NoticeRule {
    fn check(&self, owners: &[&str]) -> Result<(), FileError> {
        let at = format!("notices.event.{}", self.name);
        let wrong = |what: &str| Err(FileError::at(&at, what));
        if !self.name.split('.').next().is_some_and(|owner| owners.contains(&owner)) {
            return wrong("its name must begin with the slug or the provider");
        }
        if !self.reason.may_flag() {
            return wrong("this reason never flags");
        }
        if self.header.is_empty() && self.pointer.is_empty() && self.present.is_empty() {
            return wrong("without a condition every notice would match");
        }
        if self.account.is_empty() == self.token_subject.is_none() {
            return wrong("either `account` or `token_subject` says whom it is about");
        }
        if self.positive.is_empty() || self.near_miss.is_empty() {
            return wrong("examples are wanted: positive and near_miss");
        }
        let pointers = self.pointer.keys().chain(&self.present).chain(&self.account);
        let more = [&self.each, &self.token_subject, &self.client];
        if pointers
            .chain(more.into_iter().flatten())
            .any(|text| !text.is_empty() && !text.starts_with('/'))
        {
            return wrong("a JSON pointer begins with a slash");
        }
        Ok(())
    }
}
