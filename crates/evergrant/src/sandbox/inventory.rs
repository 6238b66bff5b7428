//! What a tenant has in the sandbox, for people and programs to look at.

use serde::Serialize;

use super::model::{Client, Death, Grant, Key};
use super::{Sandbox, Weather};

/// What a tenant has in the sandbox; no secret is in it.
#[derive(Debug, Serialize)]
pub struct Inventory {
    /// `[{ client_id, name, redirect_uris, state }]`
    pub clients: Vec<ClientView>,
    /// Consents, oldest first.
    pub grants: Vec<GrantView>,
    /// Keys, oldest first.
    pub keys: Vec<KeyView>,
    /// The present weather.
    pub weather: Weather,
}

/// A client as the inventory shows it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub struct ClientView {
    pub client_id: String,
    pub name: String,
    pub redirect_uris: Vec<String>,
    pub refresh_tokens: bool,
    pub deleted: bool,
    pub secret_changed: bool,
}

/// A grant as the inventory shows it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub struct GrantView {
    pub id: String,
    pub client_id: String,
    pub account: &'static str,
    pub scope: String,
    pub created_at: String,
    pub ended: Option<Death>,
}

/// A key as the inventory shows it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub struct KeyView {
    pub id: String,
    pub account: &'static str,
    pub hint: String,
    pub created_at: String,
    pub ended: Option<Death>,
}

impl Sandbox {
    /// What a tenant has here.
    pub fn inventory(&self, tenant: &str) -> Inventory {
        let state = self.state();
        let own = |grant: &Grant| state.tenant_of_client(&grant.client_id).as_deref() == Some(tenant);
        Inventory {
            clients: state
                .clients
                .iter()
                .filter(|(_, client)| client.tenant == tenant)
                .map(|(id, client)| client_view(id, client))
                .collect(),
            grants: state
                .grants
                .iter()
                .filter(|(_, grant)| own(grant))
                .map(|(id, grant)| grant_view(id, grant))
                .collect(),
            keys: state
                .keys
                .iter()
                .filter(|(_, key)| key.tenant == tenant)
                .map(|(id, key)| key_view(id, key))
                .collect(),
            weather: state.weather.get(tenant).copied().unwrap_or_default(),
        }
    }
}

fn client_view(id: &str, client: &Client) -> ClientView {
    ClientView {
        client_id: id.to_owned(),
        name: client.name.clone(),
        redirect_uris: client.redirect_uris.clone(),
        refresh_tokens: client.refresh_tokens,
        deleted: client.deleted,
        secret_changed: client.secret_changed,
    }
}

fn grant_view(id: &str, grant: &Grant) -> GrantView {
    GrantView {
        id: id.to_owned(),
        client_id: grant.client_id.clone(),
        account: grant.account.email,
        scope: grant.scope.clone(),
        created_at: grant.created_at.iso(),
        ended: grant.death,
    }
}

fn key_view(id: &str, key: &Key) -> KeyView {
    KeyView {
        id: id.to_owned(),
        account: key.account.email,
        hint: key.hint.clone(),
        created_at: key.created_at.iso(),
        ended: key.death,
    }
}
