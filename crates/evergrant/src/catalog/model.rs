//! What an application is, as its file says it.

use std::collections::BTreeMap;

use evergrant_oauth::TemplateError;
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::notices::Notices;
use super::scheme::{KeyScheme, Lifetimes, OAuth2Scheme, Refreshing};
use super::urls;
use crate::verdict::Rules;

/// How a connection authenticates, in the words of the wire contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthType {
    /// OAuth 2.0, authorisation code.
    #[serde(rename = "oauth2")]
    OAuth2,
    /// A key or other values that the customer types in.
    Keybased,
}

impl AuthType {
    /// The spelling on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OAuth2 => "oauth2",
            Self::Keybased => "keybased",
        }
    }

    /// The value of that spelling.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "oauth2" => Some(Self::OAuth2),
            "keybased" => Some(Self::Keybased),
            _ => None,
        }
    }
}

impl From<AuthType> for crate::verdict::Auth {
    fn from(auth_type: AuthType) -> Self {
        match auth_type {
            AuthType::OAuth2 => Self::OAuth2,
            AuthType::Keybased => Self::ApiKey,
        }
    }
}

/// A third-party product: how it authenticates, where its API is, how its failures read.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its name in URLs; unique.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// Categories.
    pub tags: Vec<String>,
    /// The name of its icon; the server knows where icons are.
    pub icon: String,
    /// The version of its file.
    pub version: String,
    /// A hint shown above the connect form.
    pub help: Option<String>,
    /// Which shared provider file its rules continue in.
    pub provider: Option<String>,
    /// The primary auth type; its scheme is present.
    pub auth_type: AuthType,
    /// Present when it can be connected by OAuth 2.0.
    pub oauth2: Option<OAuth2Scheme>,
    /// Present when it can be connected by typed-in values.
    pub keybased: Option<KeyScheme>,
    /// Where calls go.
    pub api: Api,
    /// How long its tokens live.
    pub lifetimes: Lifetimes,
    /// What it tells us by itself, and how that is verified.
    pub notices: Option<Notices>,
    /// How its tokens are refreshed.
    pub refreshing: Refreshing,
    /// How its answers read: its own rules, then its provider's.
    pub rules: Rules,
    /// From the operator's folder, not built in.
    pub custom: bool,
    /// Its provider is the built-in sandbox: for `test` environments only.
    pub sandbox: bool,
}

impl Application {
    /// Whether there is a call that proves a credential of this auth type.
    #[must_use]
    pub fn proves(&self, auth_type: AuthType) -> bool {
        match auth_type {
            AuthType::OAuth2 => self.oauth2.as_ref().is_some_and(|scheme| scheme.probe.is_some()),
            AuthType::Keybased => self.keybased.as_ref().is_some_and(|scheme| scheme.probe.is_some()),
        }
    }

    /// Where the fact behind a rule of this application's comes from, by the rule's name.
    #[must_use]
    pub fn source_of(&self, rule: &str) -> Option<&str> {
        let of_answers = self.rules.0.iter().find(|known| known.name == rule);
        let notices = self.notices.as_ref();
        let of_notices = notices.filter(|notices| notices.event.iter().any(|event| event.name == rule));
        of_answers
            .map(|known| known.source.as_str())
            .or_else(|| of_notices.map(|notices| notices.source.as_str()))
    }
}

/// One field of a form, exactly as it stands on the wire (contract, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputField {
    /// The key to send back.
    pub name: String,
    /// The title.
    pub label: String,
    /// `text`, `password`, `number`, `boolean`, `select`, `textarea`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// Shown while empty.
    pub placeholder: String,
    /// Several values may be chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple: Option<bool>,
    /// Shown beside the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_text: Option<String>,
    /// What a `select` offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<InputOption>>,
    /// A regular expression that the whole value must match; not on the wire.
    #[serde(skip)]
    pub pattern: Option<Pattern>,
    /// Whether the value is a secret: never shown again, sealed; not on the wire. Default: of type `password`
    /// or in a key form without being said otherwise.
    #[serde(skip)]
    pub secret: bool,
}

/// One choice of a `select`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputOption {
    /// What people see; the value when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is sent.
    pub value: String,
}

/// A regular expression for whole values, compiled when the file was read.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    compiled: regex::Regex,
}

impl Pattern {
    /// Compiles it, anchored at both ends.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let compiled = regex::Regex::new(&format!(r"\A(?:{text})\z"))?;
        Ok(Self {
            text: text.to_owned(),
            compiled,
        })
    }

    /// As written in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole value matches.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        self.compiled.is_match(value)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The type of one credential field in the auth structure (contract, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum FieldSpec {
    /// Required, of that type.
    Required(String),
    /// Optional.
    Optional {
        /// The type.
        #[serde(rename = "type")]
        kind: String,
        /// Always `false`.
        required: bool,
    },
}

impl FieldSpec {
    fn new(kind: &str, required: bool) -> Self {
        if required {
            Self::Required(kind.to_owned())
        } else {
            Self::Optional {
                kind: kind.to_owned(),
                required,
            }
        }
    }

    /// Whether the field must be given.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }
}

/// Auth type (by its spelling), then field, then its type.
pub type AuthStructure = BTreeMap<&'static str, BTreeMap<String, FieldSpec>>;

