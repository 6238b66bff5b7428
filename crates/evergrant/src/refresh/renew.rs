//! One renewal, in order.

use std::time::Duration;

use evergrant_oauth::{TokenSet, reply};

use super::hold;
use super::lease::{self, LEASE, Lease};
use super::outcome::{Did, Outcome};
use super::plan::{Plan, Why, plan};
use crate::app::App;
use crate::catalog::Application;
use crate::clients::{self, Purpose};
use crate::clock::within;
use crate::connections::{
    self, Connection, ConnectionStatus, Credential, Fresh, Guard, Observed, Recorded, Tokens, circumstances,
    observation,
};
use crate::egress::{DEFAULT_TIMEOUT, Reply, Unreachable};
use crate::error::Error;
use crate::ids::ConnectionId;
use crate::probes;
use crate::reason::{Confidence, Reason, Verdict};
use crate::secret::Secret;
use crate::steps::Step;
use crate::tenants::Tenant;
use crate::verdict::{Auth, Circumstances, Evidence, Judgement, Phase, judge};

/// How long a caller waits for somebody else's renewal.
const WAIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a rotated token is tried to be stored when the database fails.
const STORE_TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long that takes at most, not counting the database's own time-outs.
pub const STORING: Duration = FIRST_PAUSE.saturating_mul((1 << (STORE_TRIES - 1)) - 1);

const _: () = assert!(
    LEASE.as_secs() > DEFAULT_TIMEOUT.as_secs() + STORING.as_secs() + 10,
    "a lease must outlast the request and the storing, or a live worker is overtaken"
);

/// Renews a connection if `why` demands it: alone, over all nodes. Where it fails after sending, the intent stays as the
/// record of a lost reply, and the lease lapses.
pub async fn renew(app: &App, tenant: &Tenant, id: &ConnectionId, why: Why) -> Result<Outcome, Error> {
    app.steps.at(Step::RefreshWanted).await;
    let mut tx = app.db.begin().await?;
    let now = app.now();
    let until = now.after(app.steps.lease(lease::LEASE));
    let claimed = lease::claim(&mut tx, &tenant.id, id, (now, until)).await?;
    tx.commit().await?;
    let Some(lease) = claimed else {
        return if why == Why::Due {
            as_it_is(app, tenant, id, Did::Waited).await
        } else {
            wait(app, tenant, id).await
        };
    };
    match plan(&lease.connection, why, app.now()) {
        Plan::Renew => match hold::held_until(app, tenant, &lease, why).await? {
            Some(until) => hold::hold_back(app, lease, until).await,
            None => attempt(app, tenant, &lease).await,
        },
        Plan::Ask => ask(app, tenant, &lease).await,
        Plan::Reauthorize => settle(app, tenant, &lease, ended(&lease.connection, app)).await,
        Plan::UseAsIs => {
            give_back(app, &lease).await?;
            Ok(Outcome {
                did: Did::NotNeeded,
                connection: lease.connection,
            })
        }
    }
}

async fn give_back(app: &App, lease: &Lease) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    lease::release(&mut tx, lease).await?;
    tx.commit().await
}

async fn as_it_is(app: &App, tenant: &Tenant, id: &ConnectionId, did: Did) -> Result<Outcome, Error> {
    Ok(Outcome {
        did,
        connection: connections::find(app, tenant, id).await?,
    })
}

/// Waits for the outcome of somebody else's renewal.
async fn wait(app: &App, tenant: &Tenant, id: &ConnectionId) -> Result<Outcome, Error> {
    app.steps.at(Step::RefreshWaiting).await;
    let look = async {
        loop {
            let mut conn = app.db.read().await?;
            let held = lease::held_until(&mut conn, &tenant.id, id).await?;
            drop(conn);
            if held.is_none_or(|until| until <= app.now()) {
                let outcome = as_it_is(app, tenant, id, Did::Waited).await?;
                // A lease that cannot be had though nobody holds it: the connection has ended.
                let ended = matches!(outcome.connection.status, ConnectionStatus::Disconnected { .. });
                return (!ended).then_some(outcome).ok_or(Error::NotFound("Connection"));
            }
            app.clock.sleep(LOOK_EVERY).await;
        }
    };
    let waited = within(&*app.clock, WAIT, look).await.unwrap_or(Err(Error::Busy));
    app.steps.at(Step::RefreshWaited).await;
    waited
}

