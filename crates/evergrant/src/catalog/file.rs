//! An application's file: its exact form, and the way from it to an [`Application`].
//!
//! Every struct refuses unknown fields: a misspelt key is an error, never a silent default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::api::{Api, ApiBaseFromExtra, Identity, Probe};
use super::model::{Application, AuthType, InputField, InputOption, Pattern};
use super::scheme::{
    ClientAuthentication, KeyScheme, Lifetimes, OAuth2Scheme, Placement, Refreshing, Rotation, TokenBody,
};
use super::{FileError, Notices, check};
use crate::pace::Limits;
use crate::verdict::{Rule, Rules};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationFile {
    slug: String,
    name: String,
    description: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    icon: Option<String>,
    #[serde(default = "first_version")]
    version: String,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    auth_type: Option<AuthType>,
    api: Api,
    #[serde(default)]
    lifetimes: LifetimesFile,
    #[serde(default)]
    refresh: RefreshFile,
    #[serde(default)]
    oauth2: Option<OAuth2File>,
    #[serde(default)]
    keybased: Option<KeyFile>,
    #[serde(default)]
    notices: Option<Notices>,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuth2File {
    authorization_url: String,
    token_url: String,
    #[serde(default)]
    refresh_url: Option<String>,
    #[serde(default)]
    revocation_url: Option<String>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default = "space")]
    scope_separator: String,
    #[serde(default = "scope")]
    scope_parameter: String,
    #[serde(default)]
    client_authentication: ClientAuthentication,
    #[serde(default)]
    token_body: TokenBody,
    #[serde(default = "yes")]
    pkce: bool,
    #[serde(default)]
    pkce_source: Option<String>,
    #[serde(default)]
    authorization_params: BTreeMap<String, String>,
    #[serde(default)]
    token_params: BTreeMap<String, String>,
    #[serde(default)]
    refresh_params: BTreeMap<String, String>,
    #[serde(default)]
    token_path: String,
    #[serde(default)]
    input: Vec<FieldFile>,
    #[serde(default = "bearer")]
    placement: Vec<Placement>,
    #[serde(default)]
    probe: Option<Probe>,
    #[serde(default)]
    identity: Option<Identity>,
    #[serde(default)]
    api_base_from_extra: Option<ApiBaseFromExtra>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    input: Vec<FieldFile>,
    placement: Vec<Placement>,
    #[serde(default)]
    probe: Option<Probe>,
    #[serde(default)]
    identity: Option<Identity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldFile {
    name: String,
    label: String,
    #[serde(rename = "type", default = "text")]
    kind: String,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    placeholder: String,
    #[serde(default)]
    multiple: Option<bool>,
    #[serde(default)]
    help_text: Option<String>,
    #[serde(default)]
    options: Option<Vec<InputOption>>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    secret: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LifetimesFile {
    #[serde(deserialize_with = "duration")]
    access_token: Option<Duration>,
    access_token_jwt: bool,
    #[serde(deserialize_with = "duration")]
    grant: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    refresh_token: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    idle_limit: Option<Duration>,
    rotation: Rotation,
    #[serde(deserialize_with = "duration")]
    grace: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RefreshFile {
    early: bool,
    at_once: u32,
    per_second: u32,
}

impl Default for RefreshFile {
    fn default() -> Self {
        let Limits { at_once, per_second } = Limits::default();
        Self {
            early: true,
            at_once,
            per_second,
        }
    }
}

/// Rules that several applications of one provider share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderFile {
    /// For people.
    #[serde(rename = "name")]
    pub(super) _name: String,
    /// Further names under which logs know the provider.
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    /// In order.
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
}

fn first_version() -> String {
    "1.0.0".to_owned()
}
fn space() -> String {
    " ".to_owned()
}
fn scope() -> String {
    "scope".to_owned()
}
fn text() -> String {
    "text".to_owned()
}
const fn yes() -> bool {
    true
}
fn bearer() -> Vec<Placement> {
    vec![Placement::Bearer {
        token: "{access_token}".to_owned(),
    }]
}

/// `90s`, `10m`, `12h`, `60d`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || {
        serde::de::Error::custom(format!(
            "`{text}` is no duration: `90s`, `10m`, `12h` or `60d` is wanted"
        ))
    };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .map(|secs| Some(Duration::from_secs(secs)))
        .ok_or_else(wrong)
}

