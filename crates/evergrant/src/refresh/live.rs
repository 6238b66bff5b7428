//! Refresh on use: a credential that works now.

use std::time::Duration;

use super::outcome::{Did, Outcome};
use super::plan::{Plan, Why, plan};
use super::renew::{early, renew};
use crate::accounts;
use crate::app::App;
use crate::clock::Timestamp;
use crate::connections::{self, Connection, ConnectionStatus, Credential, Flag};
use crate::error::{Error, ReauthRequired};
use crate::ids::ConnectionId;
use crate::links::{self, Break};
use crate::tenants::Tenant;

/// The credential of a connection, for a call that needs it for `need`. A token is renewed first where it would not last, and
/// one that still lives is handed out though that failed; one past its end never is. A key is handed out as it is.
pub async fn live(app: &App, tenant: &Tenant, id: &ConnectionId, need: Duration) -> Result<Credential, Error> {
    let connection = connections::find(app, tenant, id).await?;
    Ok(live_of(app, tenant, connection, need).await?.1)
}

/// The same for a connection that has just been read; it comes back as it is now.
pub async fn live_of(
    app: &App,
    tenant: &Tenant,
    connection: Connection,
    need: Duration,
) -> Result<(Connection, Credential), Error> {
    let connection = lasting(app, tenant, connection, need).await?;
    match &connection.status {
        ConnectionStatus::Disconnected { .. } => Err(Error::NotFound("Connection")),
        ConnectionStatus::ReauthRequired(flag) => Err(reauth_required(app, tenant, &connection, flag).await?),
        ConnectionStatus::Active if has_ended(&connection, app.now()) => {
            Err(Error::ProviderUnavailable { retry_after: None })
        }
        ConnectionStatus::Active => {
            let credential = connections::open_credential(app, tenant, &connection).await?;
            Ok((connection, credential))
        }
    }
}

/// The credential of a connection that needs nothing done to it before a use that takes `need`; `None` where [`live_of`] has to
/// see to it.
pub async fn as_it_is_good(
    app: &App,
    tenant: &Tenant,
    connection: &Connection,
    need: Duration,
) -> Result<Option<Credential>, Error> {
    let good = connection.status == ConnectionStatus::Active && !has_ended(connection, app.now());
    if !good || !lasts(app, connection, need) {
        return Ok(None);
    }
    connections::open_credential(app, tenant, connection).await.map(Some)
}

/// Whether nothing is to be renewed before a use that takes `need`: the credential lasts, or no renewal may be tried.
fn lasts(app: &App, connection: &Connection, need: Duration) -> bool {
    let needed = match plan(connection, Why::Use { need }, (early(app, connection), app.now())) {
        Plan::Renew | Plan::Reauthorize => true,
        // A token that has ended by our clock: the provider's word is better. A key is handed out as it is.
        Plan::Ask => has_ended(connection, app.now()),
        Plan::UseAsIs => false,
    };
    !needed || connection.status != ConnectionStatus::Active
}

/// The connection after a renewal, where it needed one. A flagged one is not tried: every use would present a dead token to
/// the provider, and healing is the sweep's.
async fn lasting(app: &App, tenant: &Tenant, connection: Connection, need: Duration) -> Result<Connection, Error> {
    let why = Why::Use { need };
    if lasts(app, &connection, need) {
        return Ok(connection);
    }
    match renew(app, tenant, &connection.id, why).await {
        Ok(Outcome {
            did: Did::Paused { until },
            connection,
        }) if has_ended(&connection, app.now()) => Err(Error::ProviderUnavailable {
            retry_after: Some(until.since(app.now())),
        }),
        Ok(outcome) => Ok(outcome.connection),
        // Whoever is at it takes long: what we hold may do until then.
        Err(Error::Busy) if !has_ended(&connection, app.now()) => connections::find(app, tenant, &connection.id).await,
        Err(error) => Err(error),
    }
}

/// Whether the access token is past its end. A key has none.
pub(super) fn has_ended(connection: &Connection, now: Timestamp) -> bool {
    connection.schedule.expires_at.is_some_and(|end| end <= now)
}

/// What the user of a flagged connection is told.
pub async fn reauth_required(app: &App, tenant: &Tenant, connection: &Connection, flag: &Flag) -> Result<Error, Error> {
    let mut conn = app.db.read().await?;
    let account = accounts::store::get(&mut conn, &tenant.id, &connection.account)
        .await?
        .ok_or(Error::NotFound("Connection"))?;
    drop(conn);
    let of = Break {
        connection: &connection.id,
        since: flag.since,
    };
    let reauth_url = links::of_break(app, tenant, of).await?;
    Ok(Error::ReauthRequired(Box::new(ReauthRequired {
        slug: connection.slug.clone(),
        linked_account_id: account.account_id,
        connection_id: connection.id.clone(),
        reason: flag.reason,
        since: flag.since,
        reauth_url: Some(reauth_url),
    })))
}
