//! Addresses with parts that customers fill in.

use std::collections::BTreeMap;

use evergrant_oauth::{Rule, UrlTemplate, Variable};
use url::Url;

use super::model::{Application, AuthType, InputField};
use crate::error::Error;

impl Application {
    /// Fills an address template of this application's file with what the customer typed in. A value in the host is one DNS
    /// label, or matches the field's pattern, and the host ends in a literal suffix of the file.
    pub fn expand_url(&self, template: &str, auth_type: AuthType, values: &BTreeMap<String, String>) -> Result<Url, Error> {
        let fields = self.inputs(auth_type);
        let variable = |field: &InputField| Variable {
            name: field.name.clone(),
            rule: if field.pattern.is_some() { Rule::Pattern } else { Rule::Plain },
        };
        let variables: Vec<Variable> = fields.iter().map(variable).collect();
        let parsed = UrlTemplate::parse(template, &variables).map_err(|_| Error::Internal("an address template of the catalogue"))?;
        let matches = |name: &str, value: &str| {
            let field = fields.iter().find(|field| field.name == name);
            field.and_then(|field| field.pattern.as_ref()).is_some_and(|pattern| pattern.matches(value))
        };
        parsed.expand(values, &matches).map_err(|error| Error::invalid(error.to_string()))
    }
}
