//! The transactions that change a connection: status, credential, timeline and event commit together or not at all.

use std::time::Duration;

use serde_json::Value;

use super::broken;
use super::credential;
use super::fresh::Fresh;
use super::model::{Connection, ConnectionStatus, KEPT_UNCHANGED, OBSERVED, Schedule, other_account};
use super::predict;
use super::schedule::{next_due, retry_wait};
use super::store::{self, Guard, TimelineEntry};
use super::transition::{Change, transition};
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::{ConnectionId, random_fraction};
use crate::reason::{Confidence, Reason, Verdict};
use crate::steps::Step;
use crate::tenants::{self, Tenant};
use crate::verdict::{Evidence, Judgement};
use crate::webhooks::{self, EventKind};

/// One observation, ready to be recorded.
#[derive(Debug)]
pub struct Observed {
    /// What must still be true for it to count.
    pub guard: Guard,
    /// What it means.
    pub judgement: Judgement,
    /// The tokens that came with it.
    pub fresh: Option<Fresh>,
    /// What the provider asked for.
    pub retry_after: Option<Duration>,
    /// Whether the reply was lost after the request may have been received.
    pub reply_lost: bool,
}

/// What became of an observation.
#[derive(Debug)]
pub enum Recorded {
    /// It is in the database; this is what it changed, and the connection as it is now.
    Changed(Change, Box<Connection>),
    /// A newer credential has been stored meanwhile, or the connection is gone: the observation is about the past and
    /// changed nothing but the end of its own lease.
    Superseded,
}

/// Records an observation in one transaction.
pub async fn record(app: &App, tenant: &Tenant, id: &ConnectionId, seen: &Observed) -> Result<Recorded, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let Some(mut connection) = store::hold(&mut tx, &tenant.id, id, (seen.guard, now)).await? else {
        // Whoever has stored something newer has left us our lease.
        if let Some(fence) = seen.guard.writer.lease() {
            store::end_lease(&mut tx, &tenant.id, id, fence).await?;
        }
        tx.commit().await?;
        return Ok(Recorded::Superseded);
    };
    let application = application_of(app, &connection)?;
    let change = transition(&connection, &seen.judgement, now);
    apply(&mut connection, &change);
    if let Some(fresh) = &seen.fresh {
        connection.sealed = Some(credential::seal(&sealer, id, &fresh.credential));
        let before = std::mem::replace(&mut connection.schedule, fresh.schedule.clone());
        // As the row has it: the team may have been told since the lease was taken.
        connection.schedule.told_end = before.told_end;
        connection.schedule.expected = predict::expected(&connection, &application.lifetimes, Some(&before));
        // Who has overtaken us must not settle with the token that we have just replaced.
        connection.version += 1;
    }
    if seen.judgement.verdict == Verdict::Ok {
        connection.failures = 0;
        // A refresh proves the grant, not yet the access token that came out of it.
        connection.last_ok_at = if seen.fresh.is_some() {
            connection.schedule.issued_at
        } else {
            Some(now)
        };
        // That a call is accepted says nothing of the refresh token.
        if seen.fresh.is_some() {
            connection.reply_lost_at = None;
        }
    }
    if seen.reply_lost {
        connection.reply_lost_at = Some(now);
    }
    reschedule(app, &mut connection, &application, seen.retry_after);
    if seen.guard.writer.lease() == Some(connection.fence) {
        store::save(&mut tx, &connection).await?;
    } else {
        store::save_beside(&mut tx, &connection).await?;
    }
    // A refresh that went as it should is told by the times in the row: most of them are like that.
    if change != Change::Nothing || seen.fresh.is_none() {
        write_change(&mut tx, tenant, &connection, (&change, &seen.judgement, now)).await?;
    }
    let aftermath = broken::note(&mut tx, tenant, &connection, (seen, now)).await?;
    app.steps.at(Step::RecordBeforeCommit).await;
    tx.commit().await?;
    broken::follow(app, tenant, &connection.slug, aftermath).await;
    Ok(Recorded::Changed(change, Box::new(connection)))
}

