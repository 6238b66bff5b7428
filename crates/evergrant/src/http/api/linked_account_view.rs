//! A linked account as callers write it and as they see it (contract, sections 8.2 and 8.3).

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::accounts::{Change, DefaultApp, Field, NewDefaultApp, Record};
use crate::error::Error;
use crate::secret::Secret;
use crate::tenants::Tenant;

/// What a caller sends: the members themselves, or the same under `payload`, which then wins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct AccountBody {
    #[serde(flatten)]
    flat: AccountMembers,
    payload: Option<AccountMembers>,
}

/// The members of an account that a caller may set.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct AccountMembers {
    /// The caller's own id of its customer: 1 to 255 characters, no control characters, no white space at its ends.
    linked_account_id: Option<String>,
    /// The same, under its other documented name.
    account_id: Option<String>,
    /// What to call the customer.
    name: Option<String>,
    /// Fields: a key and a string, number or boolean; `null` removes the key.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    udf: Option<Map<String, Value>>,
    /// Credentials of the team's own application.
    your_app: Option<YourApp>,
}

/// The team's own application, for one account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct YourApp {
    app_id: Option<String>,
    /// Required; name and value.
    #[schema(value_type = HashMap<String, Value>)]
    auth_credentials: Option<Pairs>,
}

/// A JSON object that still shows which names stand in it twice.
#[derive(Debug)]
pub struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl AccountBody {
    /// The change that the body asks for; of the caller's own account where it may change no other.
    pub(super) fn into_change(self, own: Option<String>) -> Result<Change, Error> {
        let members = self.payload.unwrap_or(self.flat);
        let id = own.or(members.linked_account_id).or(members.account_id);
        let app = members.your_app.map(YourApp::into_new).transpose()?;
        Change::of(&id.unwrap_or_default())?
            .named(members.name)?
            .with_fields(members.udf.unwrap_or_default())?
            .with_default_app(app)
    }
}

impl YourApp {
    fn into_new(self) -> Result<NewDefaultApp, Error> {
        let Some(Pairs(pairs)) = self.auth_credentials else {
            return Err(Error::invalid("Valid App ID and Auth credentials required in your_app"));
        };
        let credentials = pairs.into_iter().map(|(name, value)| (name, as_text(value)));
        Ok(NewDefaultApp {
            app_id: self.app_id,
            credentials: credentials.collect(),
        })
    }
}

/// Any JSON value as a credential: a string as it is, anything else as it is written.
pub(super) fn as_text(value: Value) -> Secret {
    Secret::from(match value {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// A linked account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountDocument {
    #[serde(rename = "_id")]
    id: String,
    associated_org: String,
    /// The caller's own id of its customer.
    account_id: String,
    #[schema(example = "test")]
    environment: &'static str,
    /// Empty when unset.
    name: String,
    udf: Vec<FieldView>,
    /// Not there after an upsert, `null` after a creation.
    #[serde(skip_serializing_if = "Integrations::is_absent")]
    #[schema(value_type = Option<Vec<Integration>>)]
    integrations: Integrations,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(rename = "updatedAt")]
    updated_at: String,
    /// Counts changes.
    #[serde(rename = "__v")]
    version: i64,
    /// After an upsert: whether it created the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    new_account: Option<bool>,
}

/// One field of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldView {
    key_name: String,
    /// A string, number or boolean.
    key_value: Value,
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(rename = "updatedAt")]
    updated_at: String,
}

impl From<Field> for FieldView {
    fn from(field: Field) -> Self {
        Self {
            key_name: field.key,
            key_value: field.value,
            id: field.id.to_string(),
            created_at: field.created_at.iso(),
            updated_at: field.updated_at.iso(),
        }
    }
}

/// The three ways in which a document can show its integrations (contract section 16, row 22).
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Integrations {
    /// The member is not there.
    Absent,
    /// The member is `null`.
    Null,
    /// The member is an array.
    Listed(Vec<Integration>),
}

impl Integrations {
    /// The connections of an account, and its default app.
    pub(super) fn of(mut connections: Vec<Integration>, default_app: Option<&DefaultApp>) -> Self {
        connections.extend(default_app.map(Integration::from));
        Self::Listed(connections)
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A connection, in brief; never with its credentials.
#[derive(Debug, Serialize, ToSchema)]
pub struct Integration {
    /// The connection's id.
    #[serde(rename = "_id")]
    pub id: String,
    /// The application's slug; `custom` for the team's own.
    #[serde(rename = "type")]
    pub kind: String,
    /// The application's name.
    pub name: String,
    /// The application's icon.
    pub icon: Option<String>,
    /// None for an application of the catalogue.
    pub app_id: Option<String>,
    /// Whom the credential belongs to at the provider; `NA` when unknown.
    pub identifier: Value,
    /// Whether it is the team's own application, seeded by `your_app`.
    pub is_default: bool,
    /// Whether only the customer can bring it back.
    pub reauth_required: bool,
    /// The same, for OAuth.
    pub refresh_token_expired: bool,
    /// When it was first connected.
    #[serde(rename = "createdAt")]
    pub created_at: String,
    /// When it last changed.
    #[serde(rename = "updatedAt")]
    pub updated_at: String,
}

impl From<&DefaultApp> for Integration {
    fn from(app: &DefaultApp) -> Self {
        Self {
            id: app.id.to_string(),
            kind: "custom".to_owned(),
            name: "Default app".to_owned(),
            icon: None,
            app_id: app.app_id.clone(),
            identifier: Value::from("NA"),
            is_default: true,
            reauth_required: false,
            refresh_token_expired: false,
            created_at: app.created_at.iso(),
            updated_at: app.updated_at.iso(),
        }
    }
}

impl AccountDocument {
    /// The document of a record.
    #[must_use]
    pub fn new(tenant: &Tenant, record: Record, integrations: Integrations) -> Self {
        let account = record.account;
        Self {
            id: account.id.to_string(),
            associated_org: tenant.org.to_string(),
            account_id: account.account_id,
            environment: tenant.environment.as_str(),
            name: account.name.unwrap_or_default(),
            udf: record.fields.into_iter().map(FieldView::from).collect(),
            integrations,
            created_at: account.created_at.iso(),
            updated_at: account.updated_at.iso(),
            version: account.version,
            new_account: None,
        }
    }

    /// The same, saying whether an upsert created it.
    #[must_use]
    pub fn marked_new(mut self, new: bool) -> Self {
        self.new_account = Some(new);
        self
    }
}
