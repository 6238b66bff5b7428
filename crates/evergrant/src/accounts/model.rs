//! Types of the linked accounts, and the rules that need no database.

use serde_json::Value;

use super::spelling::{check_account_id, is_text};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{AccountId, RowId};
use crate::secret::Secret;
use crate::vault::Sealed;

pub(super) const MAX_ACCOUNT_ID: usize = 255;
const MAX_NAME: usize = 255;
const MAX_KEY: usize = 255;
const MAX_VALUE: usize = 4096;
/// How many fields one account may have.
pub(super) const MAX_FIELDS: usize = 100;
/// How many credentials a default app may have.
pub(super) const MAX_CREDENTIALS: usize = 100;
const MAX_PAGE_SIZE: u32 = 100;

/// One end customer of the team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedAccount {
    /// Ours.
    pub id: AccountId,
    /// The caller's own id of its customer, unique per environment.
    pub account_id: String,
    /// What the team calls it.
    pub name: Option<String>,
    /// Counts changes; `__v` on the wire.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One entry of an account's `udf`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Ours.
    pub id: RowId,
    /// Unique within the account.
    pub key: String,
    /// A string, number or boolean.
    pub value: Value,
    /// When the key was first set.
    pub created_at: Timestamp,
    /// When its value was last set.
    pub updated_at: Timestamp,
}

/// The credentials of the team's own application for one account.
#[derive(Clone, Debug)]
pub struct DefaultApp {
    /// Ours; the sealed map is bound to it.
    pub id: RowId,
    /// The team's id of its application, where it gave one.
    pub app_id: Option<String>,
    /// A JSON object, name to text.
    pub sealed: Sealed,
    /// When it was seeded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An account with what its document shows.
#[derive(Clone, Debug)]
pub struct Record {
    /// The account.
    pub account: LinkedAccount,
    /// Its fields, the oldest first.
    pub fields: Vec<Field>,
    /// Its default app, if it has one.
    pub default_app: Option<DefaultApp>,
}

/// What a caller wants an account to be. What is not named stays as it is.
#[derive(Debug)]
pub struct Change {
    account_id: String,
    name: Option<String>,
    fields: Vec<FieldChange>,
    default_app: Option<NewDefaultApp>,
}

/// A key and its new value; `None` removes the key.
pub type FieldChange = (String, Option<Value>);

/// Credentials that replace those of the default app.
#[derive(Debug)]
pub struct NewDefaultApp {
    /// The team's id of its application.
    pub app_id: Option<String>,
    /// Name and value.
    pub credentials: Vec<(String, Secret)>,
}

impl Change {
    /// A change of the account with this id, which must be one.
    pub fn of(account_id: &str) -> Result<Self, Error> {
        check_account_id(account_id)?;
        Ok(Self {
            account_id: account_id.to_owned(),
            name: None,
            fields: Vec::new(),
            default_app: None,
        })
    }

    /// Also sets the name.
    pub fn named(mut self, name: Option<String>) -> Result<Self, Error> {
        if let Some(name) = &name
            && !is_text(name, MAX_NAME)
        {
            return Err(Error::invalid(format!(
                "name has at most {MAX_NAME} characters and no control characters"
            )));
        }
        self.name = name;
        Ok(self)
    }

    /// Also sets and removes fields.
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = (String, Value)>) -> Result<Self, Error> {
        for (key, value) in fields {
            check_field(&key, &value)?;
            self.fields.push((key, (!value.is_null()).then_some(value)));
        }
        if self.fields.len() > MAX_FIELDS {
            return Err(too_many_fields());
        }
        Ok(self)
    }

    /// Also replaces the default app's credentials.
    pub fn with_default_app(mut self, app: Option<NewDefaultApp>) -> Result<Self, Error> {
        if let Some(app) = &app {
            check_default_app(app)?;
        }
        self.default_app = app;
        Ok(self)
    }

    /// Which account.
    #[must_use]
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// Its new name, if that changes.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The fields that change.
    #[must_use]
    pub fn fields(&self) -> &[FieldChange] {
        &self.fields
    }

    /// The default app's new credentials, if they change.
    #[must_use]
    pub fn default_app(&self) -> Option<&NewDefaultApp> {
        self.default_app.as_ref()
    }
}

