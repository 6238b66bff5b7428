//! What one connection's observation says of its application as a whole, and what follows for the others.
//!
//! What is seen is taken down in the transaction of the observation. What follows for others is done after it, in
//! transactions of their own: a transaction that held one connection, the incident and then all connections would meet
//! another one half way. Where that is cut short nothing is lost: the next observation says the same again.
//!
//! Whoever takes several connections takes them in the order of their ids, and the incident after them: two who meet wait for
//! each other, and never both.

use super::model::Connection;
use super::record::{Observed, apply, reschedule, write_change};
use super::store::{self, Guard, Writer};
use super::transition::{Change, transition};
use crate::app::App;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Error;
use crate::incidents::{self, Seen, Sighting, Witness};
use crate::reason::{Confidence, Reason, Verdict};
use crate::tenants::Tenant;
use crate::verdict::{Evidence, Judgement};

/// What follows for the other connections of the application.
#[derive(Debug)]
#[must_use]
pub enum Aftermath {
    /// Nothing.
    Nothing,
    /// The client is gone, and that is a fact: each of them needs a new consent.
    Gone(Evidence),
    /// The client works again: each of them is tried.
    Works,
}

impl Aftermath {
    /// What follows from a sighting.
    fn of(seen: Seen) -> Self {
        match seen {
            Seen::Open(incident) if incident.deleted_at.is_some() => Self::Gone(incident.evidence),
            Seen::Open(_) | Seen::Disbelieved => Self::Nothing,
        }
    }
}

/// Takes down what an observation says of the application, within its transaction.
pub(super) async fn note(
    tx: &mut Tx,
    tenant: &Tenant,
    connection: &Connection,
    (seen, now): (&Observed, Timestamp),
) -> Result<Aftermath, Error> {
    if connection.auth_type != AuthType::OAuth2 {
        return Ok(Aftermath::Nothing);
    }
    let witness = Witness::Connection(&connection.id);
    if seen.fresh.is_some() {
        return client_works(tx, tenant, (&connection.slug, witness), now).await;
    }
    match Sighting::of(&connection.slug, witness, &seen.judgement, now) {
        Some(sighting) => client_broken(tx, tenant, &sighting).await,
        None => Ok(Aftermath::Nothing),
    }
}

/// Takes down that the application's OAuth client does not work, within the caller's transaction; [`follow`] comes after it.
pub async fn client_broken(tx: &mut Tx, tenant: &Tenant, sighting: &Sighting<'_>) -> Result<Aftermath, Error> {
    incidents::observe(tx, tenant, sighting).await.map(Aftermath::of)
}

/// Takes down that the application's OAuth client has just worked, within the caller's transaction; [`follow`] comes after
/// it.
pub async fn client_works(
    tx: &mut Tx,
    tenant: &Tenant,
    (slug, witness): (&str, Witness<'_>),
    now: Timestamp,
) -> Result<Aftermath, Error> {
    let closed = incidents::works(tx, tenant, slug, (witness, now)).await?;
    Ok(closed.map_or(Aftermath::Nothing, |_| Aftermath::Works))
}

/// Does what follows for the others, after the transaction of who saw it. It fails nobody: what is left undone comes up
/// again by itself.
pub async fn follow(app: &App, tenant: &Tenant, slug: &str, aftermath: Aftermath) {
    let mut done = once(app, tenant, slug, &aftermath).await;
    if done.as_ref().is_err_and(Error::is_worth_repeating) {
        done = once(app, tenant, slug, &aftermath).await;
    }
    match done {
        Ok(0) => {}
        Ok(connections) => tracing::info!(slug, connections, "the other connections of the application followed"),
        Err(error) => tracing::error!(slug, %error, "the other connections of the application could not follow yet"),
    }
}

async fn once(app: &App, tenant: &Tenant, slug: &str, aftermath: &Aftermath) -> Result<u64, Error> {
    match aftermath {
        Aftermath::Nothing => Ok(0),
        Aftermath::Gone(evidence) => flag_users(app, tenant, slug, evidence.clone()).await,
        Aftermath::Works => try_users(app, tenant, slug).await,
    }
}

async fn flag_users(app: &App, tenant: &Tenant, slug: &str, evidence: Evidence) -> Result<u64, Error> {
    let mut tx = app.db.begin().await?;
    let using = store::take_all_of_application(&mut tx, &tenant.id, slug).await?;
    let flagged = flag_all_deleted(app, &mut tx, tenant, (using, evidence)).await?;
    tx.commit().await?;
    Ok(flagged as u64)
}

async fn try_users(app: &App, tenant: &Tenant, slug: &str) -> Result<u64, Error> {
    let mut tx = app.db.begin().await?;
    let due = store::try_again(&mut tx, &tenant.id, slug, app.now()).await?;
    tx.commit().await?;
    Ok(due)
}

/// Flags connections because their OAuth client is gone for certain; returns how many were not flagged before. They must have
/// been taken in this transaction ([`store::take_all_of_application`]), so that no refresh stores anything in between.
pub async fn flag_all_deleted(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    (connections, evidence): (Vec<Connection>, Evidence),
) -> Result<usize, Error> {
    let judgement = Judgement {
        verdict: Verdict::AppBroken,
        reason: Some(Reason::OauthAppDeleted),
        confidence: Confidence::Stated,
        evidence,
    };
    let now = app.now();
    let mut flagged = 0;
    for connection in connections {
        let guard = Guard {
            version: connection.version,
            writer: Writer::Beside,
        };
        let Some(mut held) = store::hold(tx, &tenant.id, &connection.id, (guard, now)).await? else {
            continue;
        };
        let change = transition(&held, &judgement, now);
        if change == Change::Nothing {
            continue;
        }
        apply(&mut held, &change);
        // Tried once a day, as every flagged one is: what was taken for gone may come back.
        if let Some(application) = app.catalog.get(&held.slug) {
            reschedule(app, &mut held, application, None);
        } else {
            held.schedule.due_at = None;
            held.schedule.tell_at = None;
        }
        store::save_beside(tx, &held).await?;
        write_change(tx, tenant, &held, (&change, &judgement, now)).await?;
        flagged += 1;
    }
    Ok(flagged)
}
