//! How an application authenticates and where its API is.

use std::collections::BTreeMap;
use std::time::Duration;

use evergrant_oauth::{BodyFormat, ClientAuth, ReplyShape};
use serde::{Deserialize, Serialize};

use super::api::{ApiBaseFromExtra, Identity, Probe};
use super::model::InputField;
use crate::pace::Limits;
use crate::secret::Secret;

/// How the client names itself at the token endpoint (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// In the `Authorization` header.
    Basic,
    /// In the body.
    #[default]
    Post,
    /// A public client: its id in the body, no secret.
    None,
}

/// How requests to the token endpoint are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenBody {
    /// `application/x-www-form-urlencoded`, as the standard says.
    #[default]
    Form,
    /// JSON.
    Json,
}

/// OAuth 2.0 as one application does it.
#[derive(Clone, Debug)]
pub struct OAuth2Scheme {
    /// Where the customer consents (template).
    pub authorization_url: String,
    /// Where codes are exchanged (template).
    pub token_url: String,
    /// Where tokens are refreshed, if elsewhere (template).
    pub refresh_url: Option<String>,
    /// RFC 7009, or what the application has instead (template).
    pub revocation_url: Option<String>,
    /// What `iss` of the callback must be, if sent (RFC 9207) (template).
    pub issuer: Option<String>,
    /// Asked for unless the team's OAuth client says otherwise.
    pub scopes: Vec<String>,
    /// Between scopes; a space by the standard.
    pub scope_separator: String,
    /// The parameter's name; `scope` by the standard.
    pub scope_parameter: String,
    /// How the client names itself.
    pub client_authentication: ClientAuthentication,
    /// How token requests are written.
    pub token_body: TokenBody,
    /// PKCE with S256; off only with a source.
    pub pkce: bool,
    /// Sent along to the authorisation endpoint.
    pub authorization_params: BTreeMap<String, String>,
    /// Sent along with the code.
    pub token_params: BTreeMap<String, String>,
    /// Sent along with the refresh token.
    pub refresh_params: BTreeMap<String, String>,
    /// JSON pointer to the object that holds the tokens; empty: the reply itself.
    pub token_path: String,
    /// Asked of the customer before consent; also the variables of the templates.
    pub inputs: Vec<InputField>,
    /// How the access token is placed in calls.
    pub placement: Vec<Placement>,
    /// Tells whether the access token works, and whose it is.
    pub probe: Option<Probe>,
    /// Where the external account's id stands.
    pub identity: Option<Identity>,
    /// Where the token reply names the API's address.
    pub api_base_from_extra: Option<ApiBaseFromExtra>,
}

impl OAuth2Scheme {
    /// The template of the address that refreshes.
    #[must_use]
    pub fn refresh_endpoint(&self) -> &str {
        self.refresh_url.as_deref().unwrap_or(&self.token_url)
    }

    /// How the client proves who it is, for the protocol crate. A team that registered a public client has no secret.
    #[must_use]
    pub fn client_auth(&self, secret: Option<Secret>) -> ClientAuth {
        match (self.client_authentication, secret) {
            (ClientAuthentication::Basic, Some(secret)) => ClientAuth::Basic(secret),
            (ClientAuthentication::Post, Some(secret)) => ClientAuth::Post(secret),
            (ClientAuthentication::None, _) | (_, None) => ClientAuth::None,
        }
    }

    /// How token requests are written, for the protocol crate.
    #[must_use]
    pub const fn body_format(&self) -> BodyFormat {
        match self.token_body {
            TokenBody::Form => BodyFormat::Form,
            TokenBody::Json => BodyFormat::Json,
        }
    }

    /// Where the tokens stand in a reply, for the protocol crate.
    #[must_use]
    pub fn reply_shape(&self) -> ReplyShape {
        let nested = !self.token_path.is_empty();
        ReplyShape {
            tokens_at: nested.then(|| self.token_path.clone()),
        }
    }
}

/// Typed-in values as one application takes them.
#[derive(Clone, Debug)]
pub struct KeyScheme {
    /// The form.
    pub inputs: Vec<InputField>,
    /// How the values are placed in calls.
    pub placement: Vec<Placement>,
    /// Tells whether they work; without it a saved key stays `unverified`.
    pub probe: Option<Probe>,
    /// Where the external account's id stands.
    pub identity: Option<Identity>,
}

/// Where a credential goes in a call. Values are templates over the stored fields; the access token is
/// `{access_token}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Placement {
    /// `Authorization: Bearer …`
    Bearer {
        /// Template of the token.
        #[serde(default = "access_token")]
        token: String,
    },
    /// A header of that name.
    Header {
        /// Lower case.
        name: String,
        /// Template of the value.
        value: String,
    },
    /// `Authorization: Basic …`
    Basic {
        /// Template of the user name.
        username: String,
        /// Template of the password; may be empty.
        #[serde(default)]
        password: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// Template of the value.
        value: String,
    },
}

impl Placement {
    /// Its templates.
    #[must_use]
    pub fn templates(&self) -> Vec<&str> {
        match self {
            Self::Bearer { token } => vec![token],
            Self::Header { value, .. } | Self::Query { value, .. } => vec![value],
            Self::Basic { username, password } => vec![username, password],
        }
    }
}

fn access_token() -> String {
    "{access_token}".to_owned()
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// The same one goes on living.
    None,
    /// Each works once.
    Always,
    /// Sometimes a new one comes; always store the latest.
    Sometimes,
    /// Not known: treated as if each worked once.
    #[default]
    Unknown,
}

/// How an application's tokens are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshing {
    /// Whether a token may be refreshed that is still valid; some providers refuse that.
    pub early: bool,
    /// What its token endpoint bears from one process.
    pub limits: Limits,
}

/// How long tokens live where the replies do not say. Absent means: not known, or without limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// The access token's, when `expires_in` is missing.
    pub access_token: Option<Duration>,
    /// The access token is a JWT whose `iat` and `exp` tell its life (RFC 7519, 4.1), when `expires_in` is missing.
    pub jwt: bool,
    /// The refresh token's absolute limit.
    pub refresh_token: Option<Duration>,
    /// The whole grant's absolute limit, counted from consent, whatever is refreshed.
    pub grant: Option<Duration>,
    /// The refresh token dies when unused for so long.
    pub idle_limit: Option<Duration>,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// How long a superseded refresh token may still be used.
    pub grace: Option<Duration>,
}
