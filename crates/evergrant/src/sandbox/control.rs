//! The levers: registering, breaking, mending. Every function names the tenant and touches nothing of another.

use serde::{Deserialize, Serialize};
use url::Url;

use super::model::{Account, Client, Death, Grant, Key, State, TokenKind, account, lookup};
use super::{ACCOUNTS, Sandbox, Weather};
use crate::ids;
use crate::secret::Secret;

/// A registration of a team's app at Sandbox CRM.
pub struct NewClient {
    /// The client id, chosen by the team.
    pub client_id: String,
    /// What the consent page calls the app.
    pub name: String,
    /// The client secret.
    pub secret: Secret,
    /// Where consent may lead to, compared as text.
    pub redirect_uris: Vec<String>,
    /// Whether a grant with `offline_access` gets a refresh token.
    pub refresh_tokens: bool,
}

/// Why the controls refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another tenant has registered it, or it is empty or too long.
    #[error("this client_id cannot be used; choose another one")]
    ClientId,
    /// The secret is missing.
    #[error("a client secret is needed")]
    Secret,
    /// None, too many, not absolute http(s) URLs, or with a fragment (RFC 6749, section 3.1.2).
    #[error("redirect_uris must be one to ten absolute http or https URLs without a fragment")]
    RedirectUris,
    /// Nobody of that name has an account here.
    #[error("no such account; there are alice@acme.example and bob@acme.example")]
    Account,
    /// What the account's owner has ended, only the owner can begin again.
    #[error("this cannot be mended at the provider: it takes a new consent, or a new key")]
    TakesAPerson,
}

/// Why access ends. The names are those of the control API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Cause 1: the API key has expired.
    KeyExpired,
    /// Cause 2: the person withdrew the grant (or the key).
    TokenRevoked,
    /// Cause 3: refresh token and access token are past their time.
    RefreshTokenExpired,
    /// Cause 3, for grants without a refresh token: the access token is past its time. Others merely refresh.
    AccessTokenExpired,
    /// Cause 4: the app was removed from the account.
    AppUninstalled,
    /// Cause 5: the team's client is gone.
    ClientDeleted,
    /// Not one of the five: the client's secret was changed at the provider.
    ClientSecretChanged,
}

/// One of the two applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxApp {
    /// Sandbox CRM.
    #[serde(rename = "sandbox-oauth")]
    Crm,
    /// Sandbox SMS.
    #[serde(rename = "sandbox-key")]
    Sms,
}

/// What to break or mend; what is left out matches everything of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// How.
    pub cause: Cause,
    /// Only this application.
    #[serde(default)]
    pub app: Option<SandboxApp>,
    /// Only what belongs to this account (its e-mail address).
    #[serde(default)]
    pub account: Option<String>,
    /// Only what belongs to this client; keys belong to none.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Only this key, by its id.
    #[serde(default)]
    pub key_id: Option<String>,
}

impl Target {
    /// Everything of the tenant that the cause can strike.
    #[must_use]
    pub const fn everything(cause: Cause) -> Self {
        Self {
            cause,
            app: None,
            account: None,
            client_id: None,
            key_id: None,
        }
    }

    fn spares_account(&self, owner: &Account) -> bool {
        self.account.as_deref().is_some_and(|wanted| wanted != owner.email)
    }

    fn hits_client(&self, id: &str) -> bool {
        self.app != Some(SandboxApp::Sms)
            && self.key_id.is_none()
            && self.client_id.as_deref().is_none_or(|wanted| wanted == id)
    }

    fn hits_key(&self, id: &str, key: &Key) -> bool {
        self.app != Some(SandboxApp::Crm)
            && self.client_id.is_none()
            && self.key_id.as_deref().is_none_or(|wanted| wanted == id)
            && !self.spares_account(key.account)
    }
}

/// How much was struck or mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Clients.
    pub clients: usize,
    /// Grants.
    pub grants: usize,
    /// Keys.
    pub keys: usize,
}

