//! What a caller may say about a webhook, and the rules for it.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use url::Url;

use super::model::{EventKind, Method, Webhook, WebhookType};
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::ids::WebhookId;
use crate::secret::Secret;

const MAX_URL: usize = 2048;
const MAX_TEXT: usize = 1000;
const MAX_WORD: usize = 200;
const MAX_BODY: usize = 16 * 1024;
const MAX_LIST: usize = 100;
const MAX_HEADERS: usize = 30;
const MAX_HEADER_VALUE: usize = 4096;

/// Headers that a webhook may not set: our own, and those that decide how the message is framed or routed.
const RESERVED_HEADERS: [&str; 17] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-cobalt-signature",
];

/// The fields of a webhook that a caller sent; the others stay as they are, or get their defaults.
#[derive(Debug, Default)]
pub struct Change {
    /// `webhook_url`
    pub url: Option<String>,
    /// `webhook_events`, in any accepted spelling
    pub events: Option<Vec<String>>,
    /// `is_enabled`
    pub enabled: Option<bool>,
    /// `webhook_type`
    pub kind: Option<WebhookType>,
    /// `webhook_body`
    pub body: Option<Value>,
    /// `webhook_headers`; all of them
    pub headers: Option<BTreeMap<String, Secret>>,
    /// `method`
    pub method: Option<Method>,
    /// `slug`; empty clears
    pub slug: Option<String>,
    /// `workflow_ids`
    pub workflow_ids: Option<Vec<String>>,
    /// `description`; empty clears
    pub description: Option<String>,
    /// `webhook_description`; empty clears
    pub webhook_description: Option<String>,
    /// `group`; empty clears
    pub group: Option<String>,
}

impl Webhook {
    /// A new webhook: a URL and at least one event are required.
    pub fn new(change: Change, now: Timestamp) -> Result<Self, Error> {
        if change.url.is_none() {
            return Err(Error::invalid("webhook_url is required"));
        }
        if change.events.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::invalid("webhook_events is required: name at least one event"));
        }
        let template = change.kind.unwrap_or(WebhookType::Default).template();
        let mut new = Self {
            id: WebhookId::new(now),
            url: String::new(),
            events: Vec::new(),
            enabled: true,
            body: change.body.clone().map_or(Ok(template), checked_body)?,
            headers: Vec::new(),
            method: Method::Post,
            slug: None,
            workflow_ids: Vec::new(),
            description: None,
            webhook_description: None,
            group: None,
            version: 0,
            created_at: now,
            updated_at: now,
        };
        new.apply(Change { kind: None, ..change })?;
        Ok(new)
    }

    /// Makes the changes, or says what is wrong with one of them. A body is taken only together with the type
    /// `custom`, as documented; the other types bring their own.
    pub fn apply(&mut self, change: Change) -> Result<(), Error> {
        if let Some(url) = change.url {
            self.url = checked_url(url)?;
        }
        if let Some(names) = &change.events {
            self.events = event_kinds(names)?;
        }
        match (change.kind, change.body) {
            (Some(WebhookType::Custom), Some(body)) => self.body = checked_body(body)?,
            (Some(WebhookType::Custom) | None, _) => {}
            (Some(kind), _) => self.body = kind.template(),
        }
        if let Some(headers) = change.headers {
            self.headers = checked_headers(headers)?;
        }
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.method = change.method.unwrap_or(self.method);
        if let Some(ids) = change.workflow_ids {
            self.workflow_ids = checked_list(ids)?;
        }
        set_text(&mut self.slug, change.slug, ("slug", MAX_WORD))?;
        set_text(&mut self.description, change.description, ("description", MAX_TEXT))?;
        let words = change.webhook_description;
        set_text(&mut self.webhook_description, words, ("webhook_description", MAX_TEXT))?;
        set_text(&mut self.group, change.group, ("group", MAX_WORD))?;
        self.fits()
    }

    fn fits(&self) -> Result<(), Error> {
        if self.slug.is_some() && self.events.iter().any(|kind| !kind.is_workflow()) {
            return Err(Error::Invalid {
                code: Code::InvalidEvent,
                message: "a webhook with a slug takes workflow events only; leave the slug out".to_owned(),
            });
        }
        Ok(())
    }
}

/// Reads event names, each once.
pub(super) fn event_kinds(names: &[String]) -> Result<Vec<EventKind>, Error> {
    let mut kinds = Vec::new();
    for name in names {
        let kind = EventKind::parse(name).ok_or_else(|| Error::Invalid {
            code: Code::InvalidEvent,
            message: "Invalid event. Check events list in documentation.".to_owned(),
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn checked_url(url: String) -> Result<String, Error> {
    let wrong = |what: &str| Err(Error::invalid(format!("webhook_url {what}")));
    if url.len() > MAX_URL {
        return wrong("is longer than 2048 characters");
    }
    let Ok(parsed) = Url::parse(&url) else {
        return wrong("is not an absolute URL such as https://hooks.example/cobalt");
    };
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return wrong("must start with http:// or https://");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return wrong("must not hold a user name or password; use webhook_headers");
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return wrong("must not hold spaces or control characters");
    }
    Ok(url)
}

fn checked_body(body: Value) -> Result<Value, Error> {
    if body.to_string().len() > MAX_BODY {
        return Err(Error::invalid("webhook_body is larger than 16 KiB"));
    }
    Ok(body)
}

fn checked_headers(headers: BTreeMap<String, Secret>) -> Result<Vec<(String, Secret)>, Error> {
    if headers.len() > MAX_HEADERS {
        return Err(Error::invalid(format!(
            "webhook_headers holds more than {MAX_HEADERS} headers"
        )));
    }
    let mut seen = HashSet::new();
    for (name, value) in &headers {
        let lower = name.to_ascii_lowercase();
        if !is_header_name(name) {
            return Err(Error::invalid(
                "webhook_headers: a name has 1 to 100 letters, digits and !#$%&'*+-.^_`|~",
            ));
        }
        if RESERVED_HEADERS.contains(&lower.as_str()) {
            return Err(Error::invalid(format!("webhook_headers: `{lower}` cannot be set")));
        }
        let value = value.expose();
        if value.len() > MAX_HEADER_VALUE || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::invalid(format!(
                "webhook_headers: the value of `{lower}` must be at most 4096 printable ASCII characters"
            )));
        }
        if !seen.insert(lower.clone()) {
            return Err(Error::invalid(format!("webhook_headers: `{lower}` stands there twice")));
        }
    }
    Ok(headers.into_iter().collect())
}

/// RFC 9110, section 5.6.2: a token.
fn is_header_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(token)
}

fn checked_list(ids: Vec<String>) -> Result<Vec<String>, Error> {
    let wrong = |id: &String| id.chars().count() > MAX_WORD || id.chars().any(char::is_control);
    if ids.len() > MAX_LIST || ids.iter().any(wrong) {
        return Err(Error::invalid(format!(
            "workflow_ids holds at most {MAX_LIST} ids of at most {MAX_WORD} characters"
        )));
    }
    Ok(ids)
}

fn set_text(field: &mut Option<String>, new: Option<String>, (name, most): (&str, usize)) -> Result<(), Error> {
    let Some(text) = new else { return Ok(()) };
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    if text.chars().count() > most || text.chars().any(control) {
        return Err(Error::invalid(format!(
            "{name} has at most {most} characters and no control characters"
        )));
    }
    *field = Some(text).filter(|text| !text.is_empty());
    Ok(())
}
