//! Whether a notice was signed by whom it claims to be from. Pure.

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::model::{Heard, Refused, WINDOW};
use crate::catalog::notices::{Encoding, Hash, Hmac, TimeUnit};
use crate::clock::Timestamp;
use crate::ids::hex;
use crate::secret::Secret;

/// What a keyed hash has proved.
#[derive(Debug, PartialEq)]
pub(super) struct Signed {
    /// The very bytes that were signed. One signature has many spellings; these have one.
    pub(super) content: Vec<u8>,
    /// When it was signed, where that is covered.
    pub(super) at: Option<Timestamp>,
}

/// Verifies a keyed hash against each secret that is in force.
///
/// The comparison takes the same time however much of the digest is right, and the time is looked at after it: a stranger
/// learns nothing from either.
pub(super) fn verify(hmac: &Hmac, secrets: &[Secret], heard: &Heard<'_>, now: Timestamp) -> Result<Signed, Refused> {
    if secrets.is_empty() {
        return Err(Refused::NoSecret);
    }
    let header = heard.header(&hmac.header).ok_or(Refused::Unsigned)?;
    let written = hmac.timestamp.as_ref().map(|time| {
        let header = time.header.as_deref().map_or(Some(header), |name| heard.header(name))?;
        time.pair
            .as_deref()
            .map_or(Some(header), |name| pairs(header, name).next())
    });
    let written = match written {
        Some(found) => Some(found.ok_or(Refused::Unsigned)?),
        None => None,
    };
    let content = content(hmac, heard, written.unwrap_or_default());
    let texts: Vec<&str> = match &hmac.pair {
        Some(name) => pairs(header, name).take(8).collect(),
        None => vec![header.trim()],
    };
    let digests: Vec<Vec<u8>> = texts.iter().filter_map(|text| digest(hmac, text)).collect();
    if digests.is_empty() {
        return Err(Refused::Unsigned);
    }
    let holds = |secret: &Secret| {
        let key = hmac::Key::new(algorithm(hmac.hash), secret.expose().as_bytes());
        digests
            .iter()
            .any(|digest| hmac::verify(&key, &content, digest).is_ok())
    };
    if !secrets.iter().any(holds) {
        return Err(Refused::Forged);
    }
    let Some(time) = &hmac.timestamp else {
        return Ok(Signed { content, at: None });
    };
    let signed_at = written
        .and_then(|text| read_time(text, time.unit))
        .ok_or(Refused::Stale)?;
    if now.since(signed_at).max(signed_at.since(now)) > WINDOW {
        return Err(Refused::Stale);
    }
    Ok(Signed {
        content,
        at: Some(signed_at),
    })
}

/// The keyed hash of a challenge, in hexadecimal.
pub(super) fn sign_hex(hmac: &Hmac, secret: &Secret, text: &str) -> String {
    let key = hmac::Key::new(algorithm(hmac.hash), secret.expose().as_bytes());
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

const fn algorithm(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha256 => HMAC_SHA256,
        Hash::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    }
}

fn content(hmac: &Hmac, heard: &Heard<'_>, timestamp: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(heard.body.len() + 64);
    let mut rest = hmac.content.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name {
            "body" => out.extend_from_slice(heard.body),
            "timestamp" => out.extend_from_slice(timestamp.as_bytes()),
            "method" => out.extend_from_slice(heard.method.as_bytes()),
            _ => out.extend_from_slice(heard.url.as_bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The values of one name in `a=1,b=2,b=3`.
fn pairs<'a>(header: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pair = move |pair: &'a str| pair.trim().split_once('=').filter(|(known, _)| *known == name);
    header.split(',').filter_map(pair).map(|(_, value)| value)
}

fn digest(hmac: &Hmac, text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix(hmac.prefix.as_str())?;
    match hmac.encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex => unhex(text),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// A time in one of the spellings of the field. A whole second is read as its end, so that what happened within the
/// second is not taken for older than it is.
pub(super) fn read_time(text: &str, unit: TimeUnit) -> Option<Timestamp> {
    let number = || text.trim().parse::<i64>().ok().filter(|number| *number > 0);
    match unit {
        TimeUnit::Seconds => Some(Timestamp::from_millis(number()?.checked_mul(1000)?.checked_add(999)?)),
        TimeUnit::Millis => number().map(Timestamp::from_millis),
        TimeUnit::Iso => {
            let at: jiff::Timestamp = text.trim().parse().ok()?;
            let whole = at.subsec_nanosecond() == 0;
            Some(Timestamp::from_millis(
                at.as_millisecond() + if whole { 999 } else { 0 },
            ))
        }
    }
}
