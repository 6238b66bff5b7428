//! What is done with sessions.

use super::model::{Issued, PROPERTIES_LIFE, REUSE_MARGIN, Session, Wanted, hash};
use super::properties::check;
use super::store::{self, NewSession};
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::error::Error;
use crate::ids::{SessionId, TenantId, random_token};
use crate::tenants::{self, Tenant};
use crate::vault::Place;

const PREFIX: &str = "st_";

/// A token for an account: one that is still good for a day, or else a new one.
pub async fn issue(app: &App, tenant: &Tenant, account: &LinkedAccount, wanted: Wanted) -> Result<Issued, Error> {
    if !wanted.force_refresh
        && let Some(issued) = reuse(app, tenant, account).await?
    {
        return Ok(issued);
    }
    let now = app.now();
    let issued = Issued {
        id: SessionId::new(now),
        token: random_token(PREFIX),
        expires_at: now.after(wanted.lifetimes.token),
        refresh_expires_at: now.after(wanted.lifetimes.refresh),
    };
    let sealed = tenants::sealer(app, tenant)
        .await?
        .seal(place(&issued.id), issued.token.expose().as_bytes());
    let new = NewSession {
        id: &issued.id,
        account: &account.id,
        hash: &hash(issued.token.expose()),
        sealed: &sealed,
        expires_at: issued.expires_at,
        refresh_expires_at: issued.refresh_expires_at,
    };
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, tenant, account).await?;
    store::insert(&mut tx, &tenant.id, &new, now).await?;
    tx.commit().await?;
    Ok(issued)
}

async fn reuse(app: &App, tenant: &Tenant, account: &LinkedAccount) -> Result<Option<Issued>, Error> {
    let until = app.now().after(REUSE_MARGIN);
    let found = store::reusable(&mut *app.db.read().await?, &tenant.id, &account.id, until).await?;
    let Some(found) = found else { return Ok(None) };
    let token = tenants::sealer(app, tenant)
        .await?
        .open_text(place(&found.id), &found.sealed)?;
    Ok(Some(Issued {
        id: found.id,
        token,
        expires_at: found.expires_at,
        refresh_expires_at: found.refresh_expires_at,
    }))
}

/// Whose token this is.
pub async fn authenticate(app: &App, token: &str) -> Result<Session, Error> {
    if !token.starts_with(PREFIX) {
        return Err(Error::InvalidSessionToken);
    }
    store::find_by_hash(&mut *app.db.read().await?, &hash(token), app.now())
        .await?
        .ok_or(Error::InvalidSessionToken)
}

/// Ends a session at once, on every node; says whether it was still live.
pub async fn revoke(app: &App, tenant: &TenantId, session: &SessionId) -> Result<bool, Error> {
    let mut tx = app.db.begin().await?;
    let done = store::revoke(&mut tx, tenant, session, app.now()).await?;
    tx.commit().await?;
    Ok(done)
}

/// Keeps the properties of a hosted page with a session, word for word, once they have been found harmless.
pub async fn put_properties(app: &App, tenant: &Tenant, session: &SessionId, text: &str) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    let environment = tenants::store::get_environment(&mut tx, &tenant.id).await?;
    check(text, &environment.return_origins)?;
    let until = app.now().after(PROPERTIES_LIFE);
    store::put_properties(&mut tx, &tenant.id, session, (text, until)).await?;
    tx.commit().await
}

/// The properties of a session's hosted page, word for word; `{}` where there are none.
pub async fn properties(app: &App, tenant: &TenantId, session: &SessionId) -> Result<String, Error> {
    let found = store::properties(&mut *app.db.read().await?, tenant, session, app.now()).await?;
    Ok(found.unwrap_or_else(|| "{}".to_owned()))
}

fn place(id: &SessionId) -> Place<'_> {
    Place {
        table: "session_tokens",
        id: id.as_str(),
        column: "sealed_value",
    }
}
