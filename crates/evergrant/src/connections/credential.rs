//! The credential of a connection: sealed at rest, a typed value for as short a time as possible.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
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

impl Credential {
    /// A stored value by the name that placements use.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self {
            Self::Keys(values) => values.get(name).map(Secret::expose),
            Self::OAuth2(tokens) if name == "access_token" => Some(tokens.access_token.expose()),
            Self::OAuth2(tokens) => tokens.inputs.get(name).map(String::as_str),
        }
    }
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

/// Typed-in values as they are stored, each a secret from the moment it is read.
struct Keys(BTreeMap<String, Secret>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<_, String>()? {
                    keys.insert(name, Secret::from(value));
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A credential as it is stored.
#[derive(Deserialize)]
struct Stored {
    keys: Option<Keys>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    scope: Option<Vec<String>>,
    client_id: Option<String>,
    inputs: Option<BTreeMap<String, String>>,
    extras: Option<String>,
}

/// Opens a connection's credential.
pub fn open(sealer: &Sealer, id: &ConnectionId, sealed: &Sealed) -> Result<Credential, Error> {
    let text = sealer.open(place(id), sealed)?;
    let corrupt = || Error::Corrupt {
        table: "connections",
        id: id.to_string(),
    };
    let stored: Stored = serde_json::from_slice(text.expose()).map_err(|_| corrupt())?;
    if let Some(Keys(values)) = stored.keys {
        return Ok(Credential::Keys(values));
    }
    Ok(Credential::OAuth2(Tokens {
        access_token: stored.access_token.map(Secret::from).ok_or_else(corrupt)?,
        refresh_token: stored.refresh_token.map(Secret::from),
        scope: stored.scope,
        client_id: stored.client_id.unwrap_or_default(),
        inputs: stored.inputs.unwrap_or_default(),
        extras: Secret::from(stored.extras.unwrap_or_else(|| "{}".to_owned())),
    }))
}
