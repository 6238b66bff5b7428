//! Templates of bodies and headers (contract, section 13.4).
//!
//! `{{event}}`, `{{event.<key>}}`, `{{linked_account_name}}`, `{{reauth_url}}`; `{{workflow_response…}}` is known and empty, since no
//! workflow runs here. A text that is one variable and nothing else becomes the variable's value, whatever its type.
//! What a variable stands for is not looked at again: a customer whose name reads `{{event}}` is called just that.

use serde_json::Value;

/// What the variables stand for.
pub(super) struct Values<'a> {
    /// The event's own body.
    pub(super) event: &'a Value,
    /// The customer's name.
    pub(super) linked_account_name: &'a str,
}

/// A value as Slack shows it: word for word. `<`, `>` and `&` begin links, mentions and entities there, and a customer may
/// choose its own name.
pub(super) fn as_slack_text(value: &Value) -> Value {
    match value {
        Value::String(text) => escaped_for_slack(text).into(),
        Value::Array(items) => items.iter().map(as_slack_text).collect(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| (name.clone(), as_slack_text(value)))
                .collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The three characters that Slack gives a meaning.
pub(super) fn escaped_for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Values<'_> {
    /// A variable's value; null where the event has no such key, nothing where the name is no variable.
    fn of(&self, name: &str) -> Option<Value> {
        let name = name.trim();
        let (root, key) = name
            .split_once('.')
            .map_or((name, None), |(root, key)| (root, Some(key)));
        match (root, key) {
            ("event", None) => Some(self.event.clone()),
            ("linked_account_name", None) | ("event", Some("linked_account_name")) => {
                Some(self.linked_account_name.into())
            }
            ("event", Some(key)) => Some(self.event.get(key).cloned().unwrap_or_default()),
            ("reauth_url", None) => Some(self.event.get("reauth_url").cloned().unwrap_or_default()),
            ("workflow_response", _) => Some(Value::Null),
            _ => None,
        }
    }

    /// Fills a JSON template in; the keys of objects stay as they are.
    pub(super) fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.fill_string(text),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.fill(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }

    fn fill_string(&self, text: &str) -> Value {
        let alone = text
            .trim()
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"))
            .filter(|name| !name.contains("{{"));
        alone
            .and_then(|name| self.of(name))
            .unwrap_or_else(|| self.fill_text(text).into())
    }

    /// Fills a text in: texts as they are, null as nothing, anything else as compact JSON.
    pub(super) fn fill_text(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once("}}") else {
                out.push_str("{{");
                rest = after;
                continue;
            };
            match self.of(name) {
                Some(Value::Null) => rest = tail,
                Some(Value::String(text)) => {
                    out.push_str(&text);
                    rest = tail;
                }
                Some(value) => {
                    out.push_str(&value.to_string());
                    rest = tail;
                }
                None => {
                    out.push_str("{{");
                    rest = after;
                }
            }
        }
        out + rest
    }

    /// Fills a header's value in. What a header cannot carry as text is percent-encoded, line breaks above all.
    pub(super) fn fill_header(&self, template: &str) -> String {
        use std::fmt::Write as _;
        self.fill_text(template).bytes().fold(String::new(), |mut out, byte| {
            if matches!(byte, b' '..=b'~') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
    }
}