fn check_field(key: &str, value: &Value) -> Result<(), Error> {
    if key.is_empty() || !is_text(key, MAX_KEY) {
        return Err(Error::invalid(format!(
            "a key of udf has 1 to {MAX_KEY} characters and no control characters"
        )));
    }
    let fits = match value {
        Value::String(text) => text.chars().count() <= MAX_VALUE && !text.contains('\0'),
        Value::Number(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::invalid(
                "a value of udf is a string, a number or a boolean; null removes the key",
            ));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "a text in udf has at most {MAX_VALUE} characters and no NUL character"
        )))
    }
}

pub(super) fn too_many_fields() -> Error {
    Error::invalid(format!("an account has at most {MAX_FIELDS} fields"))
}

fn check_default_app(app: &NewDefaultApp) -> Result<(), Error> {
    if app.credentials.len() > MAX_CREDENTIALS {
        return Err(too_many_credentials());
    }
    if app.app_id.as_ref().is_some_and(|id| !is_text(id, MAX_KEY)) {
        return Err(Error::invalid("your_app.app_id is too long or has control characters"));
    }
    let mut names: Vec<&str> = app.credentials.iter().map(|(name, _)| name.as_str()).collect();
    names.iter().try_for_each(|name| check_credential_name(name))?;
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid("Duplicate Auth key_name not allowed"));
    }
    Ok(())
}

pub(super) fn too_many_credentials() -> Error {
    Error::invalid(format!("a default app has at most {MAX_CREDENTIALS} credentials"))
}

/// Whether a credential may have this name.
pub(super) fn check_credential_name(name: &str) -> Result<(), Error> {
    if !name.is_empty() && is_text(name, MAX_KEY) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "the name of a credential has 1 to {MAX_KEY} characters and no control characters"
        )))
    }
}

/// Which accounts a list shows: those with a field of this name, of this value, or both.
#[derive(Clone, Debug, Default)]
pub struct FieldFilter {
    /// `env_variable_name`.
    pub name: Option<String>,
    /// `env_variable_value`, as text; it matches a text and the number or boolean that is written like it.
    pub value: Option<String>,
}

/// A page that a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Counts from one.
    pub number: u32,
    /// How many documents a page has.
    pub size: u32,
}

impl Page {
    /// Page `number` of `size` documents; more than 100 are not given at once.
    pub fn new(number: u32, size: u32) -> Result<Self, Error> {
        if number == 0 || size == 0 {
            return Err(Error::invalid("page and limit count from 1"));
        }
        Ok(Self {
            number,
            size: size.min(MAX_PAGE_SIZE),
        })
    }

    /// How many documents come before it.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.number - 1) * i64::from(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_1_to_255_characters_without_control_characters() {
        for good in ["a", "u@x.y", "Zoë / 7", &"é".repeat(255)] {
            assert!(Change::of(good).is_ok(), "{good}");
        }
        for bad in ["", "a\0", "a\nb", "\u{7f}", &"é".repeat(256)] {
            assert!(Change::of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fields_are_primitives_and_null_removes() {
        let change = |value: Value| Change::of("a").unwrap().with_fields([("k".to_owned(), value)]);
        assert_eq!(change(Value::Null).unwrap().fields(), [("k".to_owned(), None)]);
        for good in ["1", "1.5", "true", "\"x\"", "\"\""] {
            let value: Value = serde_json::from_str(good).unwrap();
            assert_eq!(change(value.clone()).unwrap().fields(), [("k".to_owned(), Some(value))]);
        }
        for bad in ["[]", "{}", "\"\\u0000\""] {
            assert!(change(serde_json::from_str(bad).unwrap()).is_err(), "{bad}");
        }
        assert!(change(Value::from("x".repeat(MAX_VALUE))).is_ok());
        assert!(change(Value::from("x".repeat(MAX_VALUE + 1))).is_err());
    }

    #[test]
    fn a_credential_is_named_once() {
        let named = |names: &[&str]| {
            let credentials = names
                .iter()
                .map(|name| ((*name).to_owned(), Secret::from("v".to_owned())))
                .collect();
            let app = NewDefaultApp {
                app_id: None,
                credentials,
            };
            Change::of("a").unwrap().with_default_app(Some(app))
        };
        assert!(named(&["a", "b"]).is_ok());
        assert_eq!(
            named(&["a", "b", "a"]).unwrap_err().to_string(),
            "Duplicate Auth key_name not allowed"
        );
        assert!(named(&[""]).is_err());
    }

    #[test]
    fn pages_count_from_one_and_have_at_most_100_documents() {
        assert_eq!(Page::new(3, 10).unwrap().offset(), 20);
        assert_eq!(Page::new(1, 101).unwrap().size, 100);
        assert!(Page::new(0, 10).is_err());
        assert!(Page::new(1, 0).is_err());
    }
}
