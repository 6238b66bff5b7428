//! Setting and removing OAuth clients.

use super::model::{NewClient, OAuthClient};
use super::store;
use crate::app::App;
use crate::clock::Timestamp;
use crate::connections;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::{ClientId, IncidentId};
use crate::incidents::{self, Incident, Sighting, Witness};
use crate::reason::Reason;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};
use crate::verdict::Evidence;

/// Sets the client of an application. Connections which the old one had broken are tried again, paced; an open incident
/// closes when the first of them works.
pub async fn set(app: &App, tenant: &Tenant, slug: &str, new: NewClient) -> Result<OAuthClient, Error> {
    new.check()?;
    let application = app.catalog.get(slug).ok_or_else(|| Error::ApplicationNotFound {
        slug: slug.to_owned(),
        org: tenant.org.to_string(),
    })?;
    if application.oauth2.is_none() {
        return Err(Error::invalid(format!(
            "`{slug}` does not use OAuth 2.0, so it takes no OAuth client"
        )));
    }
    let now = app.now();
    let id = ClientId::new(now);
    let sealer = tenants::sealer(app, tenant).await?;
    let sealed_secret = new
        .secret
        .map(|secret| sealer.seal(OAuthClient::place(&id), secret.expose().as_bytes()));
    let mut tx = app.db.begin().await?;
    let before = store::find(&mut tx, &tenant.id, slug).await?;
    let client = OAuthClient {
        id,
        tenant: tenant.id.clone(),
        slug: slug.to_owned(),
        client_id: new.client_id,
        sealed_secret,
        scopes: new.scopes,
        created_at: before.map_or(now, |before| before.created_at),
        updated_at: now,
    };
    store::upsert(&mut tx, &client).await?;
    connections::store::try_again(&mut tx, &tenant.id, slug, now).await?;
    incidents::store::try_now(&mut tx, &tenant.id, slug, now).await?;
    tenants::store::audit(&mut tx, &tenant.id, ("operator", "client.set", slug), now).await?;
    tx.commit().await?;
    Ok(client)
}

/// The client of an application, which must be set before its customers can connect.
pub async fn get(app: &App, tenant: &Tenant, slug: &str) -> Result<OAuthClient, Error> {
    let found = store::find(&mut *app.db.read().await?, &tenant.id, slug).await?;
    found.ok_or_else(|| Error::NoOAuthClient {
        slug: slug.to_owned(),
        environment: tenant.environment.as_str(),
    })
}

/// Every client of an environment.
pub async fn list(app: &App, tenant: &Tenant) -> Result<Vec<OAuthClient>, Error> {
    store::list(&mut *app.db.read().await?, &tenant.id).await
}

/// Opens a client's secret.
pub async fn secret(app: &App, tenant: &Tenant, client: &OAuthClient) -> Result<Option<Secret>, Error> {
    let Some(sealed) = &client.sealed_secret else {
        return Ok(None);
    };
    tenants::sealer(app, tenant)
        .await?
        .open_text(OAuthClient::place(&client.id), sealed)
        .map(Some)
}

/// Removes the client of an application. That is the team's own word that the app is gone, so every connection it
/// had is flagged `oauth_app_deleted` in the same transaction; `confirmed` says that the team knows.
///
/// Returns how many connections were flagged.
pub async fn remove(app: &App, tenant: &Tenant, slug: &str, confirmed: bool) -> Result<usize, Error> {
    let mut tx = app.db.begin().await?;
    let using = connections::store::take_all_of_application(&mut tx, &tenant.id, slug).await?;
    if !using.is_empty() && !confirmed {
        return Err(Error::Conflict(format!(
            "{} connections use this OAuth client; removing it flags every one of them `oauth_app_deleted`. Confirm to go on",
            using.len()
        )));
    }
    if !store::remove(&mut tx, &tenant.id, slug).await? {
        return Err(Error::NotFound("OAuth client"));
    }
    let evidence = by_the_team("client.removed", "the team removed its OAuth client");
    // Connections before the incident, as an observation takes them: two that meet wait, and never for each other.
    let flagged = connections::flag_all_deleted(app, &mut tx, tenant, (using, evidence.clone())).await?;
    note_deleted(&mut tx, tenant, (slug, &evidence), app.now()).await?;
    tenants::store::audit(&mut tx, &tenant.id, ("operator", "client.remove", slug), app.now()).await?;
    tx.commit().await?;
    Ok(flagged)
}

/// The team confirms that its OAuth client is gone at the provider: every connection that uses it is flagged
/// `oauth_app_deleted`, since only a new consent helps. Returns how many were.
pub async fn confirm_deletion(app: &App, tenant: &Tenant, id: &IncidentId, by: &str) -> Result<usize, Error> {
    let incident = incidents::find(app, tenant, id).await?;
    if incident.closing.is_some() {
        return Err(Error::Conflict("this incident is closed".to_owned()));
    }
    let slug = incident.slug.as_str();
    let evidence = by_the_team(
        "incident.deletion_confirmed",
        "the team confirmed that its OAuth client is gone",
    );
    let mut tx = app.db.begin().await?;
    let using = connections::store::take_all_of_application(&mut tx, &tenant.id, slug).await?;
    let flagged = connections::flag_all_deleted(app, &mut tx, tenant, (using, evidence.clone())).await?;
    note_deleted(&mut tx, tenant, (slug, &evidence), app.now()).await?;
    tenants::store::audit(
        &mut tx,
        &tenant.id,
        (by, "incident.confirm-deletion", id.as_str()),
        app.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(flagged)
}

/// Closes an incident by hand: what it had stopped is tried again.
pub async fn close_incident(app: &App, tenant: &Tenant, id: &IncidentId, by: &str) -> Result<Incident, Error> {
    let slug = incidents::find(app, tenant, id).await?.slug;
    let mut tx = app.db.begin().await?;
    // Connections before the incident, as everywhere.
    connections::store::try_again(&mut tx, &tenant.id, &slug, app.now()).await?;
    let closed = incidents::close(&mut tx, tenant, id, app.now()).await?;
    tenants::store::audit(&mut tx, &tenant.id, (by, "incident.close", id.as_str()), app.now()).await?;
    tx.commit().await?;
    Ok(closed)
}

/// Takes down in the open incident, where there is one, that the client is gone: the team knows, and is told nothing.
async fn note_deleted(
    tx: &mut Tx,
    tenant: &Tenant,
    (slug, evidence): (&str, &Evidence),
    now: Timestamp,
) -> Result<(), Error> {
    let sighting = Sighting {
        slug,
        witness: Witness::Team,
        reason: Reason::OauthAppDeleted,
        deletion_stated: true,
        evidence,
        now,
    };
    incidents::store::see_again(tx, &tenant.id, &sighting).await.map(drop)
}

fn by_the_team(rule: &str, words: &str) -> Evidence {
    Evidence {
        rule: rule.to_owned(),
        words: words.to_owned(),
        status: 0,
    }
}
