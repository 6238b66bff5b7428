//! What the team sets up: an address for each application, and the signing secret that goes with it.

use std::time::Duration;

use super::model::Address;
use super::store;
use crate::app::App;
use crate::catalog::Notices;
use crate::error::Error;
use crate::ids::random_token;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};

/// How long a replaced signing secret is still accepted.
const OVERLAP: Duration = Duration::from_hours(24);
const MAX_SECRET: usize = 1024;

/// The address of an application, made if there is none. A secret that is given becomes the signing secret; the one before
/// is accepted for another day, so that nothing under way is refused.
pub async fn provide(
    app: &App,
    tenant: &Tenant,
    slug: &str,
    secret: Option<Secret>,
    by: &str,
) -> Result<Address, Error> {
    let notices = notices_of(app, tenant, slug)?;
    if let Some(secret) = &secret {
        let text = secret.expose();
        if text.is_empty() || text.len() > MAX_SECRET || text.chars().any(char::is_control) {
            return Err(Error::invalid(
                "signing_secret must be 1 to 1024 characters without control characters",
            ));
        }
        if !notices.verified_by.takes_own_secret() {
            return Err(Error::invalid(format!(
                "the notices of `{slug}` are verified with its OAuth client, so they take no signing secret of their own"
            )));
        }
    }
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    // Once more, where another caller makes the same address at the same moment.
    for _ in 0..2 {
        let mut tx = app.db.begin().await?;
        let before = store::find(&mut tx, &tenant.id, slug).await?;
        let (is_new, mut address) = match before {
            Some(before) => (false, before),
            None => (true, new(tenant, slug, now)),
        };
        if !is_new && secret.is_none() {
            return Ok(address);
        }
        if let Some(secret) = &secret {
            let sealed = sealer.seal(Address::place(&address.id), secret.expose().as_bytes());
            address.sealed_previous = address.sealed_secret.replace(sealed);
            address.previous_until = address.sealed_previous.is_some().then(|| now.after(OVERLAP));
        }
        address.updated_at = now;
        if store::put(&mut tx, &address).await? {
            tenants::store::audit(&mut tx, &tenant.id, (by, "notices.set", slug), now).await?;
            tx.commit().await?;
            return Ok(address);
        }
    }
    Err(Error::Busy)
}

fn new(tenant: &Tenant, slug: &str, now: crate::clock::Timestamp) -> Address {
    Address {
        id: random_token("").expose().to_owned(),
        tenant: tenant.id.clone(),
        slug: slug.to_owned(),
        sealed_secret: None,
        sealed_previous: None,
        previous_until: None,
        heard_at: None,
        refused: None,
        created_at: now,
        updated_at: now,
    }
}

/// The address of an application, if the team has one.
pub async fn find(app: &App, tenant: &Tenant, slug: &str) -> Result<Address, Error> {
    notices_of(app, tenant, slug)?;
    let found = store::find(&mut *app.db.read().await?, &tenant.id, slug).await?;
    found.ok_or(Error::NotFound("Address for notices"))
}

/// Removes an address: what is sent to it from now on finds nothing.
pub async fn remove(app: &App, tenant: &Tenant, slug: &str, by: &str) -> Result<(), Error> {
    let now = app.now();
    let mut tx = app.db.begin().await?;
    if !store::remove(&mut tx, &tenant.id, slug).await? {
        return Err(Error::NotFound("Address for notices"));
    }
    tenants::store::audit(&mut tx, &tenant.id, (by, "notices.remove", slug), now).await?;
    tx.commit().await
}

/// How an application's notices are heard; the caller's mistake where it sends none.
fn notices_of<'a>(app: &'a App, tenant: &Tenant, slug: &str) -> Result<&'a Notices, Error> {
    let application = app.catalog.get(slug).ok_or_else(|| Error::ApplicationNotFound {
        slug: slug.to_owned(),
        org: tenant.org.to_string(),
    })?;
    application.notices.as_ref().ok_or_else(|| {
        Error::invalid(format!(
            "`{slug}` sends no notices that are known here: its dead grants show at the next refresh, probe or call"
        ))
    })
}

/// The secrets that signatures may be made with now, the newest first.
pub(super) async fn secrets(app: &App, tenant: &Tenant, address: &Address) -> Result<Vec<Secret>, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let previous = address.sealed_previous.as_ref();
    let previous = previous.filter(|_| address.previous_until.is_some_and(|until| until > app.now()));
    [address.sealed_secret.as_ref(), previous]
        .into_iter()
        .flatten()
        .map(|sealed| sealer.open_text(Address::place(&address.id), sealed))
        .collect()
}

/// Forgets notices that could not be replayed any more.
pub async fn purge(app: &App) -> Result<u64, Error> {
    let mut tx = app.db.begin().await?;
    let gone = store::purge_of_all_tenants(&mut tx, app.now()).await?;
    tx.commit().await?;
    Ok(gone)
}
