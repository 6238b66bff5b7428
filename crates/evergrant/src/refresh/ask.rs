//! Asking the provider about a credential that cannot be refreshed.

use super::attempt::settle;
use super::outcome::{Did, Outcome};
use super::plan::CLOCKS;
use super::renew::{Held, application, give_back};
use crate::app::App;
use crate::connections::{self, Connection, Guard, Observed, Writer, circumstances};
use crate::egress::Reply;
use crate::error::Error;
use crate::probes;
use crate::reason::{Confidence, Reason, Verdict};
use crate::steps::Step;
use crate::tenants::Tenant;
use crate::verdict::{Evidence, Judgement};

/// Asks, and records the answer.
pub(super) async fn ask(app: &App, tenant: &Tenant, held: &Held) -> Result<Outcome, Error> {
    let connection = held.connection();
    let opened = async {
        let application = application(app, connection)?;
        let credential = connections::open_credential(app, tenant, connection).await?;
        Ok::<_, Error>((application, credential))
    };
    let (application, credential) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            give_back(app, held, None).await?;
            return Err(error);
        }
    };
    held.place.begin();
    let answer = match probes::ask(app, &application, &credential).await {
        Ok(None) => return unverified(app, held).await,
        Ok(Some(reply)) => Ok(reply),
        Err(error) => Err(error),
    };
    app.steps.at(Step::ProbeReplied).await;
    let known = circumstances(connection, &application, app.now());
    let seen = answer.as_ref().map_err(|error| *error);
    let judgement = probes::judged(&application, &credential, seen, known);
    let retry_after = answer.ok().as_ref().and_then(Reply::retry_after);
    let observed = Observed {
        retry_after,
        ..observed(connection, judgement)
    };
    let outcome = settle(app, tenant, held, observed).await?;
    let did = if outcome.did == Did::Failed {
        Did::Asked
    } else {
        outcome.did
    };
    Ok(Outcome { did, ..outcome })
}

/// There is no call that would prove anything. A token past its end is judged by the clock alone, once every clock agrees.
async fn unverified(app: &App, held: &Held) -> Result<Outcome, Error> {
    let connection = held.connection();
    let certain = connection.schedule.expires_at.map(|end| end.after(CLOCKS));
    give_back(app, held, certain).await?;
    Ok(Outcome {
        did: Did::Unverified,
        connection: connection.clone(),
    })
}

/// The access token has ended and there is nothing to refresh it with: the clock says so, nobody else.
pub(super) fn ended(connection: &Connection) -> Observed {
    let end = connection.schedule.expires_at;
    let judgement = Judgement {
        verdict: Verdict::Reauth,
        reason: Some(Reason::AccessTokenExpired),
        confidence: Confidence::Stated,
        evidence: Evidence {
            rule: "plan.access_token_ended".to_owned(),
            words: end
                .map(|end| format!("the access token ended at {}", end.iso()))
                .unwrap_or_default(),
            status: 0,
        },
    };
    observed(connection, judgement)
}

/// A judgement that holds for the credential and the lease that we have.
pub(super) fn observed(connection: &Connection, judgement: Judgement) -> Observed {
    Observed {
        guard: Guard {
            version: connection.version,
            writer: Writer::Holder(connection.fence),
        },
        judgement,
        fresh: None,
        retry_after: None,
        reply_lost: false,
    }
}
