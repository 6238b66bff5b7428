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
pub enum Placed<'a> {
    /// A header, its name in lower case; `Bearer` and `Basic` come out as `authorization`.
    Header(&'a str, Secret),
    /// A query parameter.
    Query(&'a str, Secret),
}

impl Placement {
    /// Fills the credential in, with the value of each name. `None` when one is missing.
    #[must_use]
    pub fn place<'a>(&'a self, value_of: &dyn Fn(&str) -> Option<&'a str>) -> Option<Placed<'a>> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let filled = |template| pieces(template, value_of);
        Some(match self {
            Self::Bearer { token } => {
                let value = joined([Some("Bearer ")].into_iter().chain(filled(token)))?;
                Placed::Header("authorization", value)
            }
            Self::Basic { username, password } => {
                let pair = joined(filled(username).chain([Some(":")]).chain(filled(password)))?;
                let value = ["Basic ", &STANDARD.encode(pair.expose())].concat();
                Placed::Header("authorization", Secret::from(value))
            }
            Self::Header { name, value } => Placed::Header(name, joined(filled(value))?),
            Self::Query { name, value } => Placed::Query(name, joined(filled(value))?),
        })
    }
}

/// A text with its `{name}`s replaced once: braces in a value stay what they are.
fn pieces<'a>(
    template: &'a str,
    value_of: &dyn Fn(&str) -> Option<&'a str>,
) -> impl Iterator<Item = Option<&'a str>> + Clone {
    let mut parts = template.split('{');
    let literal = parts.next();
    let named = parts.flat_map(move |part| match part.split_once('}') {
        Some((name, literal)) => [value_of(name), Some(literal)],
        None => [None, None],
    });
    [literal].into_iter().chain(named)
}

/// The pieces as one text, if none is missing. Measured first: a text that grows leaves copies behind that nobody wipes.
fn joined<'a>(pieces: impl Iterator<Item = Option<&'a str>> + Clone) -> Option<Secret> {
    let mut text = String::with_capacity(pieces.clone().flatten().map(str::len).sum());
    for piece in pieces {
        text.push_str(piece?);
    }
    Some(Secret::from(text))
}
