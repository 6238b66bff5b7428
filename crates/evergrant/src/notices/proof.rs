//! Who has proved itself otherwise than by a signature, and what is remembered of a notice. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::model::{Heard, Refused};
use crate::ids::sha256_hex;
use crate::secret::Secret;

/// The user and password of HTTP Basic (RFC 7617).
pub(super) fn basic(heard: &Heard<'_>) -> Option<(String, Secret)> {
    let (scheme, value) = heard.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), Secret::from(secret.to_owned())))
}

pub(super) fn body_of(heard: &Heard<'_>) -> Result<Value, Refused> {
    serde_json::from_slice(heard.body).map_err(|_| Refused::Unreadable)
}

/// What a notice is known by when it comes again: what was proved, never how a header spells the proof.
pub(super) fn digest(proved: &[u8]) -> String {
    sha256_hex(proved)
}
