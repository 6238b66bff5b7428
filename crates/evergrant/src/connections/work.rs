//! What is done to connections besides refreshing: finding, opening, expiring by hand, erasing.

use super::credential::{self, Credential};
use super::model::{Connection, ConnectionStatus, Schedule};
use super::record::{Observed, Recorded, by_hand, plain_entry, record, write_change};
use super::store::{self, Guard, Writer};
use super::transition::Change;
use crate::accounts::LinkedAccount;
use crate::app::App;
use crate::catalog::AuthType;
use crate::db::Tx;
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::tenants::{self, Tenant};
use crate::verdict::Judgement;

/// A live or lately disconnected connection of this tenant.
pub async fn find(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Connection, Error> {
    store::get(&mut *app.db.read().await?, &tenant.id, id)
        .await?
        .ok_or(Error::NotFound("Connection"))
}

/// Opens the credential of a live connection.
pub async fn open_credential(app: &App, tenant: &Tenant, connection: &Connection) -> Result<Credential, Error> {
    let sealed = connection.sealed.as_ref().ok_or(Error::NotFound("Connection"))?;
    credential::open(&tenants::sealer(app, tenant).await?, &connection.id, sealed)
}

/// Flags a connection because the team says so: reason `token_revoked`, stated, rule `manual`.
pub async fn expire(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Connection, Error> {
    let connection = find(app, tenant, id).await?;
    if matches!(connection.status, ConnectionStatus::Disconnected { .. }) {
        return Err(Error::NotFound("Connection"));
    }
    let seen = Observed {
        guard: Guard {
            version: connection.version,
            writer: Writer::Beside,
        },
        judgement: by_hand(),
        fresh: None,
        retry_after: None,
        reply_lost: false,
    };
    match record(app, tenant, id, &seen).await? {
        Recorded::Changed(_, connection) => Ok(*connection),
        Recorded::Superseded => Err(Error::Conflict(
            "the connection has changed meanwhile; look at it and try again".to_owned(),
        )),
    }
}

/// Keeps an observation for a while that changes nothing, unless another credential has been stored meanwhile.
pub async fn remember(app: &App, tenant: &Tenant, c: &Connection, seen: &Judgement) -> Result<(), Error> {
    let now = app.now();
    let guard = Guard {
        version: c.version,
        writer: Writer::Beside,
    };
    let mut tx = app.db.begin().await?;
    if store::hold(&mut tx, &tenant.id, &c.id, (guard, now)).await?.is_some() {
        write_change(&mut tx, tenant, c, (&Change::Nothing, seen, now)).await?;
    }
    tx.commit().await
}

/// Erases a live connection within the caller's transaction: credential, identifier and evidence go, id and times stay.
/// Returns it with the credential that it had, so that the grant can be given back at the provider.
pub async fn erase(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    (account, slug, auth_type): (&LinkedAccount, &str, AuthType),
) -> Result<Option<(Connection, Option<Credential>)>, Error> {
    let now = app.now();
    let held = store::hold_live(tx, &tenant.id, &account.id, (slug, auth_type, now)).await?;
    let Some(mut connection) = held else { return Ok(None) };
    let sealer = tenants::sealer(app, tenant).await?;
    let sealed = connection.sealed.take();
    // A credential that no longer opens cannot be revoked, but it can be erased.
    let credential = sealed.and_then(|sealed| credential::open(&sealer, &connection.id, &sealed).ok());
    connection.status = ConnectionStatus::Disconnected { at: now };
    connection.trouble = None;
    connection.identifier = None;
    connection.schedule = Schedule::default();
    connection.version += 1;
    connection.fence += 1;
    connection.updated_at = now;
    store::save(tx, &connection).await?;
    store::erase_evidence(tx, &tenant.id, &connection.id).await?;
    store::append_timeline(tx, &tenant.id, &connection.id, &plain_entry("disconnected", now)).await?;
    Ok(Some((connection, credential)))
}
