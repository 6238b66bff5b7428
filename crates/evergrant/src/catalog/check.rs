//! What a file must satisfy beyond its form.

use std::collections::BTreeSet;

use super::api::{ApiBaseFromExtra, Identity, IdentitySource, Probe};
use super::model::{Application, AuthType, InputField};
use super::notices::Verification;
use super::scheme::{KeyScheme, OAuth2Scheme, Placement};
use super::{FileError, urls};
use crate::pace::Limits;

/// Path segments of our own routes, and what a confused client sends for a missing slug.
const RESERVED: [&str; 22] = [
    "admin",
    "api",
    "application",
    "applications",
    "auth",
    "callback",
    "config",
    "custom",
    "event",
    "events",
    "execution",
    "f-sdk",
    "integration",
    "integrations",
    "linked-acc",
    "linked-account",
    "null",
    "public",
    "session-token",
    "undefined",
    "webhook",
    "workflow",
];

const KINDS: [&str; 7] = ["text", "password", "number", "boolean", "select", "textarea", "map"];

/// Lower-case letters, digits and hyphens, a letter first, at most 64, and not one of our own words.
pub(super) fn slug(slug: &str) -> Result<(), FileError> {
    let fine = slug.len() <= 64
        && slug.starts_with(|c: char| c.is_ascii_lowercase())
        && !slug.ends_with('-')
        && slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fine {
        return Err(FileError::at(
            "slug",
            "lower-case letters, digits and hyphens are wanted, a letter first, at most 64",
        ));
    }
    if RESERVED.contains(&slug) {
        return Err(FileError::at("slug", "this word is reserved"));
    }
    Ok(())
}

fn refreshing(app: &Application) -> Result<(), FileError> {
    let limits = app.refreshing.limits;
    if limits.at_once == 0 || limits.per_second == 0 {
        return Err(FileError::at("refresh", "`at_once` and `per_second` are at least 1"));
    }
    if limits.at_once > Limits::MOST_AT_ONCE {
        let what = format!(
            "at most {}, or an application that hangs would stop the refreshes of all others",
            Limits::MOST_AT_ONCE
        );
        return Err(FileError::at("refresh.at_once", &what));
    }
    Ok(())
}

