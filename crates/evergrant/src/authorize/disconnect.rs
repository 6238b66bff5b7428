//! Giving consent back.

use std::time::Duration;

use evergrant_oauth::TokenHint;

use super::store;
use crate::accounts::LinkedAccount;
use crate::app::App;
use crate::catalog::AuthType;
use crate::clients::{self, Purpose};
use crate::connections::{self, Connection, Credential};
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
    let mut erased = Vec::new();
    for kind in [AuthType::OAuth2, AuthType::Keybased] {
        if auth_type.is_none_or(|only| only == kind) {
            erased.extend(connections::erase(app, &mut tx, tenant, (account, slug, kind)).await?);
        }
    }
    store::forget(&mut tx, &tenant.id, &account.id, slug).await?;
    let live = connections::store::of_account(&mut tx, &tenant.id, &account.id).await?;
    let left = live.iter().any(|one| one.slug == slug);
    if let (Some((last, _)), false) = (erased.last(), left) {
        connections::tell(&mut tx, tenant, last, (EventKind::ConnectionDeleted, app.now())).await?;
    }
    tx.commit().await?;
    for (connection, credential) in &erased {
        give_back(app, tenant, connection, credential.as_ref()).await;
    }
    Ok(erased.len())
}

/// Ends every connection of an account, which is about to be deleted.
pub async fn disconnect_all(app: &App, tenant: &Tenant, account: &LinkedAccount) -> Result<usize, Error> {
    let live = connections::store::of_account(&mut *app.db.read().await?, &tenant.id, &account.id).await?;
    let slugs: std::collections::BTreeSet<String> = live.into_iter().map(|one| one.slug).collect();
    let mut ended = 0;
    for slug in slugs {
        ended += disconnect(app, tenant, account, (&slug, None)).await?;
    }
    Ok(ended)
}

/// Tells the provider. It may be down, or the grant long dead: our side is done either way.
async fn give_back(app: &App, tenant: &Tenant, connection: &Connection, credential: Option<&Credential>) {
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
