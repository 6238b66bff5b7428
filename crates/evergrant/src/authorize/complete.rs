//! Back from the provider: the callback.

use std::sync::Arc;

use evergrant_oauth::{Callback, Outcome, TokenError, TokenSet, reply};
use url::Url;

use super::asker::Asker;
use super::begin::open;
use super::broken;
use super::disconnect::give_back;
use super::identity;
use super::model::Pending;
use super::store::{self, Authorization};
use super::switch::{self, Stopped};
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::catalog::{self, Application, AuthType};
use crate::clients::{self, Purpose};
use crate::connections::{self, Connection, Fresh, Given, Switch};
use crate::egress::Unreachable;
use crate::error::Error;
use crate::ids::{ConnectionId, sha256_hex};
use crate::incidents::Witness;
use crate::secret::Secret;
use crate::tenants::{self, Tenant};
use crate::verdict::redact;

/// A completed consent.
#[derive(Debug)]
pub struct Completed {
    /// The application's name, for the page.
    pub application: String,
    /// The connection, new or repaired.
    pub connection: Connection,
}

/// Why a callback completed nothing. Everything is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum NotCompleted {
    /// The callback is malformed, or its state is unknown, used, stale, or another browser's. Which one is not told.
    #[error("this link is no longer valid")]
    Invalid,
    /// The customer, or the provider on its behalf, said no.
    #[error("access was not granted")]
    Denied {
        /// The application's name.
        application: String,
    },
    /// The provider had a problem of its own before it could ask.
    #[error("the provider had a problem")]
    ProviderProblem {
        /// The application's name.
        application: String,
    },
    /// The provider would not ask: it does not accept the team's OAuth client, its scopes, or the request itself.
    #[error("the provider refuses how the application is set up")]
    NotSetUp {
        /// The application's name.
        application: String,
    },
    /// It is another account at the provider than the connection's.
    #[error("another account was expected")]
    OtherAccount(Box<Stopped>),
    /// The provider granted, and then would not or could not hand out tokens.
    #[error("the provider did not hand out tokens")]
    NoTokens {
        /// The application's name.
        application: String,
    },
    /// Ours.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What became of an authorisation, and who is to be told.
#[derive(Debug)]
pub struct Ended {
    /// The page that asked, where the callback is one of an authorisation that there is.
    pub asker: Option<Asker>,
    /// The end.
    pub result: Result<Completed, NotCompleted>,
}

/// Completes an authorisation: takes it away, exchanges the code, stores the grant, tells the team.
pub async fn complete(app: &App, slug: &str, pairs: &[(String, String)], browser: &str) -> Ended {
    match take(app, slug, pairs, browser).await {
        Ok(taken) => Ended {
            asker: Some(taken.pending.asker.clone()),
            result: finish(app, taken, browser).await,
        },
        Err(error) => Ended {
            asker: None,
            result: Err(error),
        },
    }
}

/// An authorisation that nobody else can complete any more.
struct Taken {
    callback: Callback,
    application: Arc<Application>,
    tenant: Tenant,
    account: LinkedAccount,
    authorization: Authorization,
    pending: Pending,
}

async fn take(app: &App, slug: &str, pairs: &[(String, String)], browser: &str) -> Result<Taken, NotCompleted> {
    let callback =
        Callback::parse(pairs.iter().map(|(name, value)| (name, value))).map_err(|_| NotCompleted::Invalid)?;
    let application = app.catalog.get(slug).cloned().ok_or(NotCompleted::Invalid)?;
    let browser_hash = sha256_hex(browser.as_bytes());
    let mut tx = app.db.begin().await?;
    let taken = store::take_by_state(&mut tx, (&callback.state.hash(), slug), &browser_hash, app.now()).await?;
    let authorization = taken.ok_or(NotCompleted::Invalid)?;
    let tenant = tenants::store::get_environment(&mut tx, &authorization.tenant)
        .await?
        .tenant;
    let account = accounts::store::get(&mut tx, &tenant.id, &authorization.account)
        .await?
        .ok_or(NotCompleted::Invalid)?;
    tx.commit().await?;

    let pending = open(app, &tenant, &authorization).await?;
    Ok(Taken {
        callback,
        application,
        tenant,
        account,
        authorization,
        pending,
    })
}

async fn finish(app: &App, taken: Taken, browser: &str) -> Result<Completed, NotCompleted> {
    let Taken {
        callback,
        application,
        tenant,
        account,
        authorization,
        pending,
    } = taken;
    check_issuer(&callback, &application, &pending)?;
    let code = match callback.outcome {
        Outcome::Granted { code } => code,
        Outcome::Denied { error, .. } => {
            broken::refused_at_callback(app, &tenant, &application, &error).await;
            return Err(refused(&application, &error));
        }
    };
    let set = exchange(app, &tenant, (&application, &pending), &code).await?;
    let (client_id, inputs, asker) = (pending.client_id, pending.inputs, pending.asker);
    let fresh = Fresh::granted(set, client_id, inputs, (&application.lifetimes, app.now()));
    let asked = identity::ask(app, &application, &fresh.credential).await;
    let unanswered = asked.is_err();
    let identifier = asked.ok().flatten();

    let repaired = authorization.connection.as_ref();
    let given = Given {
        account: &account,
        application: &application,
        auth_type: AuthType::OAuth2,
        fresh,
        proved: identity::is_probed(&application) && identifier.is_some(),
        identifier,
        switch: Switch::Refused,
    };
    if unanswered && switch::expects_an_account(app, &tenant, &given).await? {
        // Whose the old one was is known, whose this one is cannot be told now: it may not be swapped unseen.
        let application = application.name.clone();
        return Err(NotCompleted::ProviderProblem { application });
    }
    if let Some(found) = switch::other_account(app, &tenant, &given).await? {
        let stopped = switch::stop(app, &tenant, given, found, (browser, &asker)).await?;
        return Err(NotCompleted::OtherAccount(Box::new(stopped)));
    }
    let connection = store_grant(app, &tenant, given, repaired).await?;
    Ok(Completed {
        application: application.name.clone(),
        connection,
    })
}

