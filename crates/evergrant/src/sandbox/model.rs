//! What exists in the sandbox. Tokens, codes and keys are kept by their hash; only their holder knows them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::weather::Weather;
use crate::clock::Timestamp;
use crate::ids;
use crate::secret::Secret;

/// How many grants a client may have, keys a tenant, open consent pages the sandbox: memory is bounded.
const MAX_EACH: usize = 500;
/// How long a spent token is remembered, so that its second use is seen for what it is.
const MEMORY: Duration = Duration::from_hours(30 * 24);
/// How long an authorization request may stay undecided.
pub(super) const PENDING_LIFE: Duration = Duration::from_mins(10);
/// How long a code may be redeemed (RFC 6749, section 4.1.2: at most ten minutes).
pub(super) const CODE_LIFE: Duration = Duration::from_mins(1);

/// A person at the provider.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// The provider's id.
    pub id: &'static str,
    /// A name to show.
    pub name: &'static str,
    /// Names the account to people and to the controls.
    pub email: &'static str,
    /// Where the person works.
    pub company: &'static str,
}

/// Everyone who has an account at the provider.
pub const ACCOUNTS: [Account; 2] = [
    Account {
        id: "acc_alice",
        name: "Alice Archer",
        email: "alice@acme.example",
        company: "Acme Inc.",
    },
    Account {
        id: "acc_bob",
        name: "Bob Bishop",
        email: "bob@acme.example",
        company: "Acme Inc.",
    },
];

pub(super) fn account(email: &str) -> Option<&'static Account> {
    ACCOUNTS.iter().find(|account| account.email == email)
}

/// An OAuth client: a team's registration of its app.
pub(super) struct Client {
    pub(super) tenant: String,
    pub(super) name: String,
    pub(super) secret: Secret,
    pub(super) redirect_uris: Vec<String>,
    /// Whether a grant may ever hold a refresh token.
    pub(super) refresh_tokens: bool,
    pub(super) deleted: bool,
    /// The team's secret is no longer the right one; nobody knows the new one.
    pub(super) secret_changed: bool,
}

/// An authorization request that a person is looking at.
pub(super) struct Pending {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) expires_at: Timestamp,
}

/// An authorization code.
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) account: &'static Account,
    pub(super) expires_at: Timestamp,
    /// The grant that it was redeemed for; a second redemption kills that grant.
    pub(super) spent_on: Option<String>,
}

/// Why a grant or a key is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// Withdrawn.
    Revoked,
    /// Its refresh token, or the key itself, passed its limit.
    Expired,
    /// The app was removed from the account.
    Uninstalled,
}

/// What a person consented to.
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) account: &'static Account,
    pub(super) scope: String,
    pub(super) created_at: Timestamp,
    pub(super) death: Option<Death>,
}

/// What a token is good for.
pub(super) enum TokenKind {
    Access,
    /// `spent_at` is when it was rotated.
    Refresh {
        spent_at: Option<Timestamp>,
    },
}

/// An access or refresh token.
pub(super) struct Token {
    pub(super) grant: String,
    pub(super) kind: TokenKind,
    pub(super) expires_at: Option<Timestamp>,
}

impl Token {
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A key of the SMS application.
pub(super) struct Key {
    pub(super) tenant: String,
    pub(super) account: &'static Account,
    pub(super) hash: String,
    /// The last four characters, for people to tell keys apart.
    pub(super) hint: String,
    pub(super) created_at: Timestamp,
    pub(super) death: Option<Death>,
}

/// Everything. Grants and keys are named by ids that sort by age.
#[derive(Default)]
pub(super) struct State {
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) pending: HashMap<String, Pending>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) grants: BTreeMap<String, Grant>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) weather: HashMap<String, Weather>,
}

impl State {
    pub(super) fn tenant_of_client(&self, client_id: &str) -> Option<String> {
        self.clients.get(client_id).map(|client| client.tenant.clone())
    }

    /// Keeps an undecided request; the reader of the consent page holds the value that comes back.
    pub(super) fn ask(&mut self, pending: Pending, now: Timestamp) -> Secret {
        self.forget(now);
        if self.pending.len() >= MAX_EACH {
            let oldest = self.pending.iter().min_by_key(|(_, known)| known.expires_at);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.pending.remove(&oldest);
            }
        }
        let id = ids::random_token("");
        self.pending.insert(lookup(id.expose()), pending);
        id
    }

    /// Adds a grant and returns its id.
    pub(super) fn add_grant(&mut self, grant: Grant) -> String {
        let id = ids::RowId::new(grant.created_at).to_string();
        let of_client = |known: &&Grant| known.client_id == grant.client_id;
        if self.grants.values().filter(of_client).count() >= MAX_EACH {
            let oldest = self.grants.iter().find(|(_, known)| of_client(known));
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.grants.remove(&oldest);
                self.tokens.retain(|_, token| token.grant != oldest);
            }
        }
        self.grants.insert(id.clone(), grant);
        id
    }

    /// Adds a key and returns its id.
    pub(super) fn add_key(&mut self, key: Key) -> String {
        let id = ids::RowId::new(key.created_at).to_string();
        let of_tenant = |known: &&Key| known.tenant == key.tenant;
        if self.keys.values().filter(of_tenant).count() >= MAX_EACH {
            let oldest = self.keys.iter().find(|(_, known)| of_tenant(known));
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.keys.remove(&oldest);
            }
        }
        self.keys.insert(id.clone(), key);
        id
    }

    /// Drops what nobody can use any more and whose second use need not be noticed any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.pending.retain(|_, pending| pending.expires_at > now);
        self.codes.retain(|_, code| code.expires_at.after(PENDING_LIFE) > now);
        self.tokens.retain(|_, token| match token.kind {
            TokenKind::Access => token.expires_at.is_none_or(|at| at.after(MEMORY) > now),
            TokenKind::Refresh { spent_at } => spent_at.is_none_or(|at| at.after(MEMORY) > now),
        });
    }
}

/// How tokens, codes, keys and open requests are looked up: by a hash, so that neither a dump of the state nor the
/// time that a comparison takes gives one away.
pub(super) fn lookup(value: &str) -> String {
    ids::sha256_hex(value.as_bytes())
}
