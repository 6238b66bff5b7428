//! From text to a template that is safe to fill in.

use super::{InvalidTemplate, Part, UrlTemplate, Variable, expand};

pub(super) fn parse(text: &str, variables: &[Variable]) -> Result<UrlTemplate, InvalidTemplate> {
    // The URL parser drops tabs and line ends anywhere and reads `\` as `/`.
    if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return Err(InvalidTemplate("only visible ASCII without backslashes"));
    }
    let (scheme, rest) = split_scheme(text)?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(InvalidTemplate("no user name"));
    }
    if rest.contains('#') {
        return Err(InvalidTemplate("no fragment"));
    }
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query)));
    if query.is_some_and(|query| query.contains(['{', '}'])) {
        return Err(InvalidTemplate("no variable in the query"));
    }
    let (host, port) = split_port(authority)?;
    let template = UrlTemplate {
        scheme,
        host: parts(host, variables)?,
        port,
        path: parts(if path.is_empty() { "/" } else { path }, variables)?,
        query: query.map(str::to_owned),
        variables: variables.to_vec(),
    };
    check_suffix(&template.host)?;
    check_literals(&template)?;
    Ok(template)
}

fn split_scheme(text: &str) -> Result<(&'static str, &str), InvalidTemplate> {
    ["https", "http"]
        .into_iter()
        .find_map(|scheme| Some((scheme, text.strip_prefix(scheme)?.strip_prefix("://")?)))
        .ok_or(InvalidTemplate("it must begin with https:// or http://"))
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidTemplate> {
    match authority.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let port = port.parse().ok().filter(|port| digits && *port != 0);
            Ok((
                host,
                Some(port.ok_or(InvalidTemplate("the port must be a literal number"))?),
            ))
        }
        _ => Ok((authority, None)),
    }
}

fn parts(mut text: &str, variables: &[Variable]) -> Result<Vec<Part>, InvalidTemplate> {
    let mut parts = Vec::new();
    while let Some((literal, rest)) = text.split_once('{') {
        let (name, rest) = rest.split_once('}').ok_or(InvalidTemplate("a brace is not closed"))?;
        let at = variables.iter().position(|variable| variable.name == name);
        push_literal(&mut parts, literal)?;
        parts.push(Part::Variable(
            at.ok_or(InvalidTemplate("it uses a variable that is not declared"))?,
        ));
        text = rest;
    }
    push_literal(&mut parts, text)?;
    Ok(parts)
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), InvalidTemplate> {
    if literal.contains('}') {
        return Err(InvalidTemplate("a brace is not opened"));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

/// After the last variable come at least two whole labels. `{x}example.com` fails: its `x` would
/// make `evilexample.com`, which is for sale.
fn check_suffix(host: &[Part]) -> Result<(), InvalidTemplate> {
    const TOO_FREE: InvalidTemplate = InvalidTemplate("after its last variable the host needs two literal labels");
    if !host.iter().any(|part| matches!(part, Part::Variable(_))) {
        return Ok(());
    }
    let Some(Part::Literal(last)) = host.last() else {
        return Err(TOO_FREE);
    };
    let (_, suffix) = last.split_once('.').ok_or(TOO_FREE)?;
    let labels: Vec<&str> = suffix.split('.').collect();
    (labels.len() >= 2 && labels.iter().all(|label| expand::is_label(label)))
        .then_some(())
        .ok_or(TOO_FREE)
}

/// With harmless values the template must parse back to itself: catches literal `..`, `%` tricks,
/// numeric suffixes (IPv4) and upper-case hosts.
fn check_literals(template: &UrlTemplate) -> Result<(), InvalidTemplate> {
    let sample = |parts: &[Part]| -> String {
        let text = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Variable(_) => "x".to_owned(),
        };
        parts.iter().map(text).collect()
    };
    expand::assemble(template, &sample(&template.host), &sample(&template.path))
        .map(drop)
        .map_err(|_| InvalidTemplate("it is not a URL in its plainest spelling"))
}