/// A new key; its value is shown this once.
#[derive(Debug)]
pub struct IssuedKey {
    /// Names the key.
    pub id: String,
    /// The key.
    pub value: Secret,
}

impl Sandbox {
    /// Registers a client, or replaces the tenant's own registration of that id; a replaced client is whole again.
    pub fn register_client(&self, tenant: &str, new: NewClient) -> Result<(), Refused> {
        if new.client_id.is_empty() || new.client_id.len() > 200 {
            return Err(Refused::ClientId);
        }
        if new.secret.expose().is_empty() {
            return Err(Refused::Secret);
        }
        let usable = |uri: &String| {
            Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none())
        };
        if new.redirect_uris.is_empty() || new.redirect_uris.len() > 10 || !new.redirect_uris.iter().all(usable) {
            return Err(Refused::RedirectUris);
        }
        let mut state = self.state();
        if state
            .clients
            .get(&new.client_id)
            .is_some_and(|known| known.tenant != tenant)
        {
            return Err(Refused::ClientId);
        }
        let client = Client {
            tenant: tenant.to_owned(),
            name: new.name,
            secret: new.secret,
            redirect_uris: new.redirect_uris,
            refresh_tokens: new.refresh_tokens,
            deleted: false,
            secret_changed: false,
        };
        state.clients.insert(new.client_id, client);
        Ok(())
    }

    /// Issues a key of Sandbox SMS for an account, the first one if none is named.
    pub fn create_key(&self, tenant: &str, email: Option<&str>) -> Result<IssuedKey, Refused> {
        let account = email.map_or(Some(&ACCOUNTS[0]), account).ok_or(Refused::Account)?;
        let value = ids::random_token("sk_sandbox_");
        let text = value.expose();
        let key = Key {
            tenant: tenant.to_owned(),
            account,
            hash: lookup(text),
            hint: format!("…{}", &text[text.len() - 4..]),
            created_at: self.now(),
            death: None,
        };
        let id = self.state().add_key(key);
        Ok(IssuedKey { id, value })
    }

    /// Ends access, for a cause.
    pub fn break_access(&self, tenant: &str, target: &Target) -> Result<Broken, Refused> {
        if target.account.as_deref().is_some_and(|email| account(email).is_none()) {
            return Err(Refused::Account);
        }
        let now = self.now();
        let mut state = self.state();
        let mut broken = Broken::default();
        match target.cause {
            Cause::KeyExpired => broken.keys = end_keys(&mut state, tenant, target, Death::Expired),
            Cause::TokenRevoked => {
                broken.grants = end_grants(&mut state, tenant, target, Some(Death::Revoked)).len();
                // A key is a token as well, but only one that is named or asked for by application.
                if target.app == Some(SandboxApp::Sms) || target.key_id.is_some() {
                    broken.keys = end_keys(&mut state, tenant, target, Death::Revoked);
                }
            }
            Cause::RefreshTokenExpired | Cause::AccessTokenExpired => {
                let death = (target.cause == Cause::RefreshTokenExpired).then_some(Death::Expired);
                let hit = end_grants(&mut state, tenant, target, death);
                broken.grants = hit.len();
                for token in state.tokens.values_mut() {
                    if matches!(token.kind, TokenKind::Access) && hit.contains(&token.grant) {
                        token.expires_at = Some(token.expires_at.map_or(now, |at| at.min(now)));
                    }
                }
            }
            Cause::AppUninstalled => {
                broken.grants = end_grants(&mut state, tenant, target, Some(Death::Uninstalled)).len();
                broken.keys = end_keys(&mut state, tenant, target, Death::Uninstalled);
            }
            Cause::ClientDeleted => {
                broken.clients = each_client(&mut state, tenant, target, |client| {
                    !std::mem::replace(&mut client.deleted, true)
                });
            }
            Cause::ClientSecretChanged => {
                broken.clients = each_client(&mut state, tenant, target, |client| {
                    !std::mem::replace(&mut client.secret_changed, true)
                });
            }
        }
        Ok(broken)
    }

    /// Undoes what can be undone at the provider without the account's owner: a deleted client, a changed secret, an
    /// app installed again.
    pub fn repair(&self, tenant: &str, target: &Target) -> Result<Broken, Refused> {
        let mut state = self.state();
        let mut mended = Broken::default();
        match target.cause {
            Cause::ClientDeleted => {
                mended.clients = each_client(&mut state, tenant, target, |client| std::mem::take(&mut client.deleted));
            }
            Cause::ClientSecretChanged => {
                mended.clients = each_client(&mut state, tenant, target, |client| {
                    std::mem::take(&mut client.secret_changed)
                });
            }
            Cause::AppUninstalled => {
                for id in grants_of(&state, tenant, target) {
                    if let Some(grant) = state.grants.get_mut(&id) {
                        mended.grants += usize::from(grant.death.take_if(|it| *it == Death::Uninstalled).is_some());
                    }
                }
                for (id, key) in &mut state.keys {
                    if key.tenant == tenant && target.hits_key(id, key) {
                        mended.keys += usize::from(key.death.take_if(|it| *it == Death::Uninstalled).is_some());
                    }
                }
            }
            Cause::KeyExpired | Cause::TokenRevoked | Cause::RefreshTokenExpired | Cause::AccessTokenExpired => {
                return Err(Refused::TakesAPerson);
            }
        }
        Ok(mended)
    }

    /// The weather over a tenant.
    pub fn weather(&self, tenant: &str) -> Weather {
        self.state().weather.get(tenant).copied().unwrap_or_default()
    }

    /// Changes the weather over a tenant.
    pub fn set_weather(&self, tenant: &str, weather: Weather) {
        self.state().weather.insert(tenant.to_owned(), weather);
    }

    /// Back to the beginning: no grants, no keys, fair weather. Registered clients stay and are whole.
    pub fn reset(&self, tenant: &str) {
        let mut state = self.state();
        let State {
            clients,
            pending,
            codes,
            grants,
            tokens,
            keys,
            weather,
        } = &mut *state;
        let own = |id: &String| clients.get(id).is_some_and(|client| client.tenant == tenant);
        pending.retain(|_, known| !own(&known.client_id));
        codes.retain(|_, known| !own(&known.client_id));
        grants.retain(|_, known| !own(&known.client_id));
        tokens.retain(|_, known| grants.contains_key(&known.grant));
        keys.retain(|_, known| known.tenant != tenant);
        weather.remove(tenant);
        for client in clients.values_mut().filter(|client| client.tenant == tenant) {
            client.deleted = false;
            client.secret_changed = false;
        }
    }
}

