//! Tokens and keys that a team brings along from elsewhere.

use evergrant_oauth::{Extras, TokenSet};

use super::model::{Inputs, check_inputs};
use super::{identity, save_keys_as};
use crate::accounts::LinkedAccount;
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::clients;
use crate::connections::{self, Connection, Fresh, Given, Switch};
use crate::error::Error;
use crate::refresh;
use crate::secret::Secret;
use crate::tenants::Tenant;

/// What a migration did.
#[derive(Debug)]
pub struct Migrated {
    /// The connection.
    pub connection: Connection,
    /// Whether there was none before.
    pub created: bool,
}

/// Stores what a team brings along. Tokens are tried first, where they can be: a refused one changes nothing.
pub async fn migrate(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    (application, auth_type, given): (&Application, AuthType, Inputs),
) -> Result<Migrated, Error> {
    let live = connections::store::of_account(&mut *app.db.read().await?, &tenant.id, &account.id).await?;
    let created = !live
        .iter()
        .any(|one| one.slug == application.slug && one.auth_type == auth_type);
    let connection = match auth_type {
        AuthType::Keybased => save_keys_as(app, (tenant, account), (application, given), Switch::Allowed).await?,
        AuthType::OAuth2 => tokens(app, tenant, account, (application, given)).await?,
    };
    Ok(Migrated { connection, created })
}

async fn tokens(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    (application, mut given): (&Application, Inputs),
) -> Result<Connection, Error> {
    clients::scheme(application)?;
    let mut take = |name: &str| given.remove(name).filter(|text| !text.is_empty()).map(Secret::from);
    let (access_token, refresh_token) = (take("access_token"), take("refresh_token"));
    if access_token.is_none() && refresh_token.is_none() {
        return Err(Error::invalid("give an access_token, a refresh_token, or both"));
    }
    let inputs = check_inputs(application, AuthType::OAuth2, given)?;
    let client = clients::get(app, tenant, &application.slug).await?;
    let fresh = match (access_token, refresh_token) {
        // A refresh token is proved by using it: the reply says how long the access token lives, too.
        (_, Some(refresh_token)) => {
            let set = refresh::exchange_once(app, tenant, (application, &client, &inputs), &refresh_token).await?;
            let set = TokenSet {
                refresh_token: set.refresh_token.or(Some(refresh_token)),
                ..set
            };
            Fresh::granted(set, client.client_id, inputs, (&application.lifetimes, app.now()))
        }
        (Some(access_token), None) => {
            let set = bare(access_token);
            let fresh = Fresh::granted(set, client.client_id, inputs, (&application.lifetimes, app.now()));
            crate::probes::prove(app, application, &fresh.credential).await?;
            fresh
        }
        (None, None) => return Err(Error::Internal("unreachable: one token was given")),
    };
    // Stored before anything else: where the refresh rotated it, the token that the team brought along is dead.
    let given = Given {
        account,
        application,
        auth_type: AuthType::OAuth2,
        fresh,
        proved: false,
        identifier: None,
        // Whose it is comes out only afterwards, and the team has said that this is the one.
        switch: Switch::Allowed,
    };
    let mut tx = app.db.begin().await?;
    let (connection, _) = connections::activate(app, &mut tx, tenant, given).await?;
    tx.commit().await?;
    identify(app, tenant, application, connection).await
}

/// Learns whose account a stored grant is; not knowing it is no reason to fail.
async fn identify(
    app: &App,
    tenant: &Tenant,
    application: &Application,
    connection: Connection,
) -> Result<Connection, Error> {
    let credential = connections::open_credential(app, tenant, &connection).await?;
    let Some(identifier) = identity::of_grant(app, application, &credential).await else {
        return Ok(connection);
    };
    let proved_at = identity::is_probed(application).then(|| app.now());
    let mut tx = app.db.begin().await?;
    connections::store::identify(&mut tx, &connection, &identifier, proved_at).await?;
    tx.commit().await?;
    Ok(Connection {
        identifier: Some(identifier),
        ..connection
    })
}

fn bare(access_token: Secret) -> TokenSet {
    TokenSet {
        access_token,
        refresh_token: None,
        token_type: None,
        expires_in: None,
        refresh_expires_in: None,
        scope: None,
        id_token: None,
        extras: Extras::from(serde_json::Map::new()),
    }
}
