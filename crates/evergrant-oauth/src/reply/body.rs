//! From bytes to members, whatever the server calls its format.

use std::borrow::Cow;

use serde_json::Value;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{Extras, LARGEST_BODY, Object};

const BOM: &str = "\u{feff}";

/// The members of a JSON object or of a form; `None` for anything else.
///
/// A broken JSON object is not tried as a form, nor is a page of markup: guessing would turn a reply
/// cut short into a wrong answer.
pub(super) fn members(body: &[u8]) -> Option<Extras> {
    if body.len() > LARGEST_BODY {
        return None;
    }
    // Some servers write descriptions in Latin-1: the codes beside them are still readable.
    let text = match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => text,
        Cow::Owned(mended) => &Zeroizing::new(mended),
    };
    let text = text.trim_start_matches(BOM).trim();
    match text.chars().next()? {
        '{' => serde_json::from_str::<Object>(text).ok().map(Extras::from),
        '[' | '"' | '<' => None,
        _ => form(text),
    }
}

/// The first of a repeated name counts.
fn form(text: &str) -> Option<Extras> {
    if !text.contains('=') {
        return None;
    }
    let mut object = Object::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        object.entry(name).or_insert_with(|| Value::String(value.into_owned()));
    }
    Some(Extras::from(object))
}
