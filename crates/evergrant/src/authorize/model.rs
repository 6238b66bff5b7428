//! What an authorisation remembers, and what customers may type in.

use std::collections::BTreeMap;
use std::time::Duration;

use evergrant_oauth::Verifier;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::asker::Asker;
use crate::catalog::{Application, AuthType, InputField};
use crate::error::Error;
use crate::secret::{Secret, SecretBytes};

/// How long a customer may take between "connect" and the callback.
pub const LIFETIME: Duration = Duration::from_mins(10);

const MAX_VALUE: usize = 4096;
const MAX_FIELDS: usize = 50;

/// Typed-in values by the names of their fields.
pub type Inputs = BTreeMap<String, String>;

/// What must be remembered until the callback. Sealed, since the verifier is a secret.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) verifier: Option<Verifier>,
    pub(super) redirect_uri: String,
    pub(super) client_id: String,
    pub(super) inputs: Inputs,
    pub(super) asker: Asker,
}

impl Pending {
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let value = json!({
            "verifier": self.verifier.as_ref().map(|verifier| verifier.secret().expose()),
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "inputs": self.inputs,
            "asker": self.asker,
        });
        Zeroizing::new(value.to_string())
    }

    pub(super) fn from_bytes(bytes: &SecretBytes) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes.expose()).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            verifier: text("verifier").map(|text| Verifier::from_stored(Secret::from(text))),
            redirect_uri: text("redirect_uri")?,
            client_id: text("client_id")?,
            inputs: serde_json::from_value(value.get("inputs")?.clone()).ok()?,
            asker: serde_json::from_value(value.get("asker")?.clone()).ok()?,
        })
    }
}

/// Checks typed-in values against the application's form: unknown fields, missing ones and misfits are named, values
/// never are. Fields left empty count as absent.
pub fn check_inputs(application: &Application, auth_type: AuthType, given: Inputs) -> Result<Inputs, Error> {
    let fields = application.inputs(auth_type);
    if given.len() > MAX_FIELDS {
        return Err(Error::invalid("too many fields"));
    }
    let given: Inputs = given
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .collect();
    if let Some(name) = given
        .keys()
        .find(|name| fields.iter().all(|field| field.name != **name))
    {
        let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(Error::invalid(format!(
            "`{shown}` is no field of {}: it asks for {known:?}",
            application.slug
        )));
    }
    fields
        .iter()
        .try_for_each(|field| check_field(field, given.get(&field.name)))?;
    application.check_addresses(auth_type, &given)?;
    Ok(given)
}

/// What is wrong with a typed-in value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is required and not there.
    Missing,
    /// It is too long, or holds control characters.
    Long,
    /// It does not have the expected form.
    Form,
}

/// What is wrong with a field's value, if anything is. A blank one counts as absent.
#[must_use]
pub fn misfit(field: &InputField, value: Option<&str>) -> Option<Misfit> {
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else {
        return field.required.then_some(Misfit::Missing);
    };
    if value.len() > MAX_VALUE || value.chars().any(|c| c.is_control() && c != '\n') {
        return Some(Misfit::Long);
    }
    let fits = match field.kind.as_str() {
        "number" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "boolean" => matches!(value, "true" | "false"),
        "select" => field.options.iter().flatten().any(|option| option.value == value),
        _ => true,
    };
    let matches = field.pattern.as_ref().is_none_or(|pattern| pattern.matches(value));
    (!fits || !matches).then_some(Misfit::Form)
}

fn check_field(field: &InputField, value: Option<&String>) -> Result<(), Error> {
    let (name, label) = (&field.name, &field.label);
    let Some(misfit) = misfit(field, value.map(String::as_str)) else {
        return Ok(());
    };
    Err(Error::invalid(match misfit {
        Misfit::Missing => format!("`{name}` ({label}) is required"),
        Misfit::Long => format!("`{name}` is longer than {MAX_VALUE} bytes or holds control characters"),
        Misfit::Form => format!("`{name}` ({label}) does not have the expected form"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn check(sid: &str, extra: &str) -> Result<Inputs, String> {
        let catalog = Catalog::load(None, None).unwrap();
        let twilio = catalog.get("twilio").unwrap();
        let values = [
            ("number", "+15550100"),
            ("sid", sid),
            ("auth_token", "s3cret-t0ken"),
            (extra, "x"),
        ];
        let values = values.into_iter().filter(|(name, _)| !name.is_empty());
        let given = values
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        check_inputs(twilio, AuthType::Keybased, given).map_err(|error| error.to_string())
    }

    #[test]
    fn typed_in_values_are_checked_by_name_and_never_shown() {
        let sid = format!("AC{}", "0".repeat(32));
        assert_eq!(check(&sid, "").unwrap().len(), 3);
        for (sid, extra, told) in [
            (
                format!("{sid}\n"),
                "",
                "`sid` (Account SID) does not have the expected form",
            ),
            (format!("{sid}\r"), "", "`sid`"),
            (String::new(), "", "`sid` (Account SID) is required"),
            ("  ".to_owned(), "", "`sid` (Account SID) is required"),
            ("x".repeat(5000), "", "`sid` is longer than"),
            (sid.clone(), "colour", "`colour` is no field of twilio"),
        ] {
            let message = check(&sid, extra).unwrap_err();
            assert!(message.contains(told), "{message}");
            assert!(!message.contains("s3cret") && !message.contains("AC00"), "{message}");
        }
    }
}
