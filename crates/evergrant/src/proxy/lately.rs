//! What was done for a connection lately, so that a busy one does not cause it with every call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::connections::Connection;
use crate::ids::ConnectionId;

/// How many connections are remembered; past that all are forgotten, and it is done once more.
const MOST: usize = 100_000;

/// Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Lately(Arc<Mutex<HashMap<ConnectionId, (i64, Timestamp)>>>);

impl Lately {
    /// Whether it was not done for this credential within `rest`; from now on it was. At most one caller is told so.
    pub(super) fn is_first(&self, c: &Connection, (now, rest): (Timestamp, Duration)) -> bool {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = done
            .get(&c.id)
            .is_some_and(|(version, at)| *version == c.version && at.after(rest) > now && *at <= now);
        if lately {
            return false;
        }
        if done.len() >= MOST {
            done.clear();
        }
        done.insert(c.id.clone(), (c.version, now));
        true
    }
}
