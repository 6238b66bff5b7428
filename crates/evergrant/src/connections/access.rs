//! A credential put where its application wants it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::credential::Credential;
use crate::catalog::{Application, AuthType, Placement};
use crate::error::Error;
use crate::secret::Secret;

/// Where an application's API is for one connection, and what every call carries. It holds secrets and does not print.
pub struct Access {
    /// The base of the API, without a trailing slash in its path.
    pub base: Url,
    /// Headers: the credential and what the application wants besides.
    pub headers: Vec<(String, Secret)>,
    /// Query parameters that carry the credential.
    pub query: Vec<(String, Secret)>,
    values: BTreeMap<String, Secret>,
}

impl Access {
    /// Works out how to call `application` with `credential`.
    pub fn of(application: &Application, credential: &Credential) -> Result<Self, Error> {
        let values = values_of(credential);
        let placement = match credential {
            Credential::OAuth2(_) => application.oauth2.as_ref().map(|scheme| scheme.placement.as_slice()),
            Credential::Keys(_) => application.keybased.as_ref().map(|scheme| scheme.placement.as_slice()),
        }
        .ok_or(Error::Internal("a credential of an auth type that its application no longer has"))?;
        let mut access = Self { base: base_of(application, credential, &values)?, headers: Vec::new(), query: Vec::new(), values };
        for (name, value) in &application.api.headers {
            access.headers.push((name.to_ascii_lowercase(), Secret::from(value.clone())));
        }
        for place in placement {
            access.put(place)?;
        }
        Ok(access)
    }

    fn put(&mut self, place: &Placement) -> Result<(), Error> {
        match place {
            Placement::Bearer { token } => {
                let token = self.fill(token)?;
                let value = Zeroizing::new(format!("Bearer {}", token.expose()));
                self.headers.push(("authorization".to_owned(), Secret::from(value.to_string())));
            }
            Placement::Header { name, value } => self.headers.push((name.to_ascii_lowercase(), self.fill(value)?)),
            Placement::Basic { username, password } => {
                let pair = Zeroizing::new(format!("{}:{}", self.fill(username)?.expose(), self.fill(password)?.expose()));
                self.headers.push(("authorization".to_owned(), Secret::from(format!("Basic {}", STANDARD.encode(pair.as_bytes())))));
            }
            Placement::Query { name, value } => self.query.push((name.clone(), self.fill(value)?)),
        }
        Ok(())
    }

    /// Fills a template of the catalogue with the stored values. A name that is not stored is the file's mistake.
    pub fn fill(&self, template: &str) -> Result<Secret, Error> {
        fill(template, &self.values)
    }

    /// The address of a path below the base, or of an absolute URL of the catalogue, with the credential's parameters.
    pub fn url(&self, path: &str) -> Result<Url, Error> {
        let path = self.fill(path)?;
        let mut url = if path.expose().contains("://") {
            Url::parse(path.expose()).map_err(|_| Error::Internal("a probe's address in the catalogue"))?
        } else {
            let base = self.base.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{}", path.expose().trim_start_matches('/')))
                .map_err(|_| Error::Internal("a probe's path in the catalogue"))?
        };
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        Ok(url)
    }
}

/// The stored values by the names that templates use.
fn values_of(credential: &Credential) -> BTreeMap<String, Secret> {
    match credential {
        Credential::Keys(values) => values.clone(),
        Credential::OAuth2(tokens) => {
            let inputs = tokens.inputs.iter().map(|(name, value)| (name.clone(), Secret::from(value.clone())));
            inputs.chain([("access_token".to_owned(), tokens.access_token.clone())]).collect()
        }
    }
}

fn fill(template: &str, values: &BTreeMap<String, Secret>) -> Result<Secret, Error> {
    let mut out = Zeroizing::new(String::with_capacity(template.len() + 64));
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').ok_or(Error::Internal("a template of the catalogue has no end"))?;
        out.push_str(before);
        out.push_str(values.get(name).map(Secret::expose).unwrap_or_default());
        rest = behind;
    }
    out.push_str(rest);
    Ok(Secret::from(out.to_string()))
}

/// The API's base: named by the token reply where the file says so, else the file's template.
fn base_of(application: &Application, credential: &Credential, values: &BTreeMap<String, Secret>) -> Result<Url, Error> {
    if let (Credential::OAuth2(tokens), Some(scheme)) = (credential, &application.oauth2)
        && let Some(named) = &scheme.api_base_from_extra
    {
        let extras: Value = serde_json::from_str(tokens.extras.expose()).unwrap_or_default();
        if let Some(url) = named.resolve(&extras) {
            return Ok(url);
        }
    }
    let plain: BTreeMap<String, String> =
        values.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let auth_type = match credential {
        Credential::OAuth2(_) => AuthType::OAuth2,
        Credential::Keys(_) => AuthType::Keybased,
    };
    application.expand_url(&application.api.base_url, auth_type, &plain)
        .map_err(|_| Error::Internal("the stored values no longer fit the application's address"))
}