/// Stores the grant, in the connection that it was asked for. If that one has ended meanwhile, by a disconnect whose word
/// is the later one, nothing is stored.
async fn store_grant(
    app: &App,
    tenant: &Tenant,
    given: Given<'_>,
    repaired: Option<&ConnectionId>,
) -> Result<Connection, NotCompleted> {
    let mut tx = app.db.begin().await?;
    let (connection, is_new) = connections::activate(app, &mut tx, tenant, given).await?;
    if repaired.is_none_or(|id| *id == connection.id) {
        let works = (connection.slug.as_str(), Witness::Connection(&connection.id));
        let aftermath = connections::client_works(&mut tx, tenant, works, app.now()).await?;
        tx.commit().await?;
        connections::follow(app, tenant, &connection.slug, aftermath).await;
        return Ok(connection);
    }
    drop(tx);
    if is_new {
        // Only then: where another has been connected since, giving this grant back could end that one's too.
        let credential = connections::open_credential(app, tenant, &connection).await?;
        give_back(app, tenant, &connection, Some(&credential)).await;
    }
    Err(NotCompleted::Invalid)
}

/// What an error at the callback means to the customer (RFC 6749, section 4.1.2.1; `OpenID` Connect Core 1.0, section
/// 3.1.2.6). Only a known code is a "no" of the customer: what is unknown cannot be cured by trying again.
fn refused(application: &Application, code: &str) -> NotCompleted {
    tracing::info!(slug = application.slug, code = loggable(code), "consent was not given");
    let application = application.name.clone();
    match code {
        "access_denied" | "consent_required" | "interaction_required" | "login_required" => {
            NotCompleted::Denied { application }
        }
        "server_error" | "temporarily_unavailable" => NotCompleted::ProviderProblem { application },
        _ => NotCompleted::NotSetUp { application },
    }
}

/// An `iss` that is sent must name the server that was asked (RFC 9207, section 2.4). Where the file names no issuer, the
/// host of one of the application's own endpoints is what there is to compare it with.
fn check_issuer(callback: &Callback, application: &Application, pending: &Pending) -> Result<(), NotCompleted> {
    let expected = issuer(application, pending)?;
    callback
        .check_issuer(expected.as_deref())
        .map_err(|_| NotCompleted::Invalid)?;
    let (None, Some(sent)) = (expected, callback.iss.as_deref()) else {
        return Ok(());
    };
    let sent = Url::parse(sent).map_err(|_| NotCompleted::Invalid)?;
    let scheme = clients::scheme(application)?;
    for template in [&scheme.authorization_url, &scheme.token_url] {
        let own = catalog::expand(template, &scheme.inputs, &pending.inputs).map_err(Error::from)?;
        if own.host() == sent.host() {
            return Ok(());
        }
    }
    Err(NotCompleted::Invalid)
}

fn issuer(application: &Application, pending: &Pending) -> Result<Option<String>, Error> {
    let scheme = clients::scheme(application)?;
    let Some(template) = scheme.issuer.as_deref() else {
        return Ok(None);
    };
    if !template.contains('{') {
        return Ok(Some(template.to_owned()));
    }
    let url = catalog::expand(template, &scheme.inputs, &pending.inputs)?;
    let text = url.as_str();
    // A parsed URL without a path gains a slash that the issuer, compared as text, does not have.
    Ok(Some(
        if template.ends_with('/') {
            text
        } else {
            text.trim_end_matches('/')
        }
        .to_owned(),
    ))
}

async fn exchange(
    app: &App,
    tenant: &Tenant,
    (application, pending): (&Application, &Pending),
    code: &Secret,
) -> Result<TokenSet, NotCompleted> {
    let client = clients::get(app, tenant, &application.slug).await?;
    if client.client_id != pending.client_id {
        // The team changed its client while the customer was at the provider: the code belongs to the old one.
        return Err(NotCompleted::Invalid);
    }
    let purpose = (application, &pending.inputs, Purpose::Exchange);
    let endpoint = clients::endpoint(app, tenant, &client, purpose)
        .await?
        .ok_or(Error::Internal("no token endpoint"))?;
    let request = endpoint.authorization_code(code, &pending.redirect_uri, pending.verifier.as_ref());
    let sent = request.sent.clone();
    let no_tokens = || NotCompleted::NoTokens {
        application: application.name.clone(),
    };
    let answer = app.egress.send(request.into()).await.map_err(|error: Unreachable| {
        tracing::warn!(slug = application.slug, %error, "the code was not exchanged");
        no_tokens()
    })?;
    let shape = clients::scheme(application)?.reply_shape();
    match reply::read(answer.status, &answer.body, &shape, &sent) {
        Ok(set) => Ok(set),
        Err(error) => {
            let (status, code) = match &error {
                TokenError::Rejected { status, code, .. } => (status, code.as_deref().map(loggable)),
                TokenError::Unintelligible { status } => (status, None),
            };
            tracing::warn!(slug = application.slug, status, code, "the code was not exchanged");
            broken::refused_code(app, tenant, application, &answer).await;
            Err(no_tokens())
        }
    }
}

/// An error code as the log may hold it. Careless providers put sentences in its place, and in those whatever they were sent.
fn loggable(code: &str) -> String {
    let is_word = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if is_word {
        redact(code)
    } else {
        "no plain code".to_owned()
    }
}