impl Application {
    /// Whether it can be connected this way.
    #[must_use]
    pub const fn supports(&self, auth_type: AuthType) -> bool {
        match auth_type {
            AuthType::OAuth2 => self.oauth2.is_some(),
            AuthType::Keybased => self.keybased.is_some(),
        }
    }

    /// The fields asked of the customer for an auth type; empty when it asks nothing or is not supported.
    #[must_use]
    pub fn inputs(&self, auth_type: AuthType) -> &[InputField] {
        match auth_type {
            AuthType::OAuth2 => self.oauth2.as_ref().map_or(&[], |scheme| &scheme.inputs),
            AuthType::Keybased => self.keybased.as_ref().map_or(&[], |scheme| &scheme.inputs),
        }
    }

    /// Where calls go, if neither the customer's values nor the token reply have a say in it.
    #[must_use]
    pub fn common_api_base(&self, auth_type: AuthType) -> Option<&url::Url> {
        let named = auth_type == AuthType::OAuth2 && self.api_base_is_in_reply();
        self.api.fixed_base().filter(|_| !named)
    }

    /// Where calls go, without a slash at the end: as the token reply named it (`reply`, where the file says that it
    /// does), else as the file has it, with the customer's values filled in.
    pub fn api_base(
        &self,
        auth_type: AuthType,
        values: &BTreeMap<String, String>,
        reply: Option<&serde_json::Value>,
    ) -> Result<url::Url, TemplateError> {
        let named = self.oauth2.as_ref().filter(|_| auth_type == AuthType::OAuth2);
        let named = named.and_then(|scheme| scheme.api_base_from_extra.as_ref());
        match named.and_then(|extra| extra.resolve(reply?)) {
            Some(base) => Ok(base),
            None => match self.api.fixed_base() {
                Some(base) => Ok(base.clone()),
                None => urls::expand(&self.api.base_url, self.inputs(auth_type), values),
            },
        }
    }

    /// Whether a token reply may say where calls go.
    #[must_use]
    pub fn api_base_is_in_reply(&self) -> bool {
        let scheme = self.oauth2.as_ref();
        scheme.is_some_and(|scheme| scheme.api_base_from_extra.is_some())
    }

    /// The supported auth types, the primary one first.
    #[must_use]
    pub fn auth_types(&self) -> Vec<AuthType> {
        let mut both = vec![AuthType::OAuth2, AuthType::Keybased];
        both.retain(|auth_type| self.supports(*auth_type));
        both.sort_by_key(|auth_type| *auth_type != self.auth_type);
        both
    }

    /// `auth_type_options` of the wire contract: one key per supported auth type, the primary one first.
    #[must_use]
    pub fn auth_type_options(&self) -> serde_json::Map<String, serde_json::Value> {
        let entry = |auth_type: AuthType| (auth_type.as_str().to_owned(), as_json(self.inputs(auth_type)));
        self.auth_types().into_iter().map(entry).collect()
    }

    /// `auth_input_map` of the wire contract: the primary auth type's fields.
    #[must_use]
    pub fn auth_input_map(&self) -> &[InputField] {
        self.inputs(self.auth_type)
    }

    /// The auth structure (contract, section 5): what `migrate-token` accepts.
    ///
    /// `client_id`, `client_secret` and `callback_url` are not among the fields: the OAuth client is the team's
    /// (contract, section 19, row 13).
    #[must_use]
    pub fn auth_structure(&self) -> AuthStructure {
        let of = |auth_type: AuthType| {
            let typed = self.inputs(auth_type).iter();
            let mut fields: BTreeMap<_, _> = typed
                .map(|field| {
                    (
                        field.name.clone(),
                        FieldSpec::new(wire_type(&field.kind), field.required),
                    )
                })
                .collect();
            if auth_type == AuthType::OAuth2 {
                // Either suffices, so neither is required by itself (contract, section 6.5).
                for token in ["access_token", "refresh_token"] {
                    fields.insert(token.to_owned(), FieldSpec::new("string", false));
                }
            }
            (auth_type.as_str(), fields)
        };
        self.auth_types().into_iter().map(of).collect()
    }
}

impl Application {
    /// Puts the sandbox's origin where its file says `{sandbox}`.
    pub(super) fn fill_sandbox(&mut self, origin: &str) {
        let fill = |text: &mut String| *text = text.replace(super::SANDBOX_MARK, origin);
        fill(&mut self.api.base_url);
        if let Some(scheme) = &mut self.oauth2 {
            fill(&mut scheme.authorization_url);
            fill(&mut scheme.token_url);
            let optional = [&mut scheme.refresh_url, &mut scheme.revocation_url, &mut scheme.issuer];
            optional.into_iter().flatten().for_each(fill);
            scheme.probe.iter_mut().for_each(|probe| fill(&mut probe.url));
        }
        if let Some(probe) = self.keybased.as_mut().and_then(|scheme| scheme.probe.as_mut()) {
            fill(&mut probe.url);
        }
    }
}

/// Forms know many types; the auth structure knows those of JSON.
fn wire_type(kind: &str) -> &str {
    match kind {
        "number" | "boolean" => kind,
        _ => "string",
    }
}

fn as_json(fields: &[InputField]) -> serde_json::Value {
    serde_json::to_value(fields).expect("fields are plain strings and booleans")
}
