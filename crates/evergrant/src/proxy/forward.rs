//! The story of one call.

use std::time::Duration;

use http::{Response, StatusCode};

use super::call::Call;
use super::exchange::{Exchange, Sent};
use super::judged::{flags, is_refusal, look, success};
use super::successes::Successes;
use super::{headers, lookup};
use crate::app::App;
use crate::catalog::Application;
use crate::connections::{self, Connection, ConnectionStatus, Credential, Guard, Observed};
use crate::egress::Download;
use crate::error::{CallFault, Error};
use crate::reason::{Confidence, Verdict};
use crate::refresh::{self, Did, Why};
use crate::tenants::Tenant;
use crate::verdict::Judgement;

/// How long an access token must still live, so that it does not end on the way.
const NEED: Duration = Duration::from_secs(30);

/// Who calls, for whom.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The environment.
    pub tenant: &'a Tenant,
    /// The team's own id of its customer.
    pub linked_account_id: &'a str,
}

/// What a call is made with.
struct Held {
    connection: Connection,
    credential: Credential,
}

/// Makes a call, and returns the provider's answer as soon as its head is there.
pub async fn forward(
    app: &App,
    caller: Caller<'_>,
    (application, call): (&Application, Call),
    successes: &Successes,
) -> Result<Response<Download>, Error> {
    let story = Story {
        app,
        tenant: caller.tenant,
        application,
        successes,
    };
    let wanted = (application, call.auth_type);
    let found = lookup::connection(app, caller.tenant, caller.linked_account_id, wanted).await?;
    let (connection, credential) = refresh::live_of(app, caller.tenant, found, NEED).await?;
    let held = Held { connection, credential };
    let exchange = Exchange::new(app, call, held.connection.schedule.has_refresh_token);
    let answer = story.tell(&exchange, held).await?;
    let (mut parts, body) = answer.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::Call(CallFault::ReplyLost));
    }
    parts.headers = headers::returned(parts.headers);
    Ok(Response::from_parts(parts, body))
}

/// Where a story takes place.
struct Story<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    application: &'a Application,
    successes: &'a Successes,
}

/// What became of one sending.
enum Told {
    /// To be passed on.
    Answer(Response<Download>),
    /// The credential was refused.
    Refused(Response<Download>, Judgement),
}

impl Story<'_> {
    async fn tell(&self, exchange: &Exchange, held: Held) -> Result<Response<Download>, Error> {
        let (answer, judgement) = match self.once(exchange, &held, None).await? {
            Told::Answer(answer) => return Ok(answer),
            Told::Refused(answer, judgement) => (answer, judgement),
        };
        if !held.connection.schedule.has_refresh_token {
            return self.refused((held.connection, None), answer, judgement).await;
        }
        let Some((newer, fresh)) = self.renewed(&held).await? else {
            return Ok(answer);
        };
        if !exchange.body.is_whole() {
            return Err(Error::Call(CallFault::Repeat));
        }
        drop(answer);
        tracing::info!(connection = %newer.connection.id, "the access token was refused and has been renewed; the call is repeated");
        match self.once(exchange, &newer, fresh).await? {
            Told::Answer(answer) => Ok(answer),
            Told::Refused(answer, judgement) => self.refused((newer.connection, fresh), answer, judgement).await,
        }
    }

    /// Sends, and looks at the answer.
    async fn once(&self, exchange: &Exchange, held: &Held, fresh: Option<bool>) -> Result<Told, Error> {
        let Sent {
            mut answer,
            with_credential,
        } = exchange.send(self.app, self.application, &held.credential).await?;
        if !with_credential {
            return Ok(Told::Answer(answer));
        }
        let about = (self.application, &held.connection);
        let judgement = look(self.app, about, &mut answer, fresh).await;
        match judgement {
            Some(judgement) if is_refusal(&held.connection, &judgement, self.app) => {
                return Ok(Told::Refused(answer, judgement));
            }
            Some(judgement) if judgement.verdict != Verdict::Ok => self.keep(&held.connection, &judgement).await,
            _ if answer.status().is_success() => self.note(&held.connection, answer.status()).await,
            _ => {}
        }
        Ok(Told::Answer(answer))
    }

    /// A success that cannot be written down is still a success.
    async fn note(&self, connection: &Connection, status: StatusCode) {
        let noted = self
            .successes
            .note(self.app, self.tenant, (connection, success(status)))
            .await;
        if let Err(error) = noted {
            tracing::warn!(connection = %connection.id, %error, "a success could not be written down");
        }
    }

    /// A failure that cannot be kept is still the caller's answer.
    async fn keep(&self, connection: &Connection, seen: &Judgement) {
        if let Err(error) = self.successes.keep(self.app, self.tenant, (connection, seen)).await {
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
            let about = (self.application, connection);
            return Ok(refresh::second_look(self.app, self.tenant, about, fresh)
                .await?
                .is_some());
        }
        Ok(true)
    }

    /// The credential that replaces a refused one, and whether a refresh has just produced it; `None` where the team has no
    /// client to refresh with.
    async fn renewed(&self, refused: &Held) -> Result<Option<(Held, Option<bool>)>, Error> {
        let (id, version) = (&refused.connection.id, refused.connection.version);
        let outcome = refresh::renew(self.app, self.tenant, id, Why::Refused { version }).await?;
        let connection = outcome.connection;
        match &connection.status {
            ConnectionStatus::Disconnected { .. } => return Err(Error::NotFound("Connection")),
            ConnectionStatus::ReauthRequired(flag) => {
                return Err(refresh::reauth_required(self.app, self.tenant, &connection, flag).await?);
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
        let credential = connections::open_credential(self.app, self.tenant, &connection).await?;
        Ok(Some((Held { connection, credential }, fresh)))
    }

    /// Refused, and nothing left to try: if that is proof, it is recorded and the caller is told; else the answer is the caller's.
    async fn refused(
        &self,
        (connection, fresh): (Connection, Option<bool>),
        answer: Response<Download>,
        judgement: Judgement,
    ) -> Result<Response<Download>, Error> {
        if flags(&connection, &judgement, self.app) && !self.is_looked_into((&connection, fresh), &judgement).await? {
            let seen = Observed {
                guard: Guard {
                    version: connection.version,
                    fence: None,
                },
                judgement,
                fresh: None,
                retry_after: None,
                reply_lost: false,
            };
            connections::record(self.app, self.tenant, &connection.id, &seen).await?;
        }
        // Somebody else may have come to that conclusion, or stored something newer.
        let now = connections::find(self.app, self.tenant, &connection.id).await?;
        match &now.status {
            ConnectionStatus::ReauthRequired(flag) => {
                Err(refresh::reauth_required(self.app, self.tenant, &now, flag).await?)
            }
            _ => Ok(answer),
        }
    }
}
