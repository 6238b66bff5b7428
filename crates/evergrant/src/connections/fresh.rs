//! A credential about to be stored, and what is known of its life.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evergrant_oauth::TokenSet;
use serde_json::Value;

use super::credential::{Credential, Tokens};
use super::model::{EndBasis, Expected, Schedule};
use crate::catalog::Lifetimes;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// Ends that differ by no more are the same end, told with another clock or another delay.
pub(super) const WOBBLE: Duration = Duration::from_mins(5);

/// A credential about to be stored.
#[derive(Debug)]
pub struct Fresh {
    /// The credential.
    pub credential: Credential,
    /// Its life; `due_at` is worked out when it is stored.
    pub schedule: Schedule,
}

impl Fresh {
    /// The tokens of a first consent. `now` is when they were asked for: no token is older than that.
    #[must_use]
    pub fn granted(
        set: TokenSet,
        client_id: String,
        inputs: BTreeMap<String, String>,
        (lifetimes, now): (&Lifetimes, Timestamp),
    ) -> Self {
        let schedule = Schedule {
            has_refresh_token: set.refresh_token.is_some(),
            refresh_issued_at: set.refresh_token.is_some().then_some(now),
            refresh_expires_at: set.refresh_expires_in.map(|life| now.after(life)),
            ..lifetime(&set, lifetimes, now)
        };
        let tokens = Tokens {
            extras: Secret::from(Value::from(set.extras.as_map().clone()).to_string()),
            access_token: set.access_token,
            refresh_token: set.refresh_token,
            scope: set.scope,
            client_id,
            inputs,
        };
        Self {
            credential: Credential::OAuth2(tokens),
            schedule,
        }
    }

    /// The tokens of a refresh: what the reply leaves out stays as it was (RFC 6749, 6: no new refresh token means that
    /// the old one goes on living).
    #[must_use]
    pub fn renewed(set: TokenSet, before: Tokens, held: &Schedule, (lifetimes, now): (&Lifetimes, Timestamp)) -> Self {
        let rotated = set
            .refresh_token
            .as_ref()
            .is_some_and(|new| before.refresh_token.as_ref() != Some(new));
        let schedule = Schedule {
            has_refresh_token: set.refresh_token.is_some() || before.refresh_token.is_some(),
            refresh_issued_at: if rotated { Some(now) } else { held.refresh_issued_at },
            refresh_expires_at: steady(
                held.refresh_expires_at,
                set.refresh_expires_in.map(|life| now.after(life)),
            ),
            ..lifetime(&set, lifetimes, now)
        };
        let tokens = Tokens {
            extras: merged(&before.extras, set.extras.as_map()),
            access_token: set.access_token,
            refresh_token: set.refresh_token.or(before.refresh_token),
            scope: set.scope.or(before.scope),
            client_id: before.client_id,
            inputs: before.inputs,
        };
        Self {
            credential: Credential::OAuth2(tokens),
            schedule,
        }
    }

    /// Typed-in values.
    #[must_use]
    pub fn keys(values: BTreeMap<String, Secret>, now: Timestamp) -> Self {
        Self {
            credential: Credential::Keys(values),
            schedule: Schedule {
                issued_at: Some(now),
                ..Schedule::default()
            },
        }
    }
}

/// What a reply, or else the catalogue, says of the access token's life. Lives are counted from when the token was asked for,
/// never from the provider's clock, which may be minutes off ours.
fn lifetime(set: &TokenSet, lifetimes: &Lifetimes, now: Timestamp) -> Schedule {
    let stated = set
        .expires_in
        .or_else(|| life_of_jwt(set.access_token.expose()).filter(|_| lifetimes.jwt));
    let expires_at = stated.or(lifetimes.access_token).map(|life| now.after(life));
    let basis = match (stated, expires_at) {
        (Some(_), _) => EndBasis::Stated,
        (None, Some(_)) => EndBasis::KnownLifetime,
        (None, None) => EndBasis::Unknown,
    };
    Schedule {
        issued_at: Some(now),
        expires_at,
        expected: Expected {
            end: expires_at,
            basis,
            moves: false,
        },
        ..Schedule::default()
    }
}

/// The newer of two stated ends, unless they are the same one.
fn steady(before: Option<Timestamp>, newer: Option<Timestamp>) -> Option<Timestamp> {
    match (before, newer) {
        (Some(before), Some(newer)) if newer.since(before) <= WOBBLE && before.since(newer) <= WOBBLE => Some(before),
        _ => newer.or(before),
    }
}

/// From `iat` to `exp` (RFC 7519, 4.1): both are the provider's own times. The signature is not our business: nothing but the
/// time of the next refresh hangs on it.
fn life_of_jwt(token: &str) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let seconds = |name: &str| claims[name].as_f64().filter(|at| at.is_finite());
    Duration::try_from_secs_f64(seconds("exp")? - seconds("iat")?).ok()
}

/// Members of the newer reply win; what only the first one had (an instance's address, a team's id) is kept.
fn merged(before: &Secret, newer: &serde_json::Map<String, Value>) -> Secret {
    let mut all: serde_json::Map<String, Value> = serde_json::from_str(before.expose()).unwrap_or_default();
    for (name, value) in newer {
        all.insert(name.clone(), value.clone());
    }
    Secret::from(Value::from(all).to_string())
}
