//! Addresses and texts with the customer's values filled in.

use std::collections::BTreeMap;

use evergrant_oauth::{InvalidTemplate, Rule, TemplateError, UrlTemplate, Variable};
use url::Url;

use super::model::InputField;
use super::scheme::Placement;
use crate::egress::path;
use crate::secret::Secret;

/// The address of a template, filled in. A field with a `pattern` may stand for several DNS labels in a host, one
/// with options for one of them; any other is one label. In a path it is held to what callers of the proxy are.
pub fn expand(template: &str, fields: &[InputField], values: &BTreeMap<String, String>) -> Result<Url, TemplateError> {
    if !template.contains('{') {
        // Checked when the file was read; most are like this, and it stands before every call.
        return Url::parse(template).map_err(|_| TemplateError::Unfit);
    }
    let parsed = parse(template, fields).map_err(|_| TemplateError::Unfit)?;
    let url = parsed.expand(values, &|name, value| {
        let pattern = fields
            .iter()
            .find(|field| field.name == name)
            .and_then(|field| field.pattern.as_ref());
        pattern.is_some_and(|pattern| pattern.matches(value))
    })?;
    path::check(url.path()).map_err(|_| TemplateError::Unfit)?;
    Ok(url)
}

/// A template over the fields of a form.
pub(super) fn parse(template: &str, fields: &[InputField]) -> Result<UrlTemplate, InvalidTemplate> {
    let variable = |field: &InputField| {
        let rule = match (&field.pattern, &field.options) {
            (Some(_), _) => Rule::Pattern,
            (None, Some(options)) => Rule::OneOf(options.iter().map(|option| option.value.clone()).collect()),
            (None, None) => Rule::Plain,
        };
        Variable {
            name: field.name.clone(),
            rule,
        }
    };
    let variables: Vec<_> = fields.iter().map(variable).collect();
    UrlTemplate::parse(template, &variables)
}

/// Where one part of a credential goes in a call, filled in.
#[derive(Debug, Clone)]
pub enum Placed {
    /// A header; `Bearer` and `Basic` come out as `authorization`.
    Header(String, Secret),
    /// A query parameter.
    Query(String, Secret),
}

impl Placement {
    /// Fills the credential in. `None` when a value is missing.
    #[must_use]
    pub fn place(&self, values: &BTreeMap<String, Secret>) -> Option<Placed> {
        use base64::Engine as _;
        let authorization = |text: String| Placed::Header("authorization".to_owned(), Secret::from(text));
        Some(match self {
            Self::Bearer { token } => authorization(format!("Bearer {}", fill(token, values)?)),
            Self::Basic { username, password } => {
                let pair = format!("{}:{}", fill(username, values)?, fill(password, values)?);
                authorization(format!(
                    "Basic {}",
                    base64::engine::general_purpose::STANDARD.encode(pair)
                ))
            }
            Self::Header { name, value } => Placed::Header(name.clone(), Secret::from(fill(value, values)?)),
            Self::Query { name, value } => Placed::Query(name.clone(), Secret::from(fill(value, values)?)),
        })
    }
}

/// A text with its `{name}`s replaced once: braces in a value stay what they are.
fn fill(template: &str, values: &BTreeMap<String, Secret>) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        out.push_str(literal);
        out.push_str(values.get(name)?.expose());
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
