//! The credential of a connection: sealed at rest, a typed value for as short a time as possible.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::ids::ConnectionId;
use crate::secret::Secret;
use crate::vault::{Place, Sealed, Sealer};

/// What a connection authenticates with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A grant.
    OAuth2(Tokens),
    /// Typed-in values, by the names of their fields. Any of them may be secret.
    Keys(BTreeMap<String, Secret>),
}

/// The tokens of a grant, and what came with them.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For calls.
    pub access_token: Secret,
    /// For the next access token.
    pub refresh_token: Option<Secret>,
    /// What was granted, where the provider said so.
    pub scope: Option<Vec<String>>,
    /// The OAuth client it was issued to.
    pub client_id: String,
    /// What the customer filled into the application's address templates.
    pub inputs: BTreeMap<String, String>,
    /// The rest of the token reply, as JSON text; it may hold secrets.
    pub extras: Secret,
}

/// The place to which a connection's credential is bound.
#[must_use]
pub fn place(id: &ConnectionId) -> Place<'_> {
    Place {
        table: "connections",
        id: id.as_str(),
        column: "sealed_credential",
    }
}

/// Seals a credential for its connection.
#[must_use]
pub fn seal(sealer: &Sealer, id: &ConnectionId, credential: &Credential) -> Sealed {
    let value = match credential {
        Credential::OAuth2(tokens) => json!({
            "access_token": tokens.access_token.expose(),
            "refresh_token": tokens.refresh_token.as_ref().map(Secret::expose),
            "scope": tokens.scope,
            "client_id": tokens.client_id,
            "inputs": tokens.inputs,
            "extras": tokens.extras.expose(),
        }),
        Credential::Keys(values) => {
            let values: Map<String, Value> = values
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.expose())))
                .collect();
            json!({ "keys": values })
        }
    };
    let text = Zeroizing::new(value.to_string());
    sealer.seal(place(id), text.as_bytes())
}

/// Opens a connection's credential.
pub fn open(sealer: &Sealer, id: &ConnectionId, sealed: &Sealed) -> Result<Credential, Error> {
    let text = sealer.open(place(id), sealed)?;
    let corrupt = || Error::Corrupt {
        table: "connections",
        id: id.to_string(),
    };
    let value: Value = serde_json::from_slice(text.expose()).map_err(|_| corrupt())?;
    let secret = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .map(|text| Secret::from(text.to_owned()))
    };
    if let Some(keys) = value.get("keys").and_then(Value::as_object) {
        let one = |(name, value): (&String, &Value)| Some((name.clone(), Secret::from(value.as_str()?.to_owned())));
        return keys
            .iter()
            .map(one)
            .collect::<Option<_>>()
            .map(Credential::Keys)
            .ok_or_else(corrupt);
    }
    Ok(Credential::OAuth2(Tokens {
        access_token: secret("access_token").ok_or_else(corrupt)?,
        refresh_token: secret("refresh_token"),
        scope: value
            .get("scope")
            .and_then(|list| serde_json::from_value(list.clone()).ok())
            .flatten(),
        client_id: value
            .get("client_id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        inputs: value
            .get("inputs")
            .and_then(|map| serde_json::from_value(map.clone()).ok())
            .unwrap_or_default(),
        extras: secret("extras").unwrap_or_else(|| Secret::from("{}".to_owned())),
    }))
}
