//! What is done with links.

use std::time::Duration;

use super::model::{Break, DEFAULT_LIFE, KEPT, Link, MAX_LIFE, MIN_LIFE, Made, REUSE_MARGIN};
use super::store;
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::{ConnectionId, LinkId, random_token, sha256_hex};
use crate::secret::Secret;
use crate::tenants::{self, Tenant};
use crate::vault::Place;

const PREFIX: &str = "rl_";

/// Makes a link for a break, as the team asked for it (`by`, for the audit trail). It is told this once: no copy is kept.
pub async fn create(app: &App, tenant: &Tenant, of: Break<'_>, (life, by): (Duration, &str)) -> Result<Made, Error> {
    if !(MIN_LIFE..=MAX_LIFE).contains(&life) {
        return Err(Error::invalid(
            "a re-auth link lives for one minute at least and for 90 days (7776000 seconds) at most",
        ));
    }
    let (link, token) = new(app, tenant, (of, life, false));
    let mut tx = app.db.begin().await?;
    store::insert(&mut tx, &link, (&hash(&token), None)).await?;
    tenants::store::audit(
        &mut tx,
        &tenant.id,
        (by, "reauth_link.create", link.id.as_str()),
        app.now(),
    )
    .await?;
    tx.commit().await?;
    let url = url(app, &token);
    Ok(Made { link, url })
}

/// The address of the break's own link: the same for everyone who asks while it has a day left, else a new one.
pub async fn of_break(app: &App, tenant: &Tenant, of: Break<'_>) -> Result<String, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    let until = now.after(REUSE_MARGIN);
    let mut found = store::of_break(&mut *app.db.read().await?, &tenant.id, of).await?;
    if found.as_ref().is_none_or(|(link, _)| link.expires_at < until) {
        let (link, token) = new(app, tenant, (of, DEFAULT_LIFE, true));
        let sealed = sealer.seal(place(&link.id), token.expose().as_bytes());
        let mut tx = app.db.begin().await?;
        store::retire(&mut tx, &tenant.id, (of, until)).await?;
        store::insert(&mut tx, &link, (&hash(&token), Some(&sealed))).await?;
        found = store::of_break(&mut tx, &tenant.id, of).await?;
        tx.commit().await?;
    }
    let (link, sealed) = found.ok_or(Error::Internal("a break has no link"))?;
    let token = sealer.open_text(place(&link.id), &sealed)?;
    Ok(url(app, &token))
}

/// The link of a token, in whatever state.
pub async fn find(app: &App, token: &str) -> Result<Option<Link>, Error> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let hash = sha256_hex(token.as_bytes());
    store::find_link_by_hash(&mut *app.db.read().await?, &hash).await
}

/// The newest hundred links of a connection.
pub async fn list(app: &App, tenant: &Tenant, connection: &ConnectionId) -> Result<Vec<Link>, Error> {
    store::links_of_connection(&mut *app.db.read().await?, &tenant.id, connection).await
}

/// Ends one link of a connection at once, or all; says how many were live.
pub async fn revoke(
    app: &App,
    tenant: &Tenant,
    (connection, only): (&ConnectionId, Option<&LinkId>),
    by: &str,
) -> Result<u64, Error> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    let ended = store::revoke_links(&mut tx, &tenant.id, (connection, only), now).await?;
    if ended > 0 {
        let target = only.map_or(connection.as_str(), LinkId::as_str);
        tenants::store::audit(&mut tx, &tenant.id, (by, "reauth_link.revoke", target), now).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Forgets links that ended long ago, of all tenants.
pub async fn purge(app: &App, tx: &mut Tx) -> Result<u64, Error> {
    store::purge_links_of_all_tenants(tx, app.now().before(KEPT)).await
}

fn new(app: &App, tenant: &Tenant, (of, life, automatic): (Break<'_>, Duration, bool)) -> (Link, Secret) {
    let now = app.now();
    let link = Link {
        id: LinkId::new(now),
        tenant: tenant.id.clone(),
        connection: of.connection.clone(),
        since: of.since,
        automatic,
        created_at: now,
        expires_at: now.after(life),
        revoked_at: None,
    };
    (link, random_token(PREFIX))
}

fn hash(token: &Secret) -> String {
    sha256_hex(token.expose().as_bytes())
}

fn url(app: &App, token: &Secret) -> String {
    app.url(&format!("/reauth/{}", token.expose()))
}

fn place(id: &LinkId) -> Place<'_> {
    Place {
        table: "reauth_links",
        id: id.as_str(),
        column: "sealed_value",
    }
}
