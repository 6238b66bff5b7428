//! A credential put where its application wants it.

use std::borrow::Cow;
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
    pub base: Cow<'a, Url>,
    /// Headers: the credential and what the application wants besides. Names in lower case.
    pub headers: Vec<(&'a str, Secret)>,
    /// Query parameters that carry the credential.
    pub query: Vec<(&'a str, Secret)>,
    fields: &'a [InputField],
    credential: &'a Credential,
}

impl<'a> Access<'a> {
    /// Works out how to call `application` with `credential`.
    pub fn of(application: &'a Application, credential: &'a Credential) -> Result<Self, Error> {
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
        let fixed = &application.api.headers;
        let mut access = Self {
            base: base(application, auth_type, credential)?,
            headers: Vec::with_capacity(fixed.len() + placement.len()),
            query: Vec::new(),
            fields: application.inputs(auth_type),
            credential,
        };
        let fixed = fixed.iter();
        access
            .headers
            .extend(fixed.map(|(name, value)| (name.as_str(), Secret::from(value.clone()))));
        for place in placement {
            let placed = place.place(&|name| credential.value(name));
            match placed.ok_or_else(|| outgrown(application))? {
                Placed::Header(name, value) => access.headers.push((name, value)),
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
        let inputs = inputs_of(self.credential);
        let mut url = probe.address(&self.base, self.fields, &inputs).map_err(unfit)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        Ok(url)
    }
}

/// What the customer typed in, for addresses.
fn inputs_of(credential: &Credential) -> Cow<'_, BTreeMap<String, String>> {
    match credential {
        Credential::Keys(values) => {
            let typed = values.iter();
            Cow::Owned(
                typed
                    .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                    .collect(),
            )
        }
        Credential::OAuth2(tokens) => Cow::Borrowed(&tokens.inputs),
    }
}

/// Where the API is: the token reply may have named it.
fn base<'a>(application: &'a Application, auth_type: AuthType, credential: &Credential) -> Result<Cow<'a, Url>, Error> {
    if let Some(base) = application.common_api_base(auth_type) {
        return Ok(Cow::Borrowed(base));
    }
    let reply: Option<Value> = match credential {
        Credential::OAuth2(tokens) if application.api_base_is_in_reply() => {
            serde_json::from_str(tokens.extras.expose()).ok()
        }
        Credential::OAuth2(_) | Credential::Keys(_) => None,
    };
    let base = application.api_base(auth_type, &inputs_of(credential), reply.as_ref());
    base.map(Cow::Owned).map_err(unfit)
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
