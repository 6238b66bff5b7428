//! What is done with incidents.

use super::model::{ClosedBy, Closing, Incident, Seen, Sighting, Witness, next_try_after};
use super::store;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::IncidentId;
use crate::tenants::Tenant;
use crate::webhooks::{self, About, EventKind, outbox};

/// Takes a sighting down, in the transaction of whoever saw it: opens an incident and tells the team, or adds to the open
/// one.
pub async fn observe(tx: &mut Tx, tenant: &Tenant, seen: &Sighting<'_>) -> Result<Seen, Error> {
    if let Some(open) = store::see_again(tx, &tenant.id, seen).await? {
        return Ok(Seen::Open(Box::new(open)));
    }
    if store::is_disbelieved(tx, &tenant.id, seen).await? {
        return Ok(Seen::Disbelieved);
    }
    let Some(opened) = store::open(tx, &tenant.id, seen).await? else {
        // Somebody else has opened it between the two statements.
        let open = store::see_again(tx, &tenant.id, seen).await?;
        return Ok(open.map_or(Seen::Disbelieved, |open| Seen::Open(Box::new(open))));
    };
    tracing::warn!(slug = opened.slug, incident = %opened.id, reason = %opened.reason, rule = opened.evidence.rule,
        "an application stopped working as a whole: look at its OAuth client");
    tell(tx, tenant, &opened, (EventKind::IncidentOpened, seen.now)).await?;
    Ok(Seen::Open(Box::new(opened)))
}

/// Closes the open incident of an application, if there is one, since its OAuth client has just worked; in the
/// transaction of whoever found that.
pub async fn works(
    tx: &mut Tx,
    tenant: &Tenant,
    slug: &str,
    (witness, now): (Witness<'_>, Timestamp),
) -> Result<Option<Incident>, Error> {
    let closing = Closing {
        at: now,
        by: ClosedBy::Works,
    };
    end(tx, tenant, (slug, witness), closing).await
}

/// Closes an open incident by hand.
pub async fn close(tx: &mut Tx, tenant: &Tenant, id: &IncidentId, now: Timestamp) -> Result<Incident, Error> {
    let found = store::get(tx, &tenant.id, id)
        .await?
        .ok_or(Error::NotFound("Incident"))?;
    let closing = Closing {
        at: now,
        by: ClosedBy::Hand,
    };
    if found.closing.is_some() {
        return Ok(found);
    }
    let closed = end(tx, tenant, (&found.slug, Witness::Team), closing).await?;
    closed.ok_or_else(|| Error::Conflict("the incident has changed meanwhile; look at it and try again".to_owned()))
}

async fn end(
    tx: &mut Tx,
    tenant: &Tenant,
    of: (&str, Witness<'_>),
    closing: Closing,
) -> Result<Option<Incident>, Error> {
    let closed = store::close(tx, &tenant.id, of, closing).await?;
    if let Some(incident) = &closed {
        tracing::info!(slug = incident.slug, incident = %incident.id, by = closing.by.as_str(), "an incident is over");
        tell(tx, tenant, incident, (EventKind::IncidentClosed, closing.at)).await?;
    }
    Ok(closed)
}

async fn tell(
    tx: &mut Tx,
    tenant: &Tenant,
    incident: &Incident,
    (kind, at): (EventKind, Timestamp),
) -> Result<(), Error> {
    let event = webhooks::Event {
        kind,
        about: About::Application {
            incident: incident.id.clone(),
            reason: incident.reason,
        },
        slug: incident.slug.clone(),
        at,
    };
    outbox::append(tx, tenant, &event).await.map(drop)
}

/// Whether a refresh may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may: there is no incident, or this is the one that finds out whether it is over.
    Free,
    /// It waits: another finds out.
    Held {
        /// Not before.
        until: Timestamp,
        /// Whether more than one has seen the trouble. Until then it may be that one's alone.
        confirmed: bool,
    },
}

/// Asks whether a refresh for an application may be sent, and takes the turn if it may.
pub async fn gate(app: &App, tenant: &Tenant, slug: &str) -> Result<Gate, Error> {
    let open = store::find_open(&mut *app.db.read().await?, &tenant.id, slug).await?;
    let Some(incident) = open else { return Ok(Gate::Free) };
    let now = app.now();
    let held = |until| Gate::Held {
        until,
        confirmed: incident.confirmed_at.is_some(),
    };
    if now < incident.next_try_at {
        return Ok(held(incident.next_try_at));
    }
    let next = now.after(next_try_after(now.since(incident.opened_at)));
    let mut tx = app.db.begin().await?;
    let is_mine = store::claim_try(&mut tx, &incident, (now, next)).await?;
    tx.commit().await?;
    Ok(if is_mine { Gate::Free } else { held(next) })
}

/// The newest hundred incidents of an environment, the newest first.
pub async fn list(app: &App, tenant: &Tenant, open_only: bool) -> Result<Vec<Incident>, Error> {
    store::list(&mut *app.db.read().await?, &tenant.id, open_only).await
}

/// One incident.
pub async fn find(app: &App, tenant: &Tenant, id: &IncidentId) -> Result<Incident, Error> {
    let found = store::get(&mut *app.db.read().await?, &tenant.id, id).await?;
    found.ok_or(Error::NotFound("Incident"))
}
