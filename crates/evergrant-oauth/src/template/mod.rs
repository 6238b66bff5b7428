//! Endpoint addresses with parts that customers fill in: `https://{subdomain}.example.com/token`.
//!
//! A customer who could choose the host would be sent our client's secret. So the author of a
//! template decides where it may lead and the customer only where below that:
//!
//! * the host ends in literal text of at least two whole labels, whatever the values;
//! * a variable in the host is one DNS label (RFC 1123, 2.1) unless the author allows more by name;
//! * a variable in the path is one segment, encoded;
//! * scheme, port and query are literal, and there is no user name;
//! * the finished text must parse back to exactly the parts it was put together from.
//!
//! Not promised: that the suffix is nobody else's. `{x}.co.uk` and `{x}.pages.example` pass; the
//! author must know that names below the suffix are not for sale.

mod expand;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use url::Url;

/// A variable of a template, and what may be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name, as between the braces.
    pub name: String,
    /// What may be filled in.
    pub rule: Rule,
}

/// What a customer may fill in for a variable.
///
/// In a host, whatever the rule, a value is made of DNS labels; in a path it is one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// One DNS label in a host; any one segment in a path.
    Plain,
    /// One of these. In a host they may have several labels and are compared without regard to case.
    OneOf(Vec<String>),
    /// What the caller's matcher accepts (see [`UrlTemplate::expand`]). In a host, several labels.
    Pattern,
}

/// An address with variables, found safe to be filled in.
#[derive(Debug, Clone)]
pub struct UrlTemplate {
    scheme: &'static str,
    host: Vec<Part>,
    port: Option<u16>,
    path: Vec<Part>,
    query: Option<String>,
    variables: Vec<Variable>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    /// Index into `variables`.
    Variable(usize),
}

/// The template itself cannot be used: its author must mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unusable URL template: {0}")]
pub struct InvalidTemplate(pub(crate) &'static str);

/// The values do not fit: whoever gave them can mend it. Names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No value was given.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The value is not what the variable allows.
    #[error("`{0}` is not valid")]
    Refused(String),
    /// Each value is fine, together they are not: a host too long, a label that is no name.
    #[error("the values do not make a valid address")]
    Unfit,
}

impl UrlTemplate {
    /// Reads a template. All variables it uses must be among `variables`; others there do no harm.
    pub fn parse(text: &str, variables: &[Variable]) -> Result<Self, InvalidTemplate> {
        parse::parse(text, variables)
    }

    /// Fills in the values; those of no variable here are ignored.
    ///
    /// `matches(name, value)` is asked for variables of [`Rule::Pattern`] only; it must look at the
    /// whole value (an anchored pattern). A value in a host is lower-cased before. Where there are
    /// no patterns, pass [`no_patterns`].
    pub fn expand(
        &self,
        values: &BTreeMap<String, String>,
        matches: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Url, TemplateError> {
        expand::expand(self, values, matches)
    }

    /// The names of the variables used, in order of appearance.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.host.iter().chain(&self.path).filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Variable(at) => Some(self.variables[*at].name.as_str()),
        })
    }
}

/// A matcher that accepts nothing.
pub fn no_patterns(_name: &str, _value: &str) -> bool {
    false
}
