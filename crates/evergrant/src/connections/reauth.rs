//! Repairing by link: from a token in an e-mail to the one connection that it is good for.

use std::time::Duration;

use super::model::{Connection, ConnectionStatus};
use super::store;
use super::work::find;
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::links::{self, Break, LinkState, Made};
use crate::tenants::{self, EnvironmentRow, Tenant};

/// Makes a link for a connection that needs its customer. For one that works there is nothing to make.
pub async fn reauth_link(
    app: &App,
    tenant: &Tenant,
    id: &ConnectionId,
    (life, by): (Duration, &str),
) -> Result<Made, Error> {
    let connection = find(app, tenant, id).await?;
    match &connection.status {
        ConnectionStatus::Disconnected { .. } => Err(Error::NotFound("Connection")),
        ConnectionStatus::Active => Err(Error::Conflict(
            "the connection works, so there is nothing to re-authorise; a link is made once it is reauth_required"
                .to_owned(),
        )),
        ConnectionStatus::ReauthRequired(flag) => {
            let of = Break {
                connection: id,
                since: flag.since,
            };
            links::create(app, tenant, of, (life, by)).await
        }
    }
}

/// What a link leads to now.
#[derive(Debug)]
pub enum Opened {
    /// The connection that it repairs, which is still broken.
    Broken(Box<Linked>),
    /// The connection works: there is nothing left to do.
    Mended(Box<Linked>),
    /// Expired, revoked, of an earlier break, of a connection that is gone, or never made. Which one is not told.
    Ended,
}

/// Whose connection a link is about.
#[derive(Debug)]
pub struct Linked {
    /// The team.
    pub environment: EnvironmentRow,
    /// Its customer.
    pub account: LinkedAccount,
    /// The connection, and nothing else of the customer's.
    pub connection: Connection,
}

/// Reads what a token leads to. Changes nothing, however often and by whomever it is called.
pub async fn open_link(app: &App, token: &str) -> Result<Opened, Error> {
    let Some(link) = links::find(app, token).await? else {
        return Ok(Opened::Ended);
    };
    if link.state(app.now()) == LinkState::Revoked {
        return Ok(Opened::Ended);
    }
    let mut conn = app.db.read().await?;
    let environment = tenants::store::get_environment(&mut conn, &link.tenant).await?;
    let Some(connection) = store::get(&mut conn, &link.tenant, &link.connection).await? else {
        return Ok(Opened::Ended);
    };
    let Some(account) = accounts::store::get(&mut conn, &link.tenant, &connection.account).await? else {
        return Ok(Opened::Ended);
    };
    let since = connection.status.flag().map(|flag| flag.since);
    let linked = Box::new(Linked {
        environment,
        account,
        connection,
    });
    Ok(match (&linked.connection.status, link.state(app.now())) {
        (ConnectionStatus::Active, _) => Opened::Mended(linked),
        (ConnectionStatus::ReauthRequired(_), LinkState::Live) if since == Some(link.since) => Opened::Broken(linked),
        _ => Opened::Ended,
    })
}
