//! An issuer's key set (RFC 7517), kept for an hour.
//!
//! Anybody can make us look for a key, with a token that nobody has signed. So an issuer is asked once a minute at most, whether
//! it answers or not, and by one at a time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::model::Refused;
use crate::app::{App, KeySet};
use crate::clock::Timestamp;
use crate::egress::{Method, Request};

const KEPT: Duration = Duration::from_hours(1);
/// An unknown key, or a failure, makes us look again, but not for every forged token.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The key set at `url`, which should hold `key_id`.
pub(super) async fn key_set(app: &App, url: &str, key_id: &str) -> Result<Arc<Value>, Refused> {
    loop {
        let known = known(app, url);
        if let Some(set) = known.as_ref().filter(|set| suffices(set, key_id, app.now())) {
            return keys_of(set);
        }
        let flight = match app.flights.begin(url) {
            Ok(flight) => flight,
            Err(under_way) => {
                under_way.landed().await;
                continue;
            }
        };
        // Whoever landed just before has read it.
        if self::known(app, url).map(|set| set.asked_at) != known.as_ref().map(|set| set.asked_at) {
            continue;
        }
        let now = app.now();
        let read = fetch(app, url).await.map(|keys| (now, Arc::new(keys)));
        let set = KeySet {
            asked_at: now,
            // Old keys are better than none while the issuer is down.
            read: read.or(known.and_then(|set| set.read)),
        };
        let mut sets = app.key_sets.write().unwrap_or_else(PoisonError::into_inner);
        sets.insert(url.to_owned(), set.clone());
        drop(sets);
        drop(flight);
        return keys_of(&set);
    }
}

fn known(app: &App, url: &str) -> Option<KeySet> {
    let sets = app.key_sets.read().unwrap_or_else(PoisonError::into_inner);
    sets.get(url).cloned()
}

fn suffices(set: &KeySet, key_id: &str, now: Timestamp) -> bool {
    let fresh = |(at, keys): &(Timestamp, Arc<Value>)| now.since(*at) < KEPT && holds(keys, key_id);
    now.since(set.asked_at) < LOOK_AGAIN || set.read.as_ref().is_some_and(fresh)
}

fn keys_of(set: &KeySet) -> Result<Arc<Value>, Refused> {
    set.read.as_ref().map(|(_, keys)| keys.clone()).ok_or(Refused::NoKeys)
}

fn holds(keys: &Value, key_id: &str) -> bool {
    let mut all = keys.get("keys").and_then(Value::as_array).into_iter().flatten();
    all.any(|key| key.get("kid").and_then(Value::as_str) == Some(key_id))
}

async fn fetch(app: &App, url: &str) -> Option<Value> {
    let reply = app
        .egress
        .send(Request::new(Method::GET, url.parse().ok()?))
        .await
        .ok()?;
    reply
        .json()
        .filter(|keys| reply.status == 200 && keys.get("keys").is_some_and(Value::is_array))
}
