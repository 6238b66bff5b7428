//! The story of one call.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::call::Call;
use super::exchange::{Exchange, Sent};
use super::judged::{flags, is_refusal, look, speaks, success};
use super::successes::Successes;
use super::{headers, lookup};
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{self, Connection, ConnectionStatus, Credential, Guard, Named, Observed, Writer};
use crate::db::Glance;
use crate::egress::Download;
use crate::error::{CallFault, Error};
use crate::reason::{Confidence, Verdict};
use crate::refresh::{self, Did, Why};
use crate::tenants::Tenant;
use crate::verdict::Judgement;

/// How long an access token must still live, so that it does not end on the way.
const NEED: Duration = Duration::from_secs(30);

/// Who calls, for whom.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The environment.
    pub tenant: &'a Tenant,
    /// The team's own id of its customer.
    pub linked_account_id: &'a str,
    /// Since when what is looked up must be true.
    pub since: Glance,
}

/// What a call is made with.
struct Held {
    found: Arc<Named>,
    credential: Credential,
}

impl Held {
    fn connection(&self) -> &Connection {
        &self.found.connection
    }
}

/// Makes a call, and returns the provider's answer as soon as its head is there.
///
/// A caller who hangs up ends it. What must be done to its end all the same has a task of its own: a renewal, and everything
/// that follows an answer which speaks of the credential.
pub async fn forward(
    app: &App,
    caller: Caller<'_>,
    (application, call): (&Arc<Application>, Call),
    successes: &Successes,
) -> Result<Response<Download>, Error> {
    let tenant = caller.tenant;
    let wanted = (&**application, call.auth_type);
    let found = lookup::connection(app, tenant, (caller.linked_account_id, caller.since), wanted).await?;
    let held = live(app, tenant, found).await?;
    let mut exchange = Exchange::new(app, call, held.connection().schedule.has_refresh_token);
    let Sent {
        answer,
        with_credential,
    } = exchange.send(app, application, &held.credential).await?;
    let said = if with_credential {
        said_of(application, &answer)
    } else {
        Said::Nothing
    };
    let answer = match said {
        Said::Nothing => answer,
        Said::Success if !successes.is_due(held.connection(), app.now()) => answer,
        Said::Success | Said::Something => {
            let story = Story {
                app: app.clone(),
                tenant: tenant.clone(),
                application: application.clone(),
                successes: successes.clone(),
            };
            story.finish((answer, held, said), exchange).await?
        }
    };
    let (mut parts, body) = answer.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::Call(CallFault::ReplyLost));
    }
    parts.headers = headers::returned(parts.headers);
    Ok(Response::from_parts(parts, body))
}

/// What the call is made with, renewed first if it would not last.
async fn live(app: &App, tenant: &Tenant, found: Arc<Named>) -> Result<Held, Error> {
    match refresh::as_it_is_good(app, tenant, &found.connection, NEED).await? {
        Some(credential) => Ok(Held { found, credential }),
        None => renewed(app.clone(), tenant.clone(), found).await,
    }
}

/// Boxed, since it is rare and large.
fn renewed(app: App, tenant: Tenant, found: Arc<Named>) -> Pin<Box<dyn Future<Output = Result<Held, Error>> + Send>> {
    Box::pin(async move {
        let tasks = app.tasks().clone();
        let renewed = async move {
            let Named {
                connection,
                linked_account_id,
            } = Arc::unwrap_or_clone(found);
            let (connection, credential) = refresh::live_of(&app, &tenant, connection, NEED).await?;
            let found = Arc::new(Named {
                connection,
                linked_account_id,
            });
            Ok(Held { found, credential })
        };
        tasks.finish(renewed.in_current_span()).await
    })
}

/// What the head of an answer says of the credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing.
    Nothing,
    /// It was accepted.
    Success,
    /// Perhaps something: the rest of the answer must be looked at.
    Something,
}

fn said_of(application: &Application, answer: &Response<Download>) -> Said {
    if speaks(application, answer) {
        Said::Something
    } else if answer.status().is_success() {
        Said::Success
    } else {
        Said::Nothing
    }
}

/// What follows an answer that speaks.
struct Story {
    app: App,
    tenant: Tenant,
    application: Arc<Application>,
    successes: Successes,
}

type Finishing = Pin<Box<dyn Future<Output = Result<Response<Download>, Error>> + Send>>;

/// What became of one sending.
enum Told {
    /// To be passed on.
    Answer(Response<Download>),
    /// The credential was refused.
    Refused(Response<Download>, Judgement),
}

impl Story {
    /// Goes on to the end, whether the caller waits for it or not. Boxed, since it is rare and large.
    fn finish(self, (answer, held, said): (Response<Download>, Held, Said), exchange: Exchange) -> Finishing {
        Box::pin(async move {
            let tasks = self.app.tasks().clone();
            let gone = CancellationToken::new();
            let _gone_with_us = gone.clone().drop_guard();
            let rest = async move {
                if said == Said::Success {
                    self.note(held.connection(), answer.status()).await;
                    return Ok(answer);
                }
                self.tell((answer, held), exchange.ending_with(gone)).await
            };
            tasks.finish(rest.in_current_span()).await
        })
    }

