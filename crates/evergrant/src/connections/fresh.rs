//! A credential about to be stored, and what is known of its life.

use std::collections::BTreeMap;

use evergrant_oauth::TokenSet;
use serde_json::Value;

use super::credential::{Credential, Tokens};
use super::model::Schedule;
use crate::catalog::Lifetimes;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// A credential about to be stored.
#[derive(Debug)]
pub struct Fresh {
    /// The credential.
    pub credential: Credential,
    /// Its life; `due_at` is worked out when it is stored.
    pub schedule: Schedule,
}

impl Fresh {
    /// The tokens of a first consent.
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
            refresh_expires_at: set
                .refresh_expires_in
                .map_or(held.refresh_expires_at, |life| Some(now.after(life))),
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

fn lifetime(set: &TokenSet, lifetimes: &Lifetimes, now: Timestamp) -> Schedule {
    let life = set.expires_in.or(lifetimes.access_token);
    Schedule {
        issued_at: Some(now),
        expires_at: life.map(|life| now.after(life)),
        ..Schedule::default()
    }
}

/// Members of the newer reply win; what only the first one had (an instance's address, a team's id) is kept.
fn merged(before: &Secret, newer: &serde_json::Map<String, Value>) -> Secret {
    let mut all: serde_json::Map<String, Value> = serde_json::from_str(before.expose()).unwrap_or_default();
    for (name, value) in newer {
        all.insert(name.clone(), value.clone());
    }
    Secret::from(Value::from(all).to_string())
}
