//! From the members of a reply to a [`TokenSet`].

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroize as _;

use super::Object;
use crate::secret::Secret;
use crate::text;

/// Longer lifetimes are cut to this: ten years. Far beyond use, and safe to add to any time.
pub(super) const LONGEST_LIFETIME: Duration = Duration::from_hours(3_653 * 24);

/// What a successful reply gives (RFC 6749, 5.1).
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// Visible ASCII (RFC 6749, A.12), never empty: fit for a header.
    pub access_token: Secret,
    /// `None` after a refresh means: keep the one there is (RFC 6749, 6).
    pub refresh_token: Option<Secret>,
    /// As the server wrote it, usually some spelling of `bearer`; often missing.
    pub token_type: Option<String>,
    /// How long the access token lives, counted from the reply. `None` where the server does not say,
    /// or says zero, less, or nothing readable: zero is what servers send for "does not expire".
    /// Fractions are dropped; more than ten years counts as ten.
    pub expires_in: Option<Duration>,
    /// The same for the refresh token: `refresh_token_expires_in`, `x_refresh_token_expires_in` or
    /// `refresh_expires_in`, whichever is readable first. No RFC has it; many servers do.
    pub refresh_expires_in: Option<Duration>,
    /// What was granted, if the server says; `None` after an exchange means: what was asked for
    /// (RFC 6749, 5.1). Space, comma or array. An empty text is an empty list: granted nothing.
    pub scope: Option<Vec<String>>,
    /// Of `OpenID` Connect; not verified here.
    pub id_token: Option<Secret>,
    /// Everything else in the reply, where it was. May hold further secrets.
    pub extras: Extras,
}

/// Members of a reply that have no field of their own, such as `instance_url` or a bot's token.
///
/// Does not print, for it may hold secrets, and wipes its texts when dropped (names excepted).
#[derive(Clone, Default, PartialEq)]
pub struct Extras(Object);

impl Extras {
    /// One member of the outermost object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of them, to be sealed. Whatever is made of it is the caller's to keep secret.
    pub fn as_map(&self) -> &Object {
        &self.0
    }

    /// The object at a JSON pointer; the empty pointer is the outermost one.
    pub(super) fn at(&self, pointer: &str) -> Option<&Object> {
        let Some(rest) = pointer.strip_prefix('/') else {
            return pointer.is_empty().then_some(&self.0);
        };
        let (first, deeper) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        self.0.get(&unescaped(first))?.pointer(deeper)?.as_object()
    }

    fn at_mut(&mut self, pointer: &str) -> Option<&mut Object> {
        let Some(rest) = pointer.strip_prefix('/') else {
            return pointer.is_empty().then_some(&mut self.0);
        };
        let (first, deeper) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        self.0.get_mut(&unescaped(first))?.pointer_mut(deeper)?.as_object_mut()
    }
}

/// RFC 6901, 4.
fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

impl From<Object> for Extras {
    fn from(members: Object) -> Self {
        Self(members)
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} redacted]", self.0.len())
    }
}

impl Drop for Extras {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn has_access_token(object: &Object) -> bool {
    let token = object.get("access_token").and_then(Value::as_str);
    token.is_some_and(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()))
}

/// Moves the standard members out of the object at `holder`; the rest stays as extras.
pub(super) fn take(members: &mut Extras, holder: &str) -> Option<TokenSet> {
    let object = members.at_mut(holder)?;
    let access_token = take_secret(object, "access_token")?;
    let lifetimes = [
        "refresh_token_expires_in",
        "x_refresh_token_expires_in",
        "refresh_expires_in",
    ];
    Some(TokenSet {
        access_token,
        refresh_token: take_secret(object, "refresh_token"),
        token_type: take_token_type(object),
        expires_in: take_lifetime(object, "expires_in"),
        refresh_expires_in: lifetimes.into_iter().find_map(|name| take_lifetime(object, name)),
        scope: take_scope(object),
        id_token: take_secret(object, "id_token"),
        extras: std::mem::take(members),
    })
}

/// A text that is not empty. Anything else stays where it is, among the extras.
fn take_secret(object: &mut Object, name: &str) -> Option<Secret> {
    let slot = object.get_mut(name)?;
    if slot.as_str().is_none_or(str::is_empty) {
        return None;
    }
    let Value::String(text) = object.shift_remove(name)? else {
        return None;
    };
    Some(Secret::from(text))
}

fn take_token_type(object: &mut Object) -> Option<String> {
    let text = take_secret(object, "token_type")?;
    text::clean(text.expose(), text::CODE_CHARS)
}

/// Whole seconds from a number or a numeric text, if there is at least one.
fn take_lifetime(object: &mut Object, name: &str) -> Option<Duration> {
    let seconds = match object.get(name)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    object.shift_remove(name);
    let lifetime = seconds.min(LONGEST_LIFETIME.as_secs_f64()).trunc();
    (seconds.is_finite() && lifetime >= 1.0).then(|| Duration::from_secs_f64(lifetime))
}

fn take_scope(object: &mut Object) -> Option<Vec<String>> {
    let words = |text: &str| -> Vec<String> {
        let split = text.split(|c: char| c == ',' || c.is_whitespace());
        split.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let scope = match object.get("scope")? {
        Value::String(text) => words(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).flat_map(words).collect(),
        _ => return None,
    };
    object.shift_remove("scope");
    Some(scope)
}

/// The value of every member, at any depth, that is named as a token or a secret.
pub(super) fn texts(object: &Object) -> Vec<Secret> {
    fn collect(name: &str, value: &Value, found: &mut Vec<Secret>) {
        match value {
            Value::String(text) if is_secret(name, text) => found.push(Secret::from(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| collect(name, item, found)),
            Value::Object(members) => members.iter().for_each(|(name, value)| collect(name, value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    object.iter().for_each(|(name, value)| collect(name, value, &mut found));
    found
}

/// `"refresh_token": "is invalid"` is a complaint, not a token.
fn is_secret(name: &str, text: &str) -> bool {
    (name.ends_with("token") || name.ends_with("secret")) && !text.contains(char::is_whitespace)
}