fn each_client(state: &mut State, tenant: &str, target: &Target, change: impl Fn(&mut Client) -> bool) -> usize {
    let own = state.clients.iter_mut();
    own.filter(|(id, client)| client.tenant == tenant && target.hits_client(id))
        .map(|(_, client)| usize::from(change(client)))
        .sum()
}

fn grants_of(state: &State, tenant: &str, target: &Target) -> Vec<String> {
    let own = |grant: &Grant| state.tenant_of_client(&grant.client_id).as_deref() == Some(tenant);
    let hit = |grant: &Grant| target.hits_client(&grant.client_id) && !target.spares_account(grant.account);
    let found = state.grants.iter().filter(|(_, grant)| own(grant) && hit(grant));
    found.map(|(id, _)| id.clone()).collect()
}

/// The living grants that the target means; each dies of `death`, if there is one.
fn end_grants(state: &mut State, tenant: &str, target: &Target, death: Option<Death>) -> Vec<String> {
    let mut hit = grants_of(state, tenant, target);
    hit.retain(|id| {
        let living = state.grants.get_mut(id).filter(|grant| grant.death.is_none());
        living.map(|grant| grant.death = death).is_some()
    });
    hit
}

fn end_keys(state: &mut State, tenant: &str, target: &Target, death: Death) -> usize {
    let keys = state.keys.iter_mut();
    keys.filter(|(id, key)| key.tenant == tenant && key.death.is_none() && target.hits_key(id, key))
        .map(|(_, key)| key.death = Some(death))
        .count()
}
