//! Keys that a customer types in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::asker::Asker;
use super::identity;
use super::model::{Inputs, check_inputs};
use super::switch::{self, Stopped};
use crate::accounts::LinkedAccount;
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::connections::{self, Connection, Credential, Fresh, Given, Switch};
use crate::error::Error;
use crate::probes;
use crate::secret::Secret;
use crate::tenants::Tenant;

/// Verifies typed-in values with the provider and stores them; over an existing connection they repair it in place.
///
/// A refused key is [`Error::CredentialsRefused`] with the provider's reason, a provider that cannot be asked
/// [`Error::ProviderUnavailable`], another account's key [`Error::OtherAccount`]: each time the old key stays.
pub async fn save_keys(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    wish: (&Application, Inputs),
) -> Result<Connection, Error> {
    save_keys_as(app, (tenant, account), wish, Switch::Refused).await
}

/// The same, where `switch` says whether another account's key is taken.
pub async fn save_keys_as(
    app: &App,
    (tenant, account): (&Tenant, &LinkedAccount),
    (application, inputs): (&Application, Inputs),
    switch: Switch,
) -> Result<Connection, Error> {
    let given = Given {
        switch,
        ..verified(app, account, (application, inputs)).await?
    };
    store(app, tenant, given).await
}

/// What became of keys that were typed into a page of ours.
#[derive(Debug)]
pub enum KeysSaved {
    /// They are stored.
    Stored(Box<Connection>),
    /// They are another account's: nothing was changed.
    Stopped(Stopped),
}

/// The same for a browser that can be asked whether it knows what it does.
pub async fn save_keys_in_browser(
    app: &App,
    (tenant, account): (&Tenant, &LinkedAccount),
    wish: (&Application, Inputs),
    browser: &str,
) -> Result<KeysSaved, Error> {
    let given = verified(app, account, wish).await?;
    match switch::other_account(app, tenant, &given).await? {
        Some(found) => switch::stop(app, tenant, given, found, (browser, &Asker::default()))
            .await
            .map(KeysSaved::Stopped),
        None => store(app, tenant, given)
            .await
            .map(|stored| KeysSaved::Stored(Box::new(stored))),
    }
}

async fn store(app: &App, tenant: &Tenant, given: Given<'_>) -> Result<Connection, Error> {
    let mut tx = app.db.begin().await?;
    let (connection, _) = connections::activate(app, &mut tx, tenant, given).await?;
    tx.commit().await?;
    Ok(connection)
}

async fn verified<'a>(
    app: &App,
    account: &'a LinkedAccount,
    (application, inputs): (&'a Application, Inputs),
) -> Result<Given<'a>, Error> {
    let Some(scheme) = &application.keybased else {
        return Err(Error::invalid(format!(
            "`{}` takes no key: connect it by OAuth 2.0",
            application.slug
        )));
    };
    let inputs = check_inputs(application, AuthType::Keybased, inputs)?;
    let values: BTreeMap<String, Secret> = inputs
        .iter()
        .map(|(name, value)| (name.clone(), Secret::from(value.clone())))
        .collect();
    let credential = Credential::Keys(values.clone());
    let proof = probes::prove(app, application, &credential).await?;

    let open_values: Map<String, Value> = scheme
        .inputs
        .iter()
        .filter(|field| !field.secret)
        .filter_map(|field| Some((field.name.clone(), Value::from(inputs.get(&field.name)?.clone()))))
        .collect();
    let identifier = identity::of_keys(scheme.identity.as_ref(), &open_values.into(), proof.as_ref());
    Ok(Given {
        account,
        application,
        auth_type: AuthType::Keybased,
        fresh: Fresh::keys(values, app.now()),
        identifier,
        proved: scheme.probe.is_some(),
        switch: Switch::Refused,
    })
}
