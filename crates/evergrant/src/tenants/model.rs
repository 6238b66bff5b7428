//! Types of the tenants, and the rules that need no database.

use std::fmt;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ApiKeyId, OrgId, TenantId, random_token};
use crate::secret::Secret;

/// Which of an organisation's two worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// For development and staging.
    Test,
    /// For customers.
    Production,
}

impl Environment {
    /// Both, in the order in which they are created.
    pub const ALL: [Self; 2] = [Self::Test, Self::Production];

    /// The word of the wire contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Production => "production",
        }
    }

    /// Reads the word; `prod` will do.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "test" => Some(Self::Test),
            "production" | "prod" => Some(Self::Production),
            _ => None,
        }
    }

    const fn key_prefix(self) -> &'static str {
        match self {
            Self::Test => "tk_",
            Self::Production => "pk_",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One environment of one organisation, as every look-up names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The environment's id: the `tenant` of every row.
    pub id: TenantId,
    /// Its organisation.
    pub org: OrgId,
    /// Which of the two.
    pub environment: Environment,
}

/// An organisation.
#[derive(Clone, Debug, Serialize)]
pub struct Organisation {
    /// Its id, `org_id` on the wire.
    pub id: OrgId,
    /// Its unique name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An environment with its settings.
#[derive(Clone, Debug)]
pub struct EnvironmentRow {
    /// Whose it is.
    pub tenant: Tenant,
    /// The organisation's name.
    pub org_name: String,
    /// The API key that signs webhooks.
    pub signing_key: Option<ApiKeyId>,
    /// Origins to which a hosted page may lead back (contract section 19, row 11).
    pub return_origins: Vec<String>,
    /// Origins that may show hosted pages in a frame.
    pub frame_origins: Vec<String>,
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything but credentials.
    Read,
    /// Change things, and make calls through the proxy.
    Write,
    /// Receive live credentials.
    Credentials,
    /// Sign webhooks; alone, it opens no route.
    Sign,
}

impl Scope {
    /// All, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Credentials, Self::Sign];

    /// The word of the command line and of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Credentials => "credentials",
            Self::Sign => "sign",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// All of them: what a key has unless its maker says less.
    pub const ALL: Self = Self(0b1111);

    /// Whether the set holds `scope`.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Reads words separated by commas or spaces.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut set = 0;
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            set |= scope
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "unknown scope `{word}`: read, write, credentials and sign exist"
                    ))
                })?
                .bit();
        }
        if set == 0 {
            Err(Error::invalid(
                "a key needs at least one scope: read, write, credentials, sign",
            ))
        } else {
            Ok(Self(set))
        }
    }

    /// The scopes as words.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.has(*scope))
            .map(Scope::as_str)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().collect::<Vec<_>>().join(","))
    }
}

/// What happens when a customer reconnects with another account at the provider than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSwitch {
    /// Nothing changes, and the customer is told which account was expected.
    Refuse,
    /// The customer may knowingly replace it.
    Ask,
}

impl AccountSwitch {
    /// The word in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ask => "ask",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Refuse, Self::Ask].into_iter().find(|one| one.as_str() == word)
    }
}

/// An API key as it is listed: everything but its value.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The one environment it belongs to.
    pub tenant: Tenant,
    /// What its maker called it.
    pub name: String,
    /// Its first characters, enough to tell keys apart.
    pub hint: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is no longer accepted.
    pub revoked_at: Option<Timestamp>,
}

/// A key that has just been made: the only time its value is at hand.
#[derive(Debug)]
pub struct NewKey {
    /// The key as it is listed.
    pub key: ApiKey,
    /// Its value.
    pub value: Secret,
}

impl NewKey {
    /// Makes a value of 256 random bits; nothing is stored.
    #[must_use]
    pub fn generate(tenant: Tenant, name: String, scopes: Scopes, now: Timestamp) -> Self {
        let value = random_token(tenant.environment.key_prefix());
        let hint = value.expose()[..8].to_owned();
        let key = ApiKey {
            id: ApiKeyId::new(now),
            tenant,
            name,
            hint,
            scopes,
            created_at: now,
            revoked_at: None,
        };
        Self { key, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_what_they_print() {
        for text in ["read", "read,write", "read,write,credentials,sign", "sign"] {
            assert_eq!(Scopes::parse(text).unwrap().to_string(), text);
        }
        assert!(Scopes::parse("").is_err());
        assert!(Scopes::parse("read,admin").is_err());
    }

    #[test]
    fn a_key_of_each_environment_shows_it_by_its_prefix() {
        let now = Timestamp::from_millis(0);
        for (environment, prefix) in [(Environment::Test, "tk"), (Environment::Production, "pk")] {
            let tenant = Tenant {
                id: TenantId::new(now),
                org: OrgId::new(now),
                environment,
            };
            let made = NewKey::generate(tenant, "k".into(), Scopes::ALL, now);
            assert!(made.value.expose().starts_with(prefix));
            assert!(made.value.expose().starts_with(&made.key.hint));
        }
    }
}
