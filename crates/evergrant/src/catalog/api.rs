//! Where an application's API is, how to ask it whether a credential works, and whose it is.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use evergrant_oauth::TemplateError;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use url::Url;

use super::model::{Application, AuthType, InputField};
use super::urls::expand;

/// The token reply names the API's address; it is believed only under the file's own host suffixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiBaseFromExtra {
    /// JSON pointer into the token reply.
    pub pointer: String,
    /// Each begins with a dot: `.salesforce.com`.
    pub host_suffixes: Vec<String>,
    /// Appended to the address.
    #[serde(default)]
    pub path: String,
}

impl ApiBaseFromExtra {
    /// The API's base from the extras of a token reply: https, a host under a listed suffix, no user or port.
    #[must_use]
    pub fn resolve(&self, reply: &Value) -> Option<Url> {
        let mut url = Url::parse(reply.pointer(&self.pointer)?.as_str()?).ok()?;
        let host = url.host_str()?.to_ascii_lowercase();
        let ours = self
            .host_suffixes
            .iter()
            .any(|suffix| host.len() > suffix.len() && host.ends_with(suffix.as_str()));
        let plain =
            url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
        if !ours || !plain {
            return None;
        }
        url.set_query(None);
        url.set_fragment(None);
        let path = format!("{}{}", url.path().trim_end_matches('/'), self.path);
        url.set_path(&path);
        Some(url)
    }
}

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Template over the input fields; no trailing slash.
    pub base_url: String,
    /// Sent with every call, besides the credential. Names in lower case.
    #[serde(default, deserialize_with = "in_lower_case")]
    pub headers: BTreeMap<String, String>,
    /// Hosts besides the API's own to which redirects may be followed, without the credential: a name, a suffix that begins with
    /// a dot, or a name and a port.
    #[serde(default)]
    pub redirect_hosts: Vec<String>,
    /// The base, where it is the same for all customers: parsed when it is first used.
    #[serde(skip)]
    pub fixed_base: OnceLock<Option<Url>>,
}

impl Api {
    /// The base that is the same for all customers, if it is.
    pub(super) fn fixed_base(&self) -> Option<&Url> {
        let parsed = || (!self.base_url.contains('{')).then(|| Url::parse(&self.base_url).ok())?;
        self.fixed_base.get_or_init(parsed).as_ref()
    }
}

fn in_lower_case<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(from)?.into_iter();
    Ok(headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect())
}

/// A call that truly needs the credential and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// `GET` or `POST`.
    #[serde(default = "get")]
    pub method: String,
    /// A path below the API's base, or an absolute URL (template).
    pub url: String,
    /// Sent as JSON.
    #[serde(default)]
    pub body: Option<Value>,
    /// JSON pointers and values that prove success besides a 2xx status.
    #[serde(default)]
    pub expect: BTreeMap<String, Value>,
}

impl Application {
    /// Whether typed-in values make the addresses that calls go to: the API's base, where no token reply names it, and the
    /// call that proves a key. A value that does not is found out before it is stored.
    pub fn check_addresses(&self, auth_type: AuthType, values: &BTreeMap<String, String>) -> Result<(), TemplateError> {
        if auth_type == AuthType::OAuth2 && self.api_base_is_in_reply() {
            return Ok(());
        }
        let base = self.api_base(auth_type, values, None)?;
        let scheme = self.keybased.as_ref().filter(|_| auth_type == AuthType::Keybased);
        match scheme.and_then(|scheme| scheme.probe.as_ref()) {
            Some(probe) => probe.address(&base, self.inputs(auth_type), values).map(drop),
            None => Ok(()),
        }
    }
}

impl Probe {
    /// Its address over an API base that is filled in already.
    pub fn address(
        &self,
        base: &Url,
        fields: &[InputField],
        values: &BTreeMap<String, String>,
    ) -> Result<Url, TemplateError> {
        if self.url.starts_with('/') {
            expand(
                &format!("{}{}", base.as_str().trim_end_matches('/'), self.url),
                fields,
                values,
            )
        } else {
            expand(&self.url, fields, values)
        }
    }

    /// Whether a successful answer's body proves what the file expects of it.
    #[must_use]
    pub fn is_met_by(&self, body: Option<&Value>) -> bool {
        self.expect
            .iter()
            .all(|(at, wanted)| body.and_then(|body| body.pointer(at)) == Some(wanted))
    }
}

fn get() -> String {
    "GET".to_owned()
}

/// Where the external account's id and display name come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Which answer holds them.
    pub from: IdentitySource,
    /// JSON pointer, or the input field's name.
    pub id: String,
    /// JSON pointer, or the input field's name; the id when absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// The customer's account at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalAccount {
    /// The provider's own id of it: the same before and after a reconnect.
    pub id: String,
    /// For people.
    pub name: String,
}

impl Identity {
    /// Reads the account from the answer that `from` names; for [`IdentitySource::Input`] the values as an object.
    #[must_use]
    pub fn read(&self, answer: &Value) -> Option<ExternalAccount> {
        let at = |place: &str| match (self.from, place) {
            (IdentitySource::Input, field) => answer.get(field).and_then(as_text),
            (_, pointer) => answer.pointer(pointer).and_then(as_text),
        };
        let id = at(&self.id)?;
        let name = self.name.as_deref().and_then(at).unwrap_or_else(|| id.clone());
        Some(ExternalAccount { id, name })
    }
}

/// Ids come as texts and as numbers. At most 200 characters are kept, and no control characters.
fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    (!text.is_empty()).then_some(text)
}

/// Which answer names the external account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentitySource {
    /// The token reply.
    TokenReply,
    /// The probe's answer.
    Probe,
    /// What the customer typed in.
    Input,
}
