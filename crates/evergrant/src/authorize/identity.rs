//! Which account at the provider this is, as the application's file says where to look.

use serde_json::{Value, json};

use crate::app::App;
use crate::catalog::{Application, Identity, IdentitySource};
use crate::connections::Credential;
use crate::probes;

/// The provider, asked whose grant it is, gave no usable answer: it may give one later.
#[derive(Debug)]
pub(super) struct Unanswered;

/// The external account of a fresh grant. Not knowing it is no reason to fail: the grant stands.
pub(super) async fn of_grant(app: &App, application: &Application, credential: &Credential) -> Option<Value> {
    ask(app, application, credential).await.ok().flatten()
}

/// The same, which tells "nobody knows" from "not now".
pub(super) async fn ask(
    app: &App,
    application: &Application,
    credential: &Credential,
) -> Result<Option<Value>, Unanswered> {
    let Some(identity) = application.oauth2.as_ref().and_then(|scheme| scheme.identity.as_ref()) else {
        return Ok(None);
    };
    let answer = match (identity.from, credential) {
        (IdentitySource::TokenReply, Credential::OAuth2(tokens)) => serde_json::from_str(tokens.extras.expose()).ok(),
        (IdentitySource::Input, Credential::OAuth2(tokens)) => Some(json!(tokens.inputs)),
        (IdentitySource::Probe, _) => {
            let reply = probes::ask(app, application, credential)
                .await
                .map_err(|_| Unanswered)?;
            let Some(reply) = reply else { return Ok(None) };
            let passing = reply.status >= 500 || reply.status == 429 || reply.status < 300 && reply.json().is_none();
            if passing {
                return Err(Unanswered);
            }
            reply.json()
        }
        _ => None,
    };
    Ok(answer.and_then(|answer| read(identity, &answer)))
}

/// Whether knowing the external account of a grant means that a call with it was accepted.
pub(super) fn is_probed(application: &Application) -> bool {
    let identity = application.oauth2.as_ref().and_then(|scheme| scheme.identity.as_ref());
    identity.is_some_and(|identity| identity.from == IdentitySource::Probe)
}

/// The external account that belongs to typed-in values, of which only those that are no secret are looked at.
pub(super) fn of_keys(identity: Option<&Identity>, open_values: &Value, probe: Option<&Value>) -> Option<Value> {
    let identity = identity?;
    match identity.from {
        IdentitySource::Input => read(identity, open_values),
        IdentitySource::Probe => read(identity, probe?),
        IdentitySource::TokenReply => None,
    }
}

/// `{ id, name }`, or the id alone where there is no other name.
fn read(identity: &Identity, answer: &Value) -> Option<Value> {
    let account = identity.read(answer)?;
    Some(if account.name == account.id {
        Value::from(account.id)
    } else {
        json!({ "id": account.id, "name": account.name })
    })
}
