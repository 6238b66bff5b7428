//! A credential put where its application wants it.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::credential::Credential;
use crate::catalog::{self, Application, AuthType, InputField, Placed};
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
        let placement = placement.ok_or(Error::Internal(
            "a credential of an auth type that its application no longer has",
        ))?;
        let (fields, inputs) = (application.inputs(auth_type), inputs_of(credential));
        let mut access = Self {
            base: base(application, credential, (fields, &inputs))?,
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
            match place.place(&values).ok_or(Error::Internal(
                "a stored credential lacks a value that its application places",
            ))? {
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

    /// The address of a path below the base, or of an absolute address, as the catalogue writes it, with the parameters
    /// that carry the credential.
    pub fn url(&self, template: &str) -> Result<Url, Error> {
        let mut url = if template.contains("://") {
            expand(template, self.fields, &self.inputs)?
        } else {
            // The path is filled in on its own: the base has been decided already.
            let filled = expand(&format!("https://path.invalid{template}"), self.fields, &self.inputs)?;
            let mut url = self.base.clone();
            url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), filled.path()));
            url.set_query(filled.query());
            url
        };
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

/// The API's base: named by the token reply where the file says so, else the file's template.
fn base(
    application: &Application,
    credential: &Credential,
    (fields, inputs): (&[InputField], &BTreeMap<String, String>),
) -> Result<Url, Error> {
    if let (Credential::OAuth2(tokens), Some(scheme)) = (credential, &application.oauth2)
        && let Some(named) = &scheme.api_base_from_extra
    {
        let extras: Value = serde_json::from_str(tokens.extras.expose()).unwrap_or_default();
        if let Some(url) = named.resolve(&extras) {
            return Ok(url);
        }
    }
    expand(&application.api.base_url, fields, inputs)
}

fn expand(template: &str, fields: &[InputField], inputs: &BTreeMap<String, String>) -> Result<Url, Error> {
    catalog::expand(template, fields, inputs)
        .map_err(|_| Error::Internal("stored values that no longer fit the application's address"))
}
