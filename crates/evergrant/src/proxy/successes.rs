//! When a credential last worked, as far as calls show it, and what was said when it did not.
//!
//! Most calls succeed, so not each is written down: the first with a new token, and then one in ten minutes. Failures that change
//! nothing are kept as seldom.

use std::time::Duration;

use super::lately::Lately;
use super::store;
use crate::app::App;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{self, Connection, Guard, Observed, Writer};
use crate::error::Error;
use crate::tenants::Tenant;
use crate::verdict::Judgement;

/// How fresh what is written down is kept.
const FRESH: Duration = Duration::from_mins(10);
/// How long a credential that was doubted is not doubted again.
const SURE: Duration = Duration::from_mins(1);

/// What was noted lately, so that it is not tried again by every call of a busy connection. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Successes {
    /// Successes that were written down.
    written: Lately,
    /// Failures that were kept.
    failed: Lately,
    /// Credentials that were asked about because a refusal proved nothing.
    doubted: Lately,
}

impl Successes {
    /// Whether a refusal that proves nothing is looked into: at most one caller is told so, once a minute, and none within a minute
    /// of the credential's being accepted, whoever saw that.
    pub(super) fn may_doubt(&self, c: &Connection, now: Timestamp) -> bool {
        let proved = |at: Timestamp| at.after(SURE) > now && c.schedule.issued_at.is_none_or(|issued| at > issued);
        !c.last_ok_at.is_some_and(proved) && self.doubted.is_first(c, (now, SURE))
    }

    /// Keeps a failure that speaks of the credential and changes nothing, one in ten minutes.
    pub(super) async fn keep(
        &self,
        app: &App,
        tenant: &Tenant,
        (c, seen): (&Connection, &Judgement),
    ) -> Result<(), Error> {
        if seen.reason.is_none() || !self.failed.is_first(c, (app.now(), FRESH)) {
            return Ok(());
        }
        connections::remember(app, tenant, c, seen).await
    }

    /// Whether a success with this credential is to be written down; at most one caller is told so.
    pub(super) fn is_due(&self, c: &Connection, now: Timestamp) -> bool {
        let stale = |at: Timestamp| at.after(FRESH) <= now;
        let known = c
            .last_ok_at
            .is_some_and(|at| !stale(at) && c.schedule.issued_at.is_none_or(|issued| at > issued));
        if known {
            return false;
        }
        self.written.is_first(c, (now, FRESH))
    }

    /// Writes down that a call was accepted. A key under trouble is well again: nothing else could show it sooner.
    pub(super) async fn note(
        app: &App,
        tenant: &Tenant,
        (c, judgement): (&Connection, Judgement),
    ) -> Result<(), Error> {
        if c.auth_type == AuthType::Keybased && c.trouble.is_some() {
            let seen = Observed {
                guard: Guard {
                    version: c.version,
                    writer: Writer::Beside,
                },
                judgement,
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            return connections::record(app, tenant, &c.id, &seen).await.map(drop);
        }
        let mut tx = app.db.begin().await?;
        store::worked(&mut tx, &tenant.id, (&c.id, c.version), app.now()).await?;
        tx.commit().await
    }
}