pub(super) fn application(app: &Application) -> Result<(), FileError> {
    slug(&app.slug)?;
    for (field, text) in [
        ("name", &app.name),
        ("description", &app.description),
        ("version", &app.version),
    ] {
        if text.trim().is_empty() {
            return Err(FileError::at(field, "must not be empty"));
        }
    }
    refreshing(app)?;
    if !app.supports(app.auth_type) {
        return Err(FileError::at(
            "auth_type",
            "the section of the primary auth type is missing",
        ));
    }
    if app.api.base_url.ends_with('/') {
        return Err(FileError::at("api.base_url", "no slash at the end"));
    }
    if !app.api.redirect_hosts.iter().all(|host| is_host(host)) {
        let wanted =
            "hosts are wanted, in lower case: `files.example.com`, `.example.com`, or `files.example.com:8443`";
        return Err(FileError::at("api.redirect_hosts", wanted));
    }
    for auth_type in app.auth_types() {
        let values = Names::of(auth_type, app.inputs(auth_type));
        values.url("api.base_url", &app.api.base_url, app.custom)?;
    }
    if let Some(scheme) = &app.oauth2 {
        oauth2(scheme, app.custom)?;
    }
    if let Some(scheme) = &app.keybased {
        keybased(scheme, app.custom)?;
    }
    let owners: Vec<&str> = [Some(app.slug.as_str()), app.provider.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    if let Some(notices) = &app.notices {
        if app.oauth2.is_none() {
            return Err(FileError::at("notices", "only grants of OAuth 2.0 end by a notice"));
        }
        notices.check(&owners)?;
        if let Verification::SecurityEventToken(issuer) = &notices.verified_by {
            let nothing = Names::of(AuthType::Keybased, &[]);
            nothing.url("notices.jwks_url", &issuer.jwks_url, app.custom)?;
        }
    }
    for rule in &app.rules.0 {
        let owner = rule.name.split('.').next();
        if !owner.is_some_and(|owner| owners.contains(&owner)) {
            return Err(FileError::at(
                &format!("rule.{}", rule.name),
                "its name must begin with the slug or the provider",
            ));
        }
    }
    Ok(())
}

/// A host name, a suffix of several labels, or a name and a port.
fn is_host(text: &str) -> bool {
    let name = text.strip_prefix('.').unwrap_or(text);
    let url = url::Url::parse(&format!("https://{name}/"));
    let plain = url.is_ok_and(|url| {
        url[url::Position::BeforeHost..url::Position::AfterPort] == *name && url.path() == "/" && url.query().is_none()
    });
    plain && (name == text || (name.contains('.') && !name.contains(':')))
}

fn oauth2(scheme: &OAuth2Scheme, custom: bool) -> Result<(), FileError> {
    let at = |field: &str| format!("oauth2.{field}");
    inputs(&at("input"), &scheme.inputs)?;
    let values = Names::of(AuthType::OAuth2, &scheme.inputs);
    let optional = [
        ("refresh_url", &scheme.refresh_url),
        ("revocation_url", &scheme.revocation_url),
        ("issuer", &scheme.issuer),
    ];
    values.url(&at("authorization_url"), &scheme.authorization_url, custom)?;
    values.url(&at("token_url"), &scheme.token_url, custom)?;
    for (field, url) in optional {
        if let Some(url) = url {
            values.url(&at(field), url, custom)?;
        }
    }
    pointer(&at("token_path"), &scheme.token_path)?;
    placement(&at("placement"), &scheme.placement, &values)?;
    probe(&at("probe"), scheme.probe.as_ref(), &values, custom)?;
    identity(
        &at("identity"),
        scheme.identity.as_ref(),
        scheme.probe.is_some(),
        &scheme.inputs,
    )?;
    scheme.api_base_from_extra.as_ref().map_or(Ok(()), api_base)
}

fn keybased(scheme: &KeyScheme, custom: bool) -> Result<(), FileError> {
    let at = |field: &str| format!("keybased.{field}");
    if scheme.inputs.is_empty() {
        return Err(FileError::at(
            &at("input"),
            "a key form without fields asks for nothing",
        ));
    }
    inputs(&at("input"), &scheme.inputs)?;
    let values = Names::of(AuthType::Keybased, &scheme.inputs);
    placement(&at("placement"), &scheme.placement, &values)?;
    probe(&at("probe"), scheme.probe.as_ref(), &values, custom)?;
    identity(
        &at("identity"),
        scheme.identity.as_ref(),
        scheme.probe.is_some(),
        &scheme.inputs,
    )
}

fn inputs(at: &str, fields: &[InputField]) -> Result<(), FileError> {
    let mut seen = BTreeSet::new();
    for field in fields {
        let at = format!("{at}.{}", field.name);
        let plain = !field.name.is_empty() && field.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !plain || !seen.insert(&field.name) {
            return Err(FileError::at(
                &at,
                "names are letters, digits and underscores, each once",
            ));
        }
        if matches!(
            field.name.as_str(),
            "access_token" | "refresh_token" | "client_id" | "client_secret" | "linked_account_id"
        ) {
            return Err(FileError::at(&at, "this name is used by the server itself"));
        }
        if !KINDS.contains(&field.kind.as_str()) {
            return Err(FileError::at(
                &at,
                "`type` is one of text, password, number, boolean, select, textarea, map",
            ));
        }
        if (field.kind == "select") != field.options.is_some() {
            return Err(FileError::at(
                &at,
                "`options` go with `type = \"select\"`, and the other way round",
            ));
        }
    }
    Ok(())
}

fn placement(at: &str, places: &[Placement], values: &Names<'_>) -> Result<(), FileError> {
    if places.is_empty() {
        return Err(FileError::at(at, "the credential must be placed somewhere"));
    }
    for place in places {
        for template in place.templates() {
            values.known(at, template)?;
        }
        if let Placement::Header { name, .. } = place
            && (name.is_empty()
                || name
                    .bytes()
                    .any(|b| !(b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')))
        {
            return Err(FileError::at(at, "header names are written in lower case"));
        }
    }
    Ok(())
}

fn probe(at: &str, probe: Option<&Probe>, values: &Names<'_>, custom: bool) -> Result<(), FileError> {
    let Some(probe) = probe else { return Ok(()) };
    if !matches!(probe.method.as_str(), "GET" | "POST" | "HEAD") {
        return Err(FileError::at(
            at,
            "`method` is GET, HEAD or POST: a probe changes nothing",
        ));
    }
    for at_pointer in probe.expect.keys() {
        pointer(at, at_pointer)?;
    }
    if probe.url.starts_with('/') {
        values.known(at, &probe.url)
    } else {
        values.url(at, &probe.url, custom)
    }
}

fn identity(at: &str, identity: Option<&Identity>, has_probe: bool, fields: &[InputField]) -> Result<(), FileError> {
    let Some(identity) = identity else { return Ok(()) };
    for place in [Some(&identity.id), identity.name.as_ref()].into_iter().flatten() {
        match identity.from {
            IdentitySource::Input if !fields.iter().any(|field| field.name == *place) => {
                return Err(FileError::at(at, "no such input field"));
            }
            IdentitySource::Input => {}
            IdentitySource::Probe if !has_probe => return Err(FileError::at(at, "there is no probe to read it from")),
            IdentitySource::Probe | IdentitySource::TokenReply => pointer(at, place)?,
        }
    }
    Ok(())
}

fn api_base(extra: &ApiBaseFromExtra) -> Result<(), FileError> {
    let at = "oauth2.api_base_from_extra";
    pointer(at, &extra.pointer)?;
    let literal = |suffix: &String| {
        suffix.starts_with('.') && suffix.matches('.').count() >= 2 && !suffix.contains(['{', '/', '*'])
    };
    if extra.host_suffixes.is_empty() || !extra.host_suffixes.iter().all(literal) {
        return Err(FileError::at(
            at,
            "`host_suffixes` are literal and of two labels at least, like `.example.com`",
        ));
    }
    Ok(())
}

/// RFC 6901: empty, or beginning with a slash.
fn pointer(at: &str, text: &str) -> Result<(), FileError> {
    let fine = text.is_empty() || text.starts_with('/');
    if fine {
        Ok(())
    } else {
        Err(FileError::at(at, "a JSON pointer begins with a slash"))
    }
}

/// The names that templates of one auth type may use.
struct Names<'a> {
    names: Vec<&'a str>,
    fields: &'a [InputField],
}

impl<'a> Names<'a> {
    fn of(auth_type: AuthType, fields: &'a [InputField]) -> Self {
        let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        if auth_type == AuthType::OAuth2 {
            names.push("access_token");
        }
        Self { names, fields }
    }

    fn known(&self, at: &str, template: &str) -> Result<(), FileError> {
        let mut rest = template;
        while let Some((_, after)) = rest.split_once('{') {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| FileError::at(at, "a brace is not closed"))?;
            if !self.names.contains(&name) {
                return Err(FileError::at(at, &format!("`{{{name}}}` is no field of its form")));
            }
            rest = after;
        }
        Ok(())
    }

    /// https, and a host that customers cannot bend (see [`super::urls`]). A custom file may name plain http on a
    /// loopback address; the sandbox's own address is trusted as given.
    fn url(&self, at: &str, template: &str, custom: bool) -> Result<(), FileError> {
        let template = template.replace(super::SANDBOX_MARK, "https://sandbox.example.com");
        self.known(at, &template)?;
        let loopback = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .any(|origin| {
                template
                    .strip_prefix(origin)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
            });
        if template.starts_with("http:") && !(custom && loopback) {
            return Err(FileError::at(
                at,
                "http is only for loopback addresses in custom files; https is wanted",
            ));
        }
        urls::parse(&template, self.fields).map_err(|error| FileError::at(at, &error.to_string()))?;
        Ok(())
    }
}
