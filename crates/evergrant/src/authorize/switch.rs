//! A reconnect that lands on another account at the provider than before.
//!
//! It stops before the swap: the old credential stays, and the customer is told which account was expected. Where the
//! environment's policy is `ask`, the new credential waits, sealed, for the customer's decision: for ten minutes, once, in the
//! same browser, and only as long as no newer consent has come meanwhile. A grant that is not
//! used is not given back at the provider: another connection may live on the same consent.

use serde_json::Value;

use super::asker::Asker;
use super::complete::{Completed, Ended, NotCompleted};
use super::model::LIFETIME;
use super::store::{self, Waiting};
use crate::accounts;
use crate::app::App;
use crate::connections::{self, Connection, Fresh, Given, Switch};
use crate::error::{Error, OtherAccount};
use crate::ids::{random_token, sha256_hex};
use crate::secret::Secret;
use crate::tenants::{self, AccountSwitch, Tenant};
use crate::vault::Place;

/// A swap that did not happen, and what the customer is told.
#[derive(Debug)]
pub struct Stopped {
    /// The application's name.
    pub application: String,
    /// Whose connection it is, and whose credential came.
    pub other: OtherAccount,
    /// What names the decision, where the customer has one.
    pub token: Option<Secret>,
}

/// The connection that a credential would replace, if it is another account's.
pub(super) async fn other_account(
    app: &App,
    tenant: &Tenant,
    given: &Given<'_>,
) -> Result<Option<(Connection, OtherAccount)>, Error> {
    let held = replaced(app, tenant, given).await?;
    Ok(held.and_then(|held| {
        let other = connections::other_account(&held, given.identifier.as_ref())?;
        Some((held, other))
    }))
}

/// Whether a credential would replace one of an account that is known.
pub(super) async fn expects_an_account(app: &App, tenant: &Tenant, given: &Given<'_>) -> Result<bool, Error> {
    let held = replaced(app, tenant, given).await?;
    Ok(held.is_some_and(|held| held.external_id().is_some()))
}

async fn replaced(app: &App, tenant: &Tenant, given: &Given<'_>) -> Result<Option<Connection>, Error> {
    let live = connections::store::of_account(&mut *app.db.read().await?, &tenant.id, &given.account.id).await?;
    Ok(live
        .into_iter()
        .find(|one| one.slug == given.application.slug && one.auth_type == given.auth_type))
}

/// Stops a swap: forgets the new credential, or lets it wait for the customer's decision in this browser.
pub(super) async fn stop(
    app: &App,
    tenant: &Tenant,
    given: Given<'_>,
    (held, other): (Connection, OtherAccount),
    (browser, asker): (&str, &Asker),
) -> Result<Stopped, Error> {
    let application = given.application.name.clone();
    tracing::info!(connection = %held.id, slug = held.slug, "a reconnect landed on another account");
    let policy = tenants::store::account_switch(&mut *app.db.read().await?, &tenant.id).await?;
    let token = match policy {
        AccountSwitch::Ask if asker.strict => None,
        AccountSwitch::Refuse => None,
        AccountSwitch::Ask => Some(wait(app, tenant, given, &held, (browser, asker)).await?),
    };
    Ok(Stopped {
        application,
        other,
        token,
    })
}

async fn wait(
    app: &App,
    tenant: &Tenant,
    given: Given<'_>,
    held: &Connection,
    (browser, asker): (&str, &Asker),
) -> Result<Secret, Error> {
    let token = random_token("");
    let token_hash = sha256_hex(token.expose().as_bytes());
    let sealer = tenants::sealer(app, tenant).await?;
    let asker = serde_json::to_vec(asker).map_err(|_| Error::Internal("an asker is JSON"))?;
    let waiting = Waiting {
        tenant: tenant.id.clone(),
        account: held.account.clone(),
        slug: held.slug.clone(),
        auth_type: held.auth_type,
        connection: held.id.clone(),
        connected_at: held.connected_at,
        sealed_credential: connections::seal(&sealer, &held.id, &given.fresh.credential),
        sealed_asker: sealer.seal(asker_place(&token_hash), &asker),
        identifier: given.identifier.unwrap_or_default(),
        proved: given.proved,
        schedule: given.fresh.schedule,
        token_hash,
    };
    let mut tx = app.db.begin().await?;
    store::insert_waiting(
        &mut tx,
        &waiting,
        &sha256_hex(browser.as_bytes()),
        app.now().after(LIFETIME),
    )
    .await?;
    tx.commit().await?;
    Ok(token)
}