/// Reads an application's file; `rules` are its own only.
pub(super) fn application(text: &str, custom: bool) -> Result<Application, FileError> {
    let file: ApplicationFile = toml::from_str(text).map_err(|error| FileError::from_toml(&error))?;
    let auth_type = match (file.auth_type, &file.oauth2, &file.keybased) {
        (Some(given), _, _) => given,
        (None, Some(_), None) => AuthType::OAuth2,
        (None, None, Some(_)) => AuthType::Keybased,
        (None, Some(_), Some(_)) => return Err(FileError::at("auth_type", "say which of the two is the primary one")),
        (None, None, None) => {
            return Err(FileError::at(
                "oauth2",
                "a section `[oauth2]` or `[keybased]` is wanted",
            ));
        }
    };
    let lifetimes = file.lifetimes;
    let application = Application {
        icon: file.icon.unwrap_or_else(|| file.slug.clone()),
        slug: file.slug,
        name: file.name,
        description: file.description,
        tags: file.tags,
        version: file.version,
        help: file.help,
        provider: file.provider,
        auth_type,
        oauth2: file.oauth2.map(oauth2).transpose()?,
        keybased: file.keybased.map(keybased).transpose()?,
        api: file.api,
        lifetimes: Lifetimes {
            access_token: lifetimes.access_token,
            jwt: lifetimes.access_token_jwt,
            grant: lifetimes.grant,
            refresh_token: lifetimes.refresh_token,
            idle_limit: lifetimes.idle_limit,
            rotation: lifetimes.rotation,
            grace: lifetimes.grace,
        },
        notices: file.notices,
        refreshing: Refreshing {
            early: file.refresh.early,
            limits: Limits {
                at_once: file.refresh.at_once,
                per_second: file.refresh.per_second,
            },
        },
        rules: Rules(file.rule),
        custom,
        sandbox: text.contains(super::SANDBOX_MARK),
    };
    check::application(&application)?;
    Ok(application)
}

fn oauth2(file: OAuth2File) -> Result<OAuth2Scheme, FileError> {
    if file.pkce == file.pkce_source.is_some() {
        let what = "PKCE is always used, unless `pkce = false` and `pkce_source` says where it is known to fail";
        return Err(FileError::at("oauth2.pkce", what));
    }
    let is_url = |text: &String| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !file.pkce_source.iter().all(is_url) {
        let what = "must be the http(s) address of the page that says so";
        return Err(FileError::at("oauth2.pkce_source", what));
    }
    Ok(OAuth2Scheme {
        authorization_url: file.authorization_url,
        token_url: file.token_url,
        refresh_url: file.refresh_url,
        revocation_url: file.revocation_url,
        issuer: file.issuer,
        scopes: file.scopes,
        scope_separator: file.scope_separator,
        scope_parameter: file.scope_parameter,
        client_authentication: file.client_authentication,
        token_body: file.token_body,
        pkce: file.pkce,
        authorization_params: file.authorization_params,
        token_params: file.token_params,
        refresh_params: file.refresh_params,
        token_path: file.token_path,
        inputs: fields("oauth2.input", file.input, false)?,
        placement: file.placement,
        probe: file.probe,
        identity: file.identity,
        api_base_from_extra: file.api_base_from_extra,
    })
}

fn keybased(file: KeyFile) -> Result<KeyScheme, FileError> {
    Ok(KeyScheme {
        inputs: fields("keybased.input", file.input, true)?,
        placement: file.placement,
        probe: file.probe,
        identity: file.identity,
    })
}

/// What is typed into a key form is secret unless the file says otherwise.
fn fields(at: &str, files: Vec<FieldFile>, secret_by_default: bool) -> Result<Vec<InputField>, FileError> {
    let field = |file: FieldFile| {
        let compile = |text: String| {
            Pattern::new(&text)
                .map_err(|_| FileError::at(&format!("{at}.{}", file.name), "`pattern` is no regular expression"))
        };
        Ok(InputField {
            secret: file.secret.unwrap_or(secret_by_default || file.kind == "password"),
            pattern: file.pattern.map(compile).transpose()?,
            name: file.name,
            label: file.label,
            kind: file.kind,
            required: file.required,
            placeholder: file.placeholder,
            multiple: file.multiple,
            help_text: file.help_text,
            options: file.options,
        })
    };
    files.into_iter().map(field).collect()
}
