//! Setting and removing OAuth clients.

use super::model::{NewClient, OAuthClient};
use super::store;
use crate::app::App;
use crate::connections;
use crate::error::Error;
use crate::ids::ClientId;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};

/// Sets the client of an application. Connections which the old one had broken are tried again at once.
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
    let using = connections::store::live_of_application(&mut tx, &tenant.id, slug).await?;
    if !using.is_empty() && !confirmed {
        return Err(Error::Conflict(format!(
            "{} connections use this OAuth client; removing it flags every one of them `oauth_app_deleted`. Confirm to go on",
            using.len()
        )));
    }
    if !store::remove(&mut tx, &tenant.id, slug).await? {
        return Err(Error::NotFound("OAuth client"));
    }
    let flagged = connections::flag_all_deleted(app, &mut tx, tenant, using).await?;
    tenants::store::audit(&mut tx, &tenant.id, ("operator", "client.remove", slug), app.now()).await?;
    tx.commit().await?;
    Ok(flagged)
}
