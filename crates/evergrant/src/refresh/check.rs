//! Finding out now whether a connection works.

use super::live::has_ended;
use super::outcome::{Did, Outcome};
use super::plan::Why;
use super::renew::renew;
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{self, Connection, ConnectionStatus, Guard, Observed, Recorded, Writer, circumstances};
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::probes;
use crate::reason::{Reason, Verdict};
use crate::tenants::Tenant;
use crate::verdict::{Circumstances, Judgement};

/// Asks the provider, refreshing first where that is needed, and records what comes of it.
pub async fn check(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Outcome, Error> {
    let connection = connections::find(app, tenant, id).await?;
    if matches!(connection.status, ConnectionStatus::Disconnected { .. }) {
        return Err(Error::NotFound("Connection"));
    }
    let application = app
        .catalog
        .get(&connection.slug)
        .cloned()
        .ok_or(Error::NotFound("Application"))?;
    // Many may check at once: the first one's renewal is everybody's.
    let why = Why::Checked {
        version: connection.version,
    };
    let outlived = has_ended(&connection, app.now());
    if connection.schedule.has_refresh_token && (connection.is_flagged() || outlived) {
        let why = if outlived { why } else { Why::Forced };
        return renewed(app, tenant, (&application, &connection), why).await;
    }
    if outlived {
        return renew(app, tenant, id, why).await;
    }
    let Some((judgement, retry_after)) = observe(app, tenant, (&application, &connection), None).await? else {
        return renew(app, tenant, id, Why::Forced).await;
    };
    let refused = judgement.verdict == Verdict::Reauth || judgement.reason == Some(Reason::AccessTokenExpired);
    if refused && connection.schedule.has_refresh_token {
        return renewed(app, tenant, (&application, &connection), why).await;
    }
    settle(app, tenant, connection, (judgement, retry_after)).await
}

/// Refreshes, and asks with the token that this, or somebody else's refresh meanwhile, has produced.
async fn renewed(
    app: &App,
    tenant: &Tenant,
    (application, before): (&Application, &Connection),
    why: Why,
) -> Result<Outcome, Error> {
    let outcome = renew(app, tenant, &before.id, why).await?;
    let now = &outcome.connection;
    if now.version == before.version || now.status != ConnectionStatus::Active {
        return Ok(outcome);
    }
    again(app, tenant, application, outcome).await
}

/// Asks the provider once about a credential that a call has just been refused with, in words that prove nothing, and records
/// what it says; `None` where the application has no call that would prove anything.
pub async fn second_look(
    app: &App,
    tenant: &Tenant,
    (application, connection): (&Application, &Connection),
    fresh_from_refresh: Option<bool>,
) -> Result<Option<Outcome>, Error> {
    let Some(seen) = observe(app, tenant, (application, connection), fresh_from_refresh).await? else {
        return Ok(None);
    };
    settle(app, tenant, connection.clone(), seen).await.map(Some)
}

/// Asks once more: where a refresh has just produced the token, its refusal is proof.
async fn again(app: &App, tenant: &Tenant, application: &Application, renewed: Outcome) -> Result<Outcome, Error> {
    let fresh = matches!(renewed.did, Did::Renewed | Did::Waited).then_some(true);
    let asked = observe(app, tenant, (application, &renewed.connection), fresh).await?;
    match asked {
        Some(judgement) => settle(app, tenant, renewed.connection, judgement).await,
        None => Ok(renewed),
    }
}

type Seen = (Judgement, Option<std::time::Duration>);

/// What the provider says to the credential; `None` where asking would prove nothing: the application has no call for it, or
/// the access token is past its end.
async fn observe(
    app: &App,
    tenant: &Tenant,
    (application, connection): (&Application, &Connection),
    fresh_from_refresh: Option<bool>,
) -> Result<Option<Seen>, Error> {
    if has_ended(connection, app.now()) {
        return Ok(None);
    }
    let credential = connections::open_credential(app, tenant, connection).await?;
    let answer = match probes::ask(app, application, &credential).await {
        Ok(None) => return Ok(None),
        Ok(Some(reply)) => Ok(reply),
        Err(error) => Err(error),
    };
    let known = Circumstances {
        fresh_from_refresh,
        ..circumstances(connection, application, app.now())
    };
    let judgement = probes::judged(application, &credential, answer.as_ref().map_err(|error| *error), known);
    Ok(Some((judgement, answer.ok().and_then(|reply| reply.retry_after()))))
}

async fn settle(
    app: &App,
    tenant: &Tenant,
    connection: Connection,
    (judgement, retry_after): Seen,
) -> Result<Outcome, Error> {
    let guard = Guard {
        version: connection.version,
        writer: Writer::Beside,
    };
    let seen = Observed {
        guard,
        judgement,
        fresh: None,
        retry_after,
        reply_lost: false,
    };
    match connections::record(app, tenant, &connection.id, &seen).await? {
        Recorded::Changed(_, connection) => Ok(Outcome {
            did: Did::Asked,
            connection: *connection,
        }),
        Recorded::Superseded => Ok(Outcome {
            did: Did::Superseded,
            connection: connections::find(app, tenant, &connection.id).await?,
        }),
    }
}