/// Uses the refresh token.
async fn attempt(app: &App, tenant: &Tenant, lease: &Lease) -> Result<Outcome, Error> {
    let held = &lease.connection;
    let prepared = prepare(app, tenant, held).await;
    let (application, request, tokens) = match prepared {
        Ok(prepared) => prepared,
        Err(Error::NoOAuthClient { .. }) => {
            give_back(app, lease).await?;
            return Ok(Outcome {
                did: Did::NoClient,
                connection: lease.connection.clone(),
            });
        }
        Err(error) => {
            give_back(app, lease).await?;
            return Err(error);
        }
    };
    let sent = request.sent.clone();
    app.steps.at(Step::RefreshBeforeSend).await;
    let answer = app.egress.send(request.into()).await;
    app.steps.at(Step::RefreshSent).await;
    let seen = read(app, (held, &application), tokens, (&answer, &sent))?;
    app.steps.at(Step::RefreshReplied).await;
    let renewed = seen.fresh.is_some();
    let outcome = if renewed {
        store_whatever_happens(app, tenant, held, &seen).await
    } else {
        settle(app, tenant, lease, seen).await
    }?;
    app.steps.at(Step::RefreshCommitted).await;
    Ok(outcome)
}

type Prepared = (std::sync::Arc<Application>, evergrant_oauth::HttpRequest, Tokens);

async fn prepare(app: &App, tenant: &Tenant, held: &Connection) -> Result<Prepared, Error> {
    let application = app
        .catalog
        .get(&held.slug)
        .cloned()
        .ok_or(Error::NotFound("Application"))?;
    let Credential::OAuth2(tokens) = connections::open_credential(app, tenant, held).await? else {
        return Err(Error::Internal("a key where a grant was expected"));
    };
    let refresh_token = tokens
        .refresh_token
        .clone()
        .ok_or(Error::Internal("no refresh token where one was expected"))?;
    let client = clients::get(app, tenant, &held.slug).await?;
    let purpose = (&*application, &tokens.inputs, Purpose::Refresh);
    let endpoint = clients::endpoint(app, tenant, &client, purpose)
        .await?
        .ok_or(Error::Internal("no token endpoint"))?;
    let request = endpoint.refresh(&refresh_token, None);
    Ok((application, request, tokens))
}

/// What the answer means, with the tokens that came in it.
fn read(
    app: &App,
    (held, application): (&Connection, &Application),
    tokens: Tokens,
    (answer, sent): (&Result<Reply, Unreachable>, &[Secret]),
) -> Result<Observed, Error> {
    let now = app.now();
    let known = circumstances(held, application, now);
    let guard = Guard {
        version: held.version,
        fence: Some(held.fence),
    };
    let seen = observation(
        Auth::OAuth2,
        Phase::Refresh,
        answer.as_ref().map_err(|error| *error),
        known,
    );
    if let Some(set) = tokens_in(answer, application, sent)? {
        let fresh = Fresh::renewed(set, tokens, &held.schedule, (&application.lifetimes, now));
        let judgement = works("refresh.renewed", seen.status);
        let guard = Guard { fence: None, ..guard };
        return Ok(Observed {
            guard,
            judgement,
            fresh: Some(fresh),
            retry_after: None,
            reply_lost: false,
        });
    }
    let mut judgement = judge(&seen, &application.rules);
    if judgement.verdict == Verdict::Ok {
        // A success that holds no token is no success, and the provider may have rotated.
        judgement = Judgement {
            verdict: Verdict::Transient,
            reason: Some(Reason::ProviderOutage),
            confidence: Confidence::Inferred,
            evidence: Evidence {
                rule: "refresh.no_tokens".to_owned(),
                ..judgement.evidence
            },
        };
    }
    let reply_lost = match answer {
        Ok(answer) => {
            answer.status >= 500
                || (200..300).contains(&answer.status) && judgement.evidence.rule == "refresh.no_tokens"
        }
        Err(error) => error.may_have_arrived(),
    };
    let retry_after = answer.as_ref().ok().and_then(Reply::retry_after);
    Ok(Observed {
        guard,
        judgement,
        fresh: None,
        retry_after,
        reply_lost,
    })
}

/// The tokens of a success.
fn tokens_in(
    answer: &Result<Reply, Unreachable>,
    application: &Application,
    sent: &[Secret],
) -> Result<Option<TokenSet>, Error> {
    let Ok(answer) = answer else { return Ok(None) };
    let shape = clients::scheme(application)?.reply_shape();
    Ok(reply::read(answer.status, &answer.body, &shape, sent).ok())
}