    async fn tell(
        &self,
        (answer, held): (Response<Download>, Held),
        mut exchange: Exchange,
    ) -> Result<Response<Download>, Error> {
        let (answer, judgement) = match self.judged(answer, &held, None).await {
            Told::Answer(answer) => return Ok(answer),
            Told::Refused(answer, judgement) => (answer, judgement),
        };
        if !held.connection().schedule.has_refresh_token {
            return self.refused((held.connection(), None), answer, judgement).await;
        }
        let renewed = self.renewed(&held).await;
        let Some((newer, fresh)) = renewed.map_err(|error| exchange.told(error))? else {
            return Ok(answer);
        };
        if !exchange.can_repeat() {
            return Err(Error::Call(CallFault::Repeat));
        }
        drop(answer);
        tracing::info!(connection = %newer.connection().id, "the access token was refused and has been renewed; the call is repeated");
        let again = exchange.send(&self.app, &self.application, &newer.credential).await?;
        if !again.with_credential {
            return Ok(again.answer);
        }
        match self.judged(again.answer, &newer, fresh).await {
            Told::Answer(answer) => Ok(answer),
            Told::Refused(answer, judgement) => self.refused((newer.connection(), fresh), answer, judgement).await,
        }
    }

    /// Looks at an answer.
    async fn judged(&self, mut answer: Response<Download>, held: &Held, fresh: Option<bool>) -> Told {
        let about = (&*self.application, held.connection());
        let judgement = match said_of(&self.application, &answer) {
            Said::Nothing => return Told::Answer(answer),
            Said::Success => None,
            Said::Something => Some(look(&self.app, about, &mut answer, fresh).await),
        };
        match judgement {
            Some(judgement) if is_refusal(held.connection(), &judgement, &self.app) => {
                return Told::Refused(answer, judgement);
            }
            Some(judgement) if judgement.verdict != Verdict::Ok => self.keep(held.connection(), &judgement).await,
            _ if !answer.status().is_success() => {}
            _ if self.successes.is_due(held.connection(), self.app.now()) => {
                self.note(held.connection(), answer.status()).await;
            }
            _ => {}
        }
        Told::Answer(answer)
    }

    /// A success that cannot be written down is still a success.
    async fn note(&self, connection: &Connection, status: StatusCode) {
        let noted = Successes::note(&self.app, &self.tenant, (connection, success(status))).await;
        if let Err(error) = noted {
            tracing::warn!(connection = %connection.id, %error, "a success could not be written down");
        }
    }

    /// A failure that cannot be kept is still the caller's answer.
    async fn keep(&self, connection: &Connection, seen: &Judgement) {
        if let Err(error) = self.successes.keep(&self.app, &self.tenant, (connection, seen)).await {
            tracing::warn!(connection = %connection.id, %error, "a failure could not be kept");
        }
    }

    /// Whether what was refused has been, or is being, looked into: a refusal without a word on its cause proves nothing where
    /// the application has a call that does.
    async fn is_looked_into(
        &self,
        (connection, fresh): (&Connection, Option<bool>),
        seen: &Judgement,
    ) -> Result<bool, Error> {
        let doubtful = seen.confidence == Confidence::Inferred
            && (seen.evidence.words.is_empty() || !connection.schedule.has_refresh_token);
        if !doubtful || !self.application.proves(connection.auth_type) {
            return Ok(false);
        }
        if self.successes.may_doubt(connection, self.app.now()) {
            self.keep(connection, seen).await;
            let about = (&*self.application, connection);
            return Ok(refresh::second_look(&self.app, &self.tenant, about, fresh)
                .await?
                .is_some());
        }
        Ok(true)
    }

    /// The credential that replaces a refused one, and whether a refresh has just produced it; `None` where the team has no
    /// client to refresh with.
    async fn renewed(&self, refused: &Held) -> Result<Option<(Held, Option<bool>)>, Error> {
        let (id, version) = (&refused.connection().id, refused.connection().version);
        let outcome = refresh::renew(&self.app, &self.tenant, id, Why::Refused { version }).await?;
        let connection = outcome.connection;
        match &connection.status {
            ConnectionStatus::Disconnected { .. } => return Err(Error::NotFound("Connection")),
            ConnectionStatus::ReauthRequired(flag) => {
                return Err(refresh::reauth_required(&self.app, &self.tenant, &connection, flag).await?);
            }
            ConnectionStatus::Active => {}
        }
        if outcome.did == Did::NoClient {
            return Ok(None);
        }
        if connection.version == version {
            return Err(Error::ProviderUnavailable { retry_after: None });
        }
        let fresh = matches!(outcome.did, Did::Renewed | Did::Waited).then_some(true);
        let credential = connections::open_credential(&self.app, &self.tenant, &connection).await?;
        let found = Arc::new(Named {
            connection,
            linked_account_id: refused.found.linked_account_id.clone(),
        });
        Ok(Some((Held { found, credential }, fresh)))
    }

    /// Refused, and nothing left to try: if that is proof, it is recorded and the caller is told; else the answer is the caller's.
    async fn refused(
        &self,
        (connection, fresh): (&Connection, Option<bool>),
        answer: Response<Download>,
        judgement: Judgement,
    ) -> Result<Response<Download>, Error> {
        if flags(connection, &judgement, &self.app) && !self.is_looked_into((connection, fresh), &judgement).await? {
            let seen = Observed {
                guard: Guard {
                    version: connection.version,
                    writer: Writer::Beside,
                },
                judgement,
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            connections::record(&self.app, &self.tenant, &connection.id, &seen).await?;
        }
        // Somebody else may have come to that conclusion, or stored something newer.
        let now = connections::find(&self.app, &self.tenant, &connection.id).await?;
        match &now.status {
            ConnectionStatus::ReauthRequired(flag) => {
                Err(refresh::reauth_required(&self.app, &self.tenant, &now, flag).await?)
            }
            _ => Ok(answer),
        }
    }
}
