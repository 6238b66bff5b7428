//! Using the refresh token.

use std::sync::Arc;
use std::time::Duration;

use evergrant_oauth::{HttpRequest, TokenEndpoint, TokenSet, reply};

use super::ask::observed;
use super::outcome::{Did, Outcome};
use super::plan::Why;
use super::renew::{Held, STORE_PAUSES, STORING, application, as_it_is, give_back};
use super::way::{Way, way};
use super::witness::look_twice;
use crate::app::App;
use crate::catalog::{Application, Lifetimes, Rotation};
use crate::clients::{self, Purpose};
use crate::clock::Timestamp;
use crate::connections::{
    self, Connection, Credential, Fresh, Guard, Observed, Recorded, Tokens, Writer, circumstances, observation,
};
use crate::egress::{Reply, Unreachable};
use crate::error::Error;
use crate::reason::{Confidence, Reason, Verdict};
use crate::secret::Secret;
use crate::steps::Step;
use crate::tenants::Tenant;
use crate::verdict::{Auth, Evidence, Judgement, Phase, judge};

/// How often a request is sent in one attempt: once, and again where its reply is lost and the provider forgives.
pub(super) const SENT_AT_MOST: u64 = 2;

/// What is needed to use a refresh token.
struct Prepared {
    application: Arc<Application>,
    tokens: Tokens,
    refresh_token: Secret,
    endpoint: TokenEndpoint,
    /// Whose requests the provider counts.
    client_id: String,
}

/// An answer, and when it was asked for.
struct Answered {
    answer: Result<Reply, Unreachable>,
    /// What was secret in the request.
    sent: Vec<Secret>,
    began: Timestamp,
    /// Whether this reply, or that of the try before it, is lost.
    lost: bool,
}

/// Sends the refresh token, and stores what comes of it.
pub(super) async fn attempt(app: &App, tenant: &Tenant, held: &Held, why: Why) -> Result<Outcome, Error> {
    let prepared = match prepare(app, tenant, held.connection()).await {
        Ok(prepared) => prepared,
        Err(error) => {
            give_back(app, held, None).await?;
            return match error {
                Error::NoOAuthClient { .. } => Ok(outcome(held, Did::NoClient)),
                error => Err(error),
            };
        }
    };
    let request = request(&prepared);
    let way = match way(app, (&request.url, &prepared.client_id), why) {
        Ok(way) => way,
        Err(until) => {
            give_back(app, held, Some(until)).await?;
            return Ok(outcome(held, Did::Paused { until }));
        }
    };
    app.steps.at(Step::RefreshBeforeSend).await;
    if !held.bears_a_request(app, 0) {
        give_back(app, held, None).await?;
        return Err(Error::Busy);
    }
    held.place.begin();
    let answered = send(app, (held, &prepared), (request, way)).await;
    app.steps.at(Step::RefreshSent).await;
    let seen = read(app, held.connection(), &prepared, answered)?;
    app.steps.at(Step::RefreshReplied).await;
    let outcome = if seen.fresh.is_some() {
        store_whatever_happens(app, tenant, held, &seen).await
    } else {
        let judgement = seen.judgement.clone();
        let settled = settle(app, tenant, held, seen).await;
        let about = (&*prepared.application, &prepared.endpoint);
        look_twice(app, tenant, about, &judgement).await;
        settled
    }?;
    app.steps.at(Step::RefreshCommitted).await;
    Ok(outcome)
}

fn outcome(held: &Held, did: Did) -> Outcome {
    Outcome {
        did,
        connection: held.connection().clone(),
    }
}

async fn prepare(app: &App, tenant: &Tenant, held: &Connection) -> Result<Prepared, Error> {
    let application = application(app, held)?;
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
    Ok(Prepared {
        application,
        tokens,
        refresh_token,
        endpoint,
        client_id: client.client_id,
    })
}

fn request(prepared: &Prepared) -> HttpRequest {
    prepared.endpoint.refresh(&prepared.refresh_token, None)
}

/// Sends, and once more at once where the reply is lost and the provider still takes the same token: its grace period may be
/// over by the next sweep. Not where that could last longer than the lease: a process that was stopped while it waited for the
/// reply may have been overtaken.
async fn send(app: &App, (held, prepared): (&Held, &Prepared), (request, way): (HttpRequest, Way)) -> Answered {
    let began = app.now();
    let sent = request.sent.clone();
    let answer = app.egress.send(request.into()).await;
    let lost = is_lost(&answer);
    let forgiven = lost && forgives(&prepared.application.lifetimes, app.now().since(began));
    if !(forgiven && held.bears_a_request(app, 1)) {
        way.learn(app, &answer);
        return Answered {
            answer,
            sent,
            began,
            lost,
        };
    }
    tracing::info!(
        slug = prepared.application.slug,
        "a refresh's reply was lost; tried again within the grace period"
    );
    let began = app.now();
    let again = self::request(prepared);
    let sent = again.sent.clone();
    let answer = app.egress.send(again.into()).await;
    way.learn(app, &answer);
    Answered {
        answer,
        sent,
        began,
        lost,
    }
}

