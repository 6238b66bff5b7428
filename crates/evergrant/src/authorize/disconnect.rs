//! Giving consent back.

use std::time::Duration;

use evergrant_oauth::TokenHint;
use tokio::task::JoinSet;

use super::store;
use crate::accounts::{self, LinkedAccount};
use crate::app::App;
use crate::catalog::AuthType;
use crate::clients::{self, Purpose};
use crate::connections::{self, Connection, Credential};
use crate::db::Tx;
use crate::egress::Request;
use crate::error::Error;
use crate::tenants::Tenant;
use crate::webhooks::EventKind;

/// How long a provider may take to hear that its grant is given back.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends an account's connections to an application: of one auth type, or all. Credential, identifier and evidence are
/// erased in one transaction, together with the event; afterwards the provider is told, once and without insisting (RFC
/// 7009). Says how many there were.
pub async fn disconnect(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    (slug, auth_type): (&str, Option<AuthType>),
) -> Result<usize, Error> {
    let mut tx = app.db.begin().await?;
    let erased = erase(app, &mut tx, tenant, (account, slug, auth_type)).await?;
    tx.commit().await?;
    let ended = erased.len();
    give_back_all(app, tenant, erased).await;
    Ok(ended)
}

/// Deletes an account: ends every connection it has, its sessions, and all that is stored of it, in one transaction. A
/// consent that completes meanwhile either comes before, and is ended too, or finds no account. Says how many connections there were.
pub async fn delete_account(app: &App, tenant: &Tenant, account: &LinkedAccount, by: &str) -> Result<usize, Error> {
    let mut tx = app.db.begin().await?;
    accounts::store::hold(&mut tx, &tenant.id, &account.id).await?;
    let live = connections::store::of_account(&mut tx, &tenant.id, &account.id).await?;
    let slugs: std::collections::BTreeSet<String> = live.into_iter().map(|one| one.slug).collect();
    let mut erased = Vec::new();
    for slug in slugs {
        erased.extend(erase(app, &mut tx, tenant, (account, &slug, None)).await?);
    }
    accounts::delete(&mut tx, tenant, account, (by, app.now())).await?;
    tx.commit().await?;
    let ended = erased.len();
    give_back_all(app, tenant, erased).await;
    Ok(ended)
}

type Erased = (Connection, Option<Credential>);

/// Erases an account's connections to an application, with the event when the last one goes.
async fn erase(
    app: &App,
    tx: &mut Tx,
    tenant: &Tenant,
    (account, slug, auth_type): (&LinkedAccount, &str, Option<AuthType>),
) -> Result<Vec<Erased>, Error> {
    let mut erased = Vec::new();
    for kind in [AuthType::OAuth2, AuthType::Keybased] {
        if auth_type.is_none_or(|only| only == kind) {
            erased.extend(connections::erase(app, tx, tenant, (account, slug, kind)).await?);
        }
    }
    store::forget(tx, &tenant.id, &account.id, slug).await?;
    let live = connections::store::of_account(tx, &tenant.id, &account.id).await?;
    let left = live.iter().any(|one| one.slug == slug);
    if let (Some((last, _)), false) = (erased.last(), left) {
        connections::tell(tx, tenant, last, (EventKind::ConnectionDeleted, app.now())).await?;
    }
    Ok(erased)
}

/// Tells the providers, all at once.
async fn give_back_all(app: &App, tenant: &Tenant, erased: Vec<Erased>) {
    let mut told = JoinSet::new();
    for (connection, credential) in erased {
        let (app, tenant) = (app.clone(), tenant.clone());
        told.spawn(async move { give_back(&app, &tenant, &connection, credential.as_ref()).await });
    }
    told.join_all().await;
}

/// Tells the provider. It may be down, or the grant long dead: our side is done either way.
pub(super) async fn give_back(app: &App, tenant: &Tenant, connection: &Connection, credential: Option<&Credential>) {
    let Some(Credential::OAuth2(tokens)) = credential else {
        return;
    };
    let told = async {
        let application = app
            .catalog
            .get(&connection.slug)
            .ok_or(Error::NotFound("Application"))?;
        let client = clients::get(app, tenant, &connection.slug).await?;
        let purpose = (&**application, &tokens.inputs, Purpose::Revoke);
        let Some(endpoint) = clients::endpoint(app, tenant, &client, purpose).await? else {
            return Ok(None);
        };
        let (token, hint) = match &tokens.refresh_token {
            Some(token) => (token, TokenHint::RefreshToken),
            None => (&tokens.access_token, TokenHint::AccessToken),
        };
        let request = Request {
            timeout: PATIENCE,
            ..endpoint.revoke(token, Some(hint)).into()
        };
        app.egress
            .send(request)
            .await
            .map(|answer| Some(answer.status))
            .map_err(|_| Error::ProviderUnavailable { retry_after: None })
    };
    match told.await {
        Ok(None) => {}
        Ok(Some(status)) if (200..300).contains(&status) => {}
        Ok(Some(status)) => {
            tracing::info!(connection = %connection.id, status, "the provider did not take the grant back");
        }
        Err(error) => tracing::info!(connection = %connection.id, %error, "the provider was not told"),
    }
}
