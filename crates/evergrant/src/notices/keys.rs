//! An issuer's key set (RFC 7517), kept for an hour.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::model::Refused;
use crate::app::App;
use crate::egress::{Method, Request};

const KEPT: Duration = Duration::from_hours(1);
/// An unknown key makes us look again, but not for every forged token.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// The key set at `url`, which should hold `key_id`.
pub(super) async fn key_set(app: &App, url: &str, key_id: &str) -> Result<Arc<Value>, Refused> {
    let now = app.now();
    let kept = app.key_sets.read().ok().and_then(|sets| sets.get(url).cloned());
    if let Some((at, keys)) = &kept {
        let enough = if holds(keys, key_id) { KEPT } else { LOOK_AGAIN };
        if now.since(*at) < enough {
            return Ok(keys.clone());
        }
    }
    match fetch(app, url).await {
        Some(keys) => {
            let keys = Arc::new(keys);
            if let Ok(mut sets) = app.key_sets.write() {
                sets.insert(url.to_owned(), (now, keys.clone()));
            }
            Ok(keys)
        }
        // Old keys are better than none while the issuer is down.
        None => kept.map(|(_, keys)| keys).ok_or(Refused::NoKeys),
    }
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
