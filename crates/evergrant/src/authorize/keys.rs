//! Keys that a customer types in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::identity;
use super::model::{Inputs, check_inputs};
use crate::accounts::LinkedAccount;
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::connections::{self, Connection, Credential, Fresh, Given};
use crate::error::Error;
use crate::probes;
use crate::secret::Secret;
use crate::tenants::Tenant;

/// Verifies typed-in values with the provider and stores them; over an existing connection they repair it in place.
///
/// A refused key is [`Error::CredentialsRefused`] with the provider's reason, a provider that cannot be asked
/// [`Error::ProviderUnavailable`]: either way the old key stays.
pub async fn save_keys(
    app: &App,
    tenant: &Tenant,
    account: &LinkedAccount,
    (application, inputs): (&Application, Inputs),
) -> Result<Connection, Error> {
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
    let fresh = Fresh::keys(values, app.now());
    let given = Given {
        account,
        application,
        auth_type: AuthType::Keybased,
        fresh,
        identifier,
        proved: scheme.probe.is_some(),
    };
    let mut tx = app.db.begin().await?;
    let (connection, _) = connections::activate(app, &mut tx, tenant, given).await?;
    tx.commit().await?;
    Ok(connection)
}
