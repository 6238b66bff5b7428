//! When a credential last worked, as far as calls show it.
//!
//! Most calls succeed, so not each is written down: the first with a new token, and then one in ten minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::store;
use crate::app::App;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{self, Connection, Guard, Observed};
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::tenants::Tenant;
use crate::verdict::Judgement;

/// How fresh what is written down is kept.
const FRESH: Duration = Duration::from_mins(10);
/// How many connections are remembered; past that all are forgotten, and written down once more.
const MOST: usize = 100_000;

/// What was written down lately, so that it is not tried again by every call of a busy connection. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Successes(Arc<Mutex<HashMap<ConnectionId, (i64, Timestamp)>>>);

impl Successes {
    /// Whether a success with this credential is to be written down; at most one caller is told so.
    fn is_due(&self, c: &Connection, now: Timestamp) -> bool {
        let stale = |at: Timestamp| at.after(FRESH) <= now;
        let known = c
            .last_ok_at
            .is_some_and(|at| !stale(at) && c.schedule.issued_at.is_none_or(|issued| at > issued));
        if known {
            return false;
        }
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = written
            .get(&c.id)
            .is_some_and(|(version, at)| *version == c.version && !stale(*at) && *at <= now);
        if lately {
            return false;
        }
        if written.len() >= MOST {
            written.clear();
        }
        written.insert(c.id.clone(), (c.version, now));
        true
    }

    /// Notes that a call was accepted. A key under trouble is well again: nothing else could show it sooner.
    pub(super) async fn note(
        &self,
        app: &App,
        tenant: &Tenant,
        (c, judgement): (&Connection, Judgement),
    ) -> Result<(), Error> {
        let now = app.now();
        if !self.is_due(c, now) {
            return Ok(());
        }
        if c.auth_type == AuthType::Keybased && c.trouble.is_some() {
            let seen = Observed {
                guard: Guard {
                    version: c.version,
                    fence: None,
                },
                judgement,
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            return connections::record(app, tenant, &c.id, &seen).await.map(drop);
        }
        let mut tx = app.db.begin().await?;
        store::worked(&mut tx, &tenant.id, (&c.id, c.version), now).await?;
        tx.commit().await
    }
}