/// The customer's decision: to replace the account knowingly, or to leave everything as it is.
pub async fn decide(app: &App, slug: &str, token: &str, (browser, replace): (&str, bool)) -> Ended {
    match take(app, slug, token, browser).await {
        Ok((tenant, waiting, asker)) => Ended {
            asker: Some(asker),
            result: if replace {
                replace_account(app, &tenant, waiting).await
            } else {
                Err(leave(app, slug))
            },
        },
        Err(error) => Ended {
            asker: None,
            result: Err(error),
        },
    }
}

fn leave(app: &App, slug: &str) -> NotCompleted {
    let name = app.catalog.get(slug).map_or(slug, |application| &application.name);
    NotCompleted::Denied {
        application: name.to_owned(),
    }
}

async fn take(app: &App, slug: &str, token: &str, browser: &str) -> Result<(Tenant, Waiting, Asker), NotCompleted> {
    let (token_hash, browser_hash) = (sha256_hex(token.as_bytes()), sha256_hex(browser.as_bytes()));
    let mut tx = app.db.begin().await?;
    let taken = store::take_waiting(&mut tx, (&token_hash, slug), &browser_hash, app.now()).await?;
    let waiting = taken.ok_or(NotCompleted::Invalid)?;
    let tenant = tenants::store::get_environment(&mut tx, &waiting.tenant).await?.tenant;
    tx.commit().await?;
    let sealer = tenants::sealer(app, &tenant).await?;
    let asker = sealer.open(asker_place(&token_hash), &waiting.sealed_asker)?;
    let asker = serde_json::from_slice(asker.expose()).unwrap_or_default();
    Ok((tenant, waiting, asker))
}

async fn replace_account(app: &App, tenant: &Tenant, waiting: Waiting) -> Result<Completed, NotCompleted> {
    let application = app.catalog.get(&waiting.slug).cloned().ok_or(NotCompleted::Invalid)?;
    let sealer = tenants::sealer(app, tenant).await?;
    let credential = connections::open(&sealer, &waiting.connection, &waiting.sealed_credential)?;
    let mut tx = app.db.begin().await?;
    if tenants::store::account_switch(&mut tx, &tenant.id).await? != AccountSwitch::Ask {
        return Err(NotCompleted::Invalid);
    }
    let account = accounts::store::get(&mut tx, &tenant.id, &waiting.account)
        .await?
        .ok_or(NotCompleted::Invalid)?;
    // As every consent does: the account first, its connection then.
    accounts::hold(&mut tx, tenant, &account).await?;
    let now = app.now();
    let key = (waiting.slug.as_str(), waiting.auth_type, now);
    let held = connections::store::hold_live(&mut tx, &tenant.id, &account.id, key).await?;
    if held.is_none_or(|held| held.id != waiting.connection || held.connected_at != waiting.connected_at) {
        return Err(NotCompleted::Invalid);
    }
    let given = Given {
        account: &account,
        application: &application,
        auth_type: waiting.auth_type,
        fresh: Fresh {
            credential,
            schedule: waiting.schedule,
        },
        identifier: Some(waiting.identifier).filter(|known| *known != Value::Null),
        proved: waiting.proved,
        switch: Switch::Allowed,
    };
    let (connection, _) = connections::activate(app, &mut tx, tenant, given).await?;
    let entry = ("customer", "connection.switch-account", connection.id.as_str());
    tenants::store::audit(&mut tx, &tenant.id, entry, now).await?;
    tx.commit().await?;
    Ok(Completed {
        application: application.name.clone(),
        connection,
    })
}

fn asker_place(token_hash: &str) -> Place<'_> {
    Place {
        table: "account_switches",
        id: token_hash,
        column: "sealed_asker",
    }
}