/// Whether the provider may have acted on a request whose reply did not reach us.
fn is_lost(answer: &Result<Reply, Unreachable>) -> bool {
    match answer {
        Ok(reply) => reply.status >= 500,
        Err(error) => error.may_have_arrived(),
    }
}

/// Whether a refresh may use up the refresh token.
fn rotates(lifetimes: &Lifetimes) -> bool {
    lifetimes.rotation != Rotation::None
}

/// Whether a refresh token that was perhaps used up so long ago may be used again.
fn forgives(lifetimes: &Lifetimes, passed: Duration) -> bool {
    rotates(lifetimes) && lifetimes.grace.is_some_and(|grace| passed < grace)
}

/// What the answer means, with the tokens that came in it.
fn read(app: &App, held: &Connection, prepared: &Prepared, answered: Answered) -> Result<Observed, Error> {
    let application = &prepared.application;
    let Answered {
        answer,
        sent,
        began,
        lost,
    } = answered;
    let mut known = circumstances(held, application, app.now());
    known.reply_lost = known
        .reply_lost
        .map(|before| before || lost && rotates(&application.lifetimes));
    let seen = observation(
        Auth::OAuth2,
        Phase::Refresh,
        answer.as_ref().map_err(|error| *error),
        known,
    );
    if let Some(set) = tokens_in(&answer, application, &sent)? {
        let fresh = Fresh::renewed(
            set,
            prepared.tokens.clone(),
            &held.schedule,
            (&application.lifetimes, began),
        );
        let mut observed = observed(held, works("refresh.renewed", seen.status));
        observed.guard = Guard {
            writer: Writer::Bearer(held.fence),
            ..observed.guard
        };
        observed.fresh = Some(fresh);
        return Ok(observed);
    }
    let mut judgement = judge(&seen, &application.rules);
    judgement.evidence = judgement.evidence.without(sent.iter().map(Secret::expose));
    // A success that holds no token is no success, and the provider may have rotated.
    let empty = judgement.verdict == Verdict::Ok;
    let judgement = if empty { no_tokens(judgement) } else { judgement };
    let retry_after = answer.as_ref().ok().and_then(Reply::retry_after);
    Ok(Observed {
        retry_after,
        reply_lost: lost || empty && (200..300).contains(&seen.status),
        ..observed(held, judgement)
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

fn no_tokens(judgement: Judgement) -> Judgement {
    Judgement {
        verdict: Verdict::Transient,
        reason: Some(Reason::ProviderOutage),
        confidence: Confidence::Inferred,
        evidence: Evidence {
            rule: "refresh.no_tokens".to_owned(),
            ..judgement.evidence
        },
    }
}

/// Stores a rotated token. The old one is dead, so this is tried again before anything else.
async fn store_whatever_happens(app: &App, tenant: &Tenant, held: &Held, seen: &Observed) -> Result<Outcome, Error> {
    let id = &held.connection().id;
    let (mut pause, longest) = STORE_PAUSES;
    let mut waited = Duration::ZERO;
    loop {
        match connections::record(app, tenant, id, seen).await {
            Ok(recorded) => return finished(app, tenant, held, (recorded, Did::Renewed)).await,
            Err(error) if waited >= STORING => return Err(error),
            Err(error) => {
                tracing::error!(connection = %id, %error, "a rotated token could not be stored; trying again");
                app.clock.sleep(pause).await;
                waited += pause;
                pause = (pause * 2).min(longest);
            }
        }
    }
}

/// Records what is no success. If the version has moved, another credential has been stored meanwhile: nothing is changed.
pub(super) async fn settle(app: &App, tenant: &Tenant, held: &Held, seen: Observed) -> Result<Outcome, Error> {
    let did = if seen.judgement.verdict == Verdict::Ok {
        Did::Asked
    } else {
        Did::Failed
    };
    let recorded = connections::record(app, tenant, &held.connection().id, &seen).await?;
    finished(app, tenant, held, (recorded, did)).await
}

async fn finished(app: &App, tenant: &Tenant, held: &Held, (recorded, did): (Recorded, Did)) -> Result<Outcome, Error> {
    match recorded {
        Recorded::Changed(_, connection) => Ok(Outcome {
            did,
            connection: *connection,
        }),
        Recorded::Superseded => as_it_is(app, tenant, &held.connection().id, Did::Superseded).await,
    }
}
