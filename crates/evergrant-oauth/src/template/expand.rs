//! From a template and values to a URL that leads nowhere else.

use std::collections::BTreeMap;

use url::{Host, Url};

use super::{Part, Rule, TemplateError, UrlTemplate, Variable};
use crate::encode::percent;

/// Longest path value accepted, in bytes.
const LONGEST_SEGMENT: usize = 255;

type Matcher<'a> = &'a dyn Fn(&str, &str) -> bool;
type Fill<'a> = &'a dyn Fn(&Variable, &str) -> Option<String>;

pub(super) fn expand(
    template: &UrlTemplate,
    values: &BTreeMap<String, String>,
    matches: Matcher<'_>,
) -> Result<Url, TemplateError> {
    let fill = |parts: &[Part], fill: Fill<'_>| -> Result<String, TemplateError> {
        let text = |part: &Part| match part {
            Part::Literal(text) => Ok(text.clone()),
            Part::Variable(at) => {
                let variable = &template.variables[*at];
                let value = values.get(&variable.name);
                let value = value.ok_or_else(|| TemplateError::Missing(variable.name.clone()))?;
                fill(variable, value).ok_or_else(|| TemplateError::Refused(variable.name.clone()))
            }
        };
        parts.iter().map(text).collect()
    };
    let host = fill(&template.host, &|variable, value| in_host(variable, value, matches))?;
    let path = fill(&template.path, &|variable, value| in_path(variable, value, matches))?;
    assemble(template, &host, &path)
}

/// The value as it may stand in a host. Only ASCII is lower-cased: there are letters beyond it that
/// become ASCII when lower-cased, such as the Kelvin sign.
fn in_host(variable: &Variable, value: &str, matches: Matcher<'_>) -> Option<String> {
    let value = value.to_ascii_lowercase();
    let allowed = match &variable.rule {
        Rule::Plain => is_label(&value),
        Rule::OneOf(list) => list.iter().any(|one| one.eq_ignore_ascii_case(&value)),
        Rule::Pattern => matches(&variable.name, &value),
    };
    (allowed && value.split('.').all(is_label)).then_some(value)
}

fn in_path(variable: &Variable, value: &str, matches: Matcher<'_>) -> Option<String> {
    let allowed = match &variable.rule {
        Rule::Plain => true,
        Rule::OneOf(list) => list.iter().any(|one| one == value),
        Rule::Pattern => matches(&variable.name, value),
    };
    let fine =
        !["", ".", ".."].contains(&value) && value.len() <= LONGEST_SEGMENT && !value.chars().any(char::is_control);
    (allowed && fine).then(|| percent(value))
}

/// A DNS label by RFC 1123, 2.1, in lower case.
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Puts the parts together and demands that they come out of the parser as they went in.
pub(super) fn assemble(template: &UrlTemplate, host: &str, path: &str) -> Result<Url, TemplateError> {
    let port = template.port.map(|port| format!(":{port}")).unwrap_or_default();
    let query = template
        .query
        .as_ref()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let text = format!("{}://{host}{port}{path}{query}", template.scheme);
    let url = Url::parse(&text).map_err(|_| TemplateError::Unfit)?;

    let is_name = host.len() <= 253 && host.split('.').all(is_label);
    let fixed = template.host.iter().all(|part| matches!(part, Part::Literal(_)));
    let right_kind = match url.host() {
        Some(Host::Domain(_)) => is_name,
        Some(_) => fixed,
        None => false,
    };
    let same = url.scheme() == template.scheme
        && url.host_str() == Some(host)
        && (template.port.is_none() || url.port_or_known_default() == template.port)
        && (template.port.is_some() || url.port().is_none())
        && url.path() == path
        && url.query() == template.query.as_deref()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (right_kind && same && ends_in_suffix(template, host))
        .then_some(url)
        .ok_or(TemplateError::Unfit)
}

/// True by construction; asked again because all depends on it.
fn ends_in_suffix(template: &UrlTemplate, host: &str) -> bool {
    match template.host.as_slice() {
        [Part::Literal(whole)] => host == whole,
        [.., Part::Literal(suffix)] => host.strip_suffix(suffix.as_str()).is_some_and(|free| !free.is_empty()),
        _ => false,
    }
}