/// The application of a connection, which an operator may have taken out of the custom folder since.
pub(super) fn application_of(app: &App, connection: &Connection) -> Result<std::sync::Arc<Application>, Error> {
    app.catalog
        .get(&connection.slug)
        .cloned()
        .ok_or(Error::NotFound("Application"))
}

pub(super) fn apply(connection: &mut Connection, change: &Change) {
    match change {
        Change::Nothing => {}
        Change::Troubled(trouble) => {
            connection.trouble = Some(trouble.clone());
            connection.failures = connection.failures.saturating_add(1);
            connection.schedule.retry_wait = Some(retry_wait(connection.schedule.retry_wait, random_fraction()));
        }
        Change::Recovered => connection.trouble = None,
        Change::Flagged(flag) => {
            connection.status = ConnectionStatus::ReauthRequired(flag.clone());
            connection.trouble = None;
        }
        Change::Healed => {
            connection.status = ConnectionStatus::Active;
            connection.trouble = None;
        }
    }
}

/// Works out what is due when, of a connection that is as it will be.
pub(super) fn reschedule(
    app: &App,
    connection: &mut Connection,
    application: &Application,
    retry_after: Option<Duration>,
) {
    let now = app.now();
    if connection.trouble.is_none() {
        connection.schedule.retry_wait = None;
    }
    let due = next_due(connection, application, (now, app.probe_every));
    connection.schedule.due_at = due.map(|due| due.max(now.after(retry_after.unwrap_or_default())));
    connection.schedule.tell_at = predict::tell_at(connection, app.foretell);
    connection.updated_at = now;
}

/// Tells the timeline, and the team, what an observation has changed; one that changed nothing is kept for a while.
pub(super) async fn write_change(
    tx: &mut Tx,
    tenant: &Tenant,
    connection: &Connection,
    (change, judgement, now): (&Change, &Judgement, Timestamp),
) -> Result<(), Error> {
    let kind = match change {
        Change::Nothing => OBSERVED,
        Change::Troubled(_) if connection.failures > 1 => OBSERVED,
        Change::Troubled(_) => "trouble",
        Change::Recovered => "recovered",
        Change::Flagged(_) => "flagged",
        Change::Healed => "healed",
    };
    let entry = TimelineEntry {
        at: now,
        kind: kind.to_owned(),
        verdict: Some(judgement.verdict),
        reason: judgement.reason,
        confidence: Some(judgement.confidence),
        evidence: Some(judgement.evidence.clone()),
    };
    store::append_timeline(tx, &tenant.id, &connection.id, &entry).await?;
    if kind == OBSERVED {
        store::forget_observed(tx, &tenant.id, &connection.id, KEPT_UNCHANGED).await?;
    }
    match change {
        Change::Flagged(flag) => {
            tracing::info!(connection = %connection.id, slug = connection.slug, reason = %flag.reason, rule = flag.evidence.rule, "flagged");
            tell(tx, tenant, connection, (EventKind::ConnectionExpired, now)).await
        }
        Change::Healed => tell(tx, tenant, connection, (EventKind::ConnectionRestored, now)).await,
        Change::Nothing | Change::Troubled(_) | Change::Recovered => Ok(()),
    }
}

/// Puts an event about a connection into the outbox, in the transaction that makes it true.
pub async fn tell(
    tx: &mut Tx,
    tenant: &Tenant,
    connection: &Connection,
    (kind, now): (EventKind, Timestamp),
) -> Result<(), Error> {
    let account = accounts::store::get(tx, &tenant.id, &connection.account).await?;
    let Some(account) = account else { return Ok(()) };
    let event = webhooks::Event {
        kind,
        about: webhooks::About::Connection {
            id: connection.id.clone(),
            linked_account_id: account.account_id,
            linked_account_name: account.name,
        },
        at: now,
        slug: connection.slug.clone(),
    };
    webhooks::outbox::append(tx, tenant, &event).await.map(drop)
}

/// A credential that the customer has just given, verified.
#[derive(Debug)]
pub struct Given<'a> {
    /// The customer.
    pub account: &'a LinkedAccount,
    /// The application.
    pub application: &'a Application,
    /// How it authenticates.
    pub auth_type: AuthType,
    /// The credential.
    pub fresh: Fresh,
    /// The external account, where it is known.
    pub identifier: Option<Value>,
    /// Whether a call with this very credential has been accepted.
    pub proved: bool,
    /// Whether it may be another account's than the connection's.
    pub switch: Switch,
}

