//! From our API to the provider's consent page.

use evergrant_oauth::{AuthorizationRequest, State, Verifier};
use url::Url;

use super::asker::{Asker, return_address};
use super::model::{Inputs, LIFETIME, Pending, check_inputs};
use super::store::{self, Authorization};
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::catalog::{self, Application, AuthType};
use crate::clients::{self, OAuthClient};
use crate::connections;
use crate::error::Error;
use crate::ids::{random_token, sha256_hex};
use crate::tenants::{self, Tenant};
use crate::vault::Place;

/// How many consents of one account for one application may be under way at once.
const MOST_AT_ONCE: i64 = 20;

/// An authorisation that has begun.
#[derive(Debug)]
pub struct Begun {
    /// What the customer's browser opens: our own start page, good for one use within ten minutes.
    pub url: String,
    /// Names the authorisation in the message to its page.
    pub flow: String,
}

/// Prepares an authorisation that no page waits for, and returns the URL that the customer's browser opens.
pub async fn begin(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    (application, inputs): (&Application, Inputs),
) -> Result<String, Error> {
    let begun = begin_for(app, (tenant, account), (application, inputs), Asker::at(None)).await?;
    Ok(begun.url)
}

/// Prepares an authorisation that a page has asked for. Nothing else changes.
pub async fn begin_for(
    app: &App,
    (tenant, account): (&Tenant, &LinkedAccount),
    (application, inputs): (&Application, Inputs),
    asker: Asker,
) -> Result<Begun, Error> {
    let flow = asker.flow.clone();
    let scheme = clients::scheme(application)?;
    let inputs = check_inputs(application, AuthType::OAuth2, inputs)?;
    let client = clients::get(app, tenant, &application.slug).await?;
    catalog::expand(&scheme.authorization_url, &scheme.inputs, &inputs)?;
    let token = random_token("");
    let pending = Pending {
        verifier: scheme.pkce.then(Verifier::generate),
        redirect_uri: app.url(&format!("/api/v1/{}/callback", application.slug)),
        client_id: client.client_id,
        inputs,
        asker,
    };
    let start_hash = sha256_hex(token.expose().as_bytes());
    let sealer = tenants::sealer(app, tenant).await?;
    let sealed_request = sealer.seal(place(&start_hash), pending.to_text().as_bytes());
    let now = app.now();
    let mut tx = app.db.begin().await?;
    accounts::hold(&mut tx, tenant, account).await?;
    let live = connections::store::of_account(&mut tx, &tenant.id, &account.id).await?;
    let repaired = live
        .into_iter()
        .find(|one| one.slug == application.slug && one.auth_type == AuthType::OAuth2);
    let authorization = Authorization {
        start_hash,
        tenant: tenant.id.clone(),
        account: account.id.clone(),
        slug: application.slug.clone(),
        connection: repaired.map(|one| one.id),
        sealed_request,
    };
    store::insert(&mut tx, &authorization, (now, now.after(LIFETIME))).await?;
    store::trim(&mut tx, &authorization, MOST_AT_ONCE).await?;
    tx.commit().await?;
    let url = app.url(&format!("/api/v1/{}/start/{}", application.slug, token.expose()));
    Ok(Begun { url, flow })
}

/// Where the start page sends the browser.
#[derive(Debug)]
pub struct Started {
    /// The provider's authorisation endpoint, with everything it needs. It holds the state: not for logs.
    pub url: Url,
}

/// Opens an authorisation: binds it to the browser, gives it its state. `None` when the link was used before, is older than
/// ten minutes or never was. `return_to` is where the browser goes in the end; only registered origins are heeded.
pub async fn start(
    app: &App,
    (slug, token): (&str, &str),
    browser: &str,
    return_to: Option<&str>,
) -> Result<Option<Started>, Error> {
    let Some(application) = app.catalog.get(slug) else {
        return Ok(None);
    };
    let state = State::generate();
    let start_hash = sha256_hex(token.as_bytes());
    let browser_hash = sha256_hex(browser.as_bytes());
    let mut tx = app.db.begin().await?;
    let opened = store::open_by_token(&mut tx, (&start_hash, slug), (&state.hash(), &browser_hash), app.now()).await?;
    let Some(authorization) = opened else { return Ok(None) };
    let environment = tenants::store::get_environment(&mut tx, &authorization.tenant).await?;
    tx.commit().await?;
    let tenant = environment.tenant;
    let mut pending = open(app, &tenant, &authorization).await?;
    if let Some(address) = return_to.and_then(|text| return_address(text, &environment.return_origins)) {
        pending.asker.return_to = Some(address);
        let sealer = tenants::sealer(app, &tenant).await?;
        let sealed = sealer.seal(place(&authorization.start_hash), pending.to_text().as_bytes());
        let mut tx = app.db.begin().await?;
        store::set_request(&mut tx, &tenant.id, &authorization.start_hash, &sealed).await?;
        tx.commit().await?;
    }
    let client = clients::get(app, &tenant, slug).await?;
    consent_url(application, &client, &pending, state).map(|url| Some(Started { url }))
}

fn consent_url(application: &Application, client: &OAuthClient, pending: &Pending, state: State) -> Result<Url, Error> {
    let scheme = clients::scheme(application)?;
    let endpoint = catalog::expand(&scheme.authorization_url, &scheme.inputs, &pending.inputs)?;
    let request = AuthorizationRequest {
        scopes: client.scopes.clone().unwrap_or_else(|| scheme.scopes.clone()),
        scope_separator: scheme.scope_separator.clone(),
        scope_parameter: scheme.scope_parameter.clone(),
        challenge: pending.verifier.as_ref().map(Verifier::challenge),
        extra: scheme
            .authorization_params
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ..AuthorizationRequest::new(endpoint, pending.client_id.clone(), pending.redirect_uri.clone(), state)
    };
    Ok(request.url())
}

/// Opens what an authorisation remembers.
pub(super) async fn open(app: &App, tenant: &Tenant, authorization: &Authorization) -> Result<Pending, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let opened = sealer.open(place(&authorization.start_hash), &authorization.sealed_request)?;
    Pending::from_bytes(&opened).ok_or_else(|| Error::Corrupt {
        table: "authorizations",
        id: authorization.start_hash.clone(),
    })
}

fn place(start_hash: &str) -> Place<'_> {
    Place {
        table: "authorizations",
        id: start_hash,
        column: "sealed_request",
    }
}