fn works(rule: &str, status: u16) -> Judgement {
    Judgement {
        verdict: Verdict::Ok,
        reason: None,
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: rule.to_owned(),
            words: String::new(),
            status,
        },
    }
}

/// Stores a rotated token. The old one is dead, so this is tried again before anything else.
async fn store_whatever_happens(
    app: &App,
    tenant: &Tenant,
    held: &Connection,
    seen: &Observed,
) -> Result<Outcome, Error> {
    let mut pause = FIRST_PAUSE;
    for tries_left in (0..STORE_TRIES).rev() {
        match connections::record(app, tenant, &held.id, seen).await {
            Ok(recorded) => return finished(app, tenant, held, (recorded, Did::Renewed)).await,
            Err(error) if tries_left == 0 => return Err(error),
            Err(error) => {
                tracing::error!(connection = %held.id, %error, tries_left, "a rotated token could not be stored; trying again");
                app.clock.sleep(pause).await;
                pause *= 2;
            }
        }
    }
    Err(Error::Internal("unreachable: the last try returns"))
}

/// Records what is no success. If the version has moved, another credential has been stored meanwhile: nothing is changed.
async fn settle(app: &App, tenant: &Tenant, lease: &Lease, seen: Observed) -> Result<Outcome, Error> {
    let did = if seen.judgement.verdict == Verdict::Ok {
        Did::Asked
    } else {
        Did::Failed
    };
    let recorded = connections::record(app, tenant, &lease.connection.id, &seen).await?;
    finished(app, tenant, &lease.connection, (recorded, did)).await
}

async fn finished(
    app: &App,
    tenant: &Tenant,
    held: &Connection,
    (recorded, did): (Recorded, Did),
) -> Result<Outcome, Error> {
    match recorded {
        Recorded::Changed(_, connection) => Ok(Outcome {
            did,
            connection: *connection,
        }),
        Recorded::Superseded => as_it_is(app, tenant, &held.id, Did::Superseded).await,
    }
}

/// Asks the provider about a credential that cannot be refreshed.
async fn ask(app: &App, tenant: &Tenant, lease: &Lease) -> Result<Outcome, Error> {
    let held = &lease.connection;
    let opened = async {
        let application = app
            .catalog
            .get(&held.slug)
            .cloned()
            .ok_or(Error::NotFound("Application"))?;
        Ok::<_, Error>((application, connections::open_credential(app, tenant, held).await?))
    };
    let (application, credential) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            give_back(app, lease).await?;
            return Err(error);
        }
    };
    let answer = match probes::ask(app, &application, &credential).await {
        Ok(None) => {
            give_back(app, lease).await?;
            return Ok(Outcome {
                did: Did::Unverified,
                connection: held.clone(),
            });
        }
        Ok(Some(reply)) => Ok(reply),
        Err(error) => Err(error),
    };
    app.steps.at(Step::ProbeReplied).await;
    let known: Circumstances = circumstances(held, &application, app.now());
    let judgement = probes::judged(
        &application,
        &credential,
        answer.as_ref().map_err(|error| *error),
        known,
    );
    let guard = Guard {
        version: held.version,
        fence: Some(held.fence),
    };
    let retry_after = answer.ok().as_ref().and_then(Reply::retry_after);
    let seen = Observed {
        guard,
        judgement,
        fresh: None,
        retry_after,
        reply_lost: false,
    };
    let outcome = settle(app, tenant, lease, seen).await?;
    Ok(Outcome {
        did: if outcome.did == Did::Failed {
            Did::Asked
        } else {
            outcome.did
        },
        ..outcome
    })
}

/// The access token has ended and there is nothing to refresh it with: the clock says so, nobody else.
fn ended(held: &Connection, app: &App) -> Observed {
    let words = held
        .schedule
        .expires_at
        .map(|end| format!("the access token ended at {}", end.iso()))
        .unwrap_or_default();
    tracing::debug!(connection = %held.id, now = app.now().as_millis(), "past its end");
    Observed {
        guard: Guard {
            version: held.version,
            fence: Some(held.fence),
        },
        judgement: Judgement {
            verdict: Verdict::Reauth,
            reason: Some(Reason::AccessTokenExpired),
            confidence: Confidence::Stated,
            evidence: Evidence {
                rule: "plan.access_token_ended".to_owned(),
                words,
                status: 0,
            },
        },
        fresh: None,
        retry_after: None,
        reply_lost: false,
    }
}