/// Whether a connection may pass to another account at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It may not.
    Refused,
    /// Somebody who may has said so.
    Allowed,
}

/// Stores a credential that the customer has just given: a first connection, or the repair in place of an existing one.
/// Says whether it is new. Another account's credential is [`Error::OtherAccount`] unless `given` allows it: this is the
/// check that counts, since the row is held.
pub async fn activate(app: &App, tx: &mut Tx, tenant: &Tenant, given: Given<'_>) -> Result<(Connection, bool), Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    accounts::hold(tx, tenant, given.account).await?;
    let (mut connection, new) = take_or_insert(tx, tenant, &given, now).await?;
    if given.switch == Switch::Refused
        && let Some(other) = other_account(&connection, given.identifier.as_ref())
    {
        return Err(Error::OtherAccount(Box::new(other)));
    }
    connection.sealed = Some(credential::seal(&sealer, &connection.id, &given.fresh.credential));
    connection.schedule = given.fresh.schedule;
    let was_flagged = connection.is_flagged();
    connection.status = ConnectionStatus::Active;
    connection.trouble = None;
    connection.failures = 0;
    connection.identifier = given.identifier.or(connection.identifier);
    // The late end of a refresh that was under way names the old version and fence: it will change nothing.
    connection.version += 1;
    connection.fence += 1;
    let issued = connection.schedule.issued_at.unwrap_or(now);
    connection.last_ok_at = Some(if given.proved {
        now.max(issued.after(Duration::from_millis(1)))
    } else {
        issued
    });
    connection.reply_lost_at = None;
    connection.connected_at = now;
    connection.schedule.expected = predict::expected(&connection, &given.application.lifetimes, None);
    reschedule(app, &mut connection, given.application, None);
    store::save(tx, &connection).await?;
    let kind = if new { "connected" } else { "reconnected" };
    store::append_timeline(tx, &tenant.id, &connection.id, &plain_entry(kind, now)).await?;
    if new {
        tell(tx, tenant, &connection, (EventKind::ConnectionCreated, now)).await?;
    } else if was_flagged {
        tell(tx, tenant, &connection, (EventKind::ConnectionRestored, now)).await?;
    }
    Ok((connection, new))
}

async fn take_or_insert(
    tx: &mut Tx,
    tenant: &Tenant,
    given: &Given<'_>,
    now: Timestamp,
) -> Result<(Connection, bool), Error> {
    let key = (given.application.slug.as_str(), given.auth_type, now);
    if let Some(found) = store::hold_live(tx, &tenant.id, &given.account.id, key).await? {
        return Ok((found, false));
    }
    let new = Connection {
        id: ConnectionId::new(now),
        tenant: tenant.id.clone(),
        account: given.account.id.clone(),
        slug: given.application.slug.clone(),
        auth_type: given.auth_type,
        status: ConnectionStatus::Active,
        trouble: None,
        failures: 0,
        identifier: None,
        version: 0,
        fence: 0,
        sealed: None,
        schedule: Schedule::default(),
        last_ok_at: None,
        reply_lost_at: None,
        connected_at: now,
        created_at: now,
        updated_at: now,
    };
    if store::insert(tx, &new).await? {
        return Ok((new, true));
    }
    let found = store::hold_live(tx, &tenant.id, &given.account.id, key).await?;
    found.map(|found| (found, false)).ok_or(Error::Busy)
}

/// An entry that no observation led to.
pub(super) fn plain_entry(kind: &str, now: Timestamp) -> TimelineEntry {
    TimelineEntry {
        at: now,
        kind: kind.to_owned(),
        verdict: None,
        reason: None,
        confidence: None,
        evidence: None,
    }
}

/// The team's own word that a connection is dead (contract section 19, row 7).
pub(super) fn by_hand() -> Judgement {
    Judgement {
        verdict: Verdict::Reauth,
        reason: Some(Reason::TokenRevoked),
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: "manual".to_owned(),
            words: "expired by hand".to_owned(),
            status: 0,
        },
    }
}
