//! The words of a judgement: verdict, reason, confidence.
//!
//! These names are stable API. The same spelling stands in code, in events, in the timeline, in the
//! command line's output and in the corpus of labelled observations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Gives an enum its one spelling on the wire, in the database and in print.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a stable spelling.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// What one observation means for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It works.
    Ok,
    /// Passing trouble, or merely an expired access token: refresh or retry, never flag.
    Transient,
    /// The credential is alive; a permission, plan or resource is lacking.
    OkButDenied,
    /// Our own request was malformed.
    ConfigError,
    /// Only the end customer can fix it.
    Reauth,
    /// Only the SaaS team can fix it: its OAuth client is broken or gone.
    AppBroken,
}

words!(Verdict {
    Ok = "ok",
    Transient = "transient",
    OkButDenied = "ok_but_denied",
    ConfigError = "config_error",
    Reauth = "reauth",
    AppBroken = "app_broken",
});

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The key or personal token is wrong, revoked or expired.
    ApiKeyInvalid,
    /// The grant was withdrawn, replaced, or is unknown to the provider.
    TokenRevoked,
    /// The grant died with a change of password.
    PasswordChanged,
    /// The authorising user is disabled, deleted or suspended.
    UserDisabled,
    /// The refresh token passed its absolute or idle limit.
    RefreshTokenExpired,
    /// Only the short-lived token ran out; final only where nothing can refresh it.
    AccessTokenExpired,
    /// The end customer removed the app from the account.
    AppUninstalled,
    /// The team's OAuth client is deleted, disabled or unknown.
    OauthAppDeleted,
    /// The team's client secret, or its way of client authentication, is refused.
    OauthClientSecretInvalid,
    /// An interactive step or an administrator's consent is demanded.
    MfaOrConsentRequired,
    /// Alive, without a scope or permission.
    ScopeMissing,
    /// Throttled.
    RateLimited,
    /// The provider is down or answers nonsense.
    ProviderOutage,
    /// No answer arrived.
    Network,
    /// Our request was at fault.
    BadRequest,
}

words!(Reason {
    ApiKeyInvalid = "api_key_invalid",
    TokenRevoked = "token_revoked",
    PasswordChanged = "password_changed",
    UserDisabled = "user_disabled",
    RefreshTokenExpired = "refresh_token_expired",
    AccessTokenExpired = "access_token_expired",
    AppUninstalled = "app_uninstalled",
    OauthAppDeleted = "oauth_app_deleted",
    OauthClientSecretInvalid = "oauth_client_secret_invalid",
    MfaOrConsentRequired = "mfa_or_consent_required",
    ScopeMissing = "scope_missing",
    RateLimited = "rate_limited",
    ProviderOutage = "provider_outage",
    Network = "network",
    BadRequest = "bad_request",
});

impl Reason {
    /// Whether a flagged connection may carry this reason.
    #[must_use]
    pub const fn may_flag(self) -> bool {
        matches!(
            self,
            Self::ApiKeyInvalid
                | Self::TokenRevoked
                | Self::PasswordChanged
                | Self::UserDisabled
                | Self::RefreshTokenExpired
                | Self::AccessTokenExpired
                | Self::AppUninstalled
                | Self::OauthAppDeleted
                | Self::MfaOrConsentRequired
        )
    }
}

/// How sure a verdict is of its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The provider, the team or the customer said so.
    Stated,
    /// Concluded from ages, lifetimes and circumstances.
    Inferred,
}

words!(Confidence {
    Stated = "stated",
    Inferred = "inferred",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_matches_its_serialised_form() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(*reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.as_str()), Some(*verdict));
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
    }
}
