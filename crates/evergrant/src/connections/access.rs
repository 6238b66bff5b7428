//! A credential put where its application wants it.

use std::collections::BTreeMap;

use evergrant_oauth::TemplateError;
use serde_json::Value;
use url::Url;

use super::credential::Credential;
use crate::catalog::{Application, AuthType, InputField, Placed, Probe};
use crate::error::Error;
use crate::secret::Secret;

/// Where an application's API is for one connection, and what every call carries. It holds secrets and does not print.
pub struct Access<'a> {
    /// The base of the API.
    pub base: Url,
    /// Headers: the credential and what the application wants besides. Names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters that carry the credential.
    pub query: Vec<(String, Secret)>,
    fields: &'a [InputField],
    inputs: BTreeMap<String, String>,
}

impl<'a> Access<'a> {
    /// Works out how to call `application` with `credential`.
    pub fn of(application: &'a Application, credential: &Credential) -> Result<Self, Error> {
        let (auth_type, placement) = match credential {
            Credential::OAuth2(_) => (
                AuthType::OAuth2,
                application.oauth2.as_ref().map(|scheme| &scheme.placement),
            ),
            Credential::Keys(_) => (
                AuthType::Keybased,
                application.keybased.as_ref().map(|scheme| &scheme.placement),
            ),
        };
        let placement = placement.ok_or_else(|| outgrown(application))?;
        let (fields, inputs) = (application.inputs(auth_type), inputs_of(credential));
        let mut access = Self {
            base: base(application, auth_type, credential, &inputs)?,
            headers: Vec::new(),
            query: Vec::new(),
            fields,
            inputs,
        };
        let fixed = application.api.headers.iter();
        access
            .headers
            .extend(fixed.map(|(name, value)| (name.to_ascii_lowercase(), Secret::from(value.clone()))));
        let values = values_of(credential);
        for place in placement {
            match place.place(&values).ok_or_else(|| outgrown(application))? {
                Placed::Header(name, value) => access.headers.push((name.to_ascii_lowercase(), value)),
                Placed::Query(name, value) => access.query.push((name, value)),
            }
        }
        Ok(access)
    }

    /// Whether HTTP can carry the headers (RFC 9110, 5.5): visible ASCII, spaces and tabs. What a customer types in may
    /// hold anything.
    #[must_use]
    pub fn fits_into_headers(&self) -> bool {
        let fits = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        self.headers.iter().all(|(_, value)| value.expose().bytes().all(fits))
    }

    /// The address of the application's probe, with the parameters that carry the credential.
    pub fn probe_url(&self, probe: &Probe) -> Result<Url, Error> {
        let mut url = probe.address(&self.base, self.fields, &self.inputs).map_err(unfit)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        Ok(url)
    }
}

/// What the customer typed in, for addresses.
fn inputs_of(credential: &Credential) -> BTreeMap<String, String> {
    match credential {
        Credential::Keys(values) => values
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect(),
        Credential::OAuth2(tokens) => tokens.inputs.clone(),
    }
}

/// The stored values by the names that placements use.
fn values_of(credential: &Credential) -> BTreeMap<String, Secret> {
    match credential {
        Credential::Keys(values) => values.clone(),
        Credential::OAuth2(tokens) => {
            let inputs = tokens
                .inputs
                .iter()
                .map(|(name, value)| (name.clone(), Secret::from(value.clone())));
            inputs
                .chain([("access_token".to_owned(), tokens.access_token.clone())])
                .collect()
        }
    }
}

/// Where the API is: the token reply may have named it.
fn base(
    application: &Application,
    auth_type: AuthType,
    credential: &Credential,
    inputs: &BTreeMap<String, String>,
) -> Result<Url, Error> {
    let reply: Option<Value> = match credential {
        Credential::OAuth2(tokens) if application.api_base_is_in_reply() => {
            serde_json::from_str(tokens.extras.expose()).ok()
        }
        Credential::OAuth2(_) | Credential::Keys(_) => None,
    };
    application.api_base(auth_type, inputs, reply.as_ref()).map_err(unfit)
}

/// The application's file has changed since the customer connected.
fn outgrown(application: &Application) -> Error {
    Error::Conflict(format!(
        "what is stored no longer suffices for `{}`, whose file asks for more now: connect again",
        application.slug
    ))
}

fn unfit(_: TemplateError) -> Error {
    Error::Internal("stored values that no longer fit the application's address")
}
