//! Identifiers and random values.
//!
//! Every row's id is 24 lowercase hex characters, as the wire contract has it: four bytes of seconds, so that ids
//! of one table sort by age, and eight random bytes. They name things; they are not secrets.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;

/// Text that is not an id of the expected form.
#[derive(Debug, thiserror::Error)]
#[error("not an id: 24 lowercase hex characters are wanted")]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new id, unique without asking anyone.
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                Self(object_id(now))
            }

            /// The 24 characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// An id that comes from our own database; its form is not checked again.
            pub fn trusted(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                is_object_id(text).then(|| Self(text.to_owned())).ok_or(NotAnId)
            }
        }
    )+};
}

id! {
    /// An organisation.
    OrgId,
    /// One environment of one organisation: the tenant of every row.
    TenantId,
    /// An API key (not its value).
    ApiKeyId,
    /// The team's OAuth client for one application.
    ClientId,
    /// A linked account (not the caller's `linked_account_id`).
    AccountId,
    /// A connection.
    ConnectionId,
    /// A session token (not its value).
    SessionId,
    /// A webhook endpoint.
    WebhookId,
    /// An event.
    EventId,
    /// One delivery of one event to one webhook.
    DeliveryId,
    /// A timeline entry, an audit entry, a stored field: rows that nobody addresses from outside.
    RowId,
    /// An incident of an application.
    IncidentId,
    /// A data key of an organisation.
    DataKeyId,
    /// A re-auth link (not its token).
    LinkId,
}

fn object_id(now: Timestamp) -> String {
    let seconds = u32::try_from(now.as_millis().div_euclid(1000)).unwrap_or(0);
    let mut bytes = [0_u8; 12];
    bytes[..4].copy_from_slice(&seconds.to_be_bytes());
    fill_random(&mut bytes[4..]);
    hex(&bytes)
}

fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The stable id of a built-in application: derived from its slug, so that it is the same on every server.
#[must_use]
pub fn derived_id(namespace: &str, name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{namespace}\0{name}").as_bytes());
    hex(&digest.as_ref()[..12])
}

/// Lowercase hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(&mut out, *byte);
    }
    out
}

fn push_hex(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for value in [byte >> 4, byte & 0x0f] {
        out.push(char::from(DIGITS[usize::from(value)]));
    }
}

/// SHA-256 in lowercase hexadecimal: the look-up form of keys and tokens, which are themselves 256 random bits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// A random UUID (RFC 9562, version 4), for request ids.
#[must_use]
pub fn uuid() -> String {
    let mut b = random_name();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let mut out = String::with_capacity(36);
    for (at, byte) in b.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        push_hex(&mut out, *byte);
    }
    out
}

/// 256 random bits behind a prefix that says what the value is, safe in headers and URL path segments.
#[must_use]
pub fn random_token(prefix: &str) -> Secret {
    let mut bytes = [0_u8; 32];
    fill_random(&mut bytes);
    Secret::from(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A random fraction in `0.0..1.0`, for jitter; nothing secret is made of it.
#[must_use]
pub fn random_fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    fill_random(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// A fraction in `0.0..1.0` that is always the same for a name, and evenly spread over many names.
#[must_use]
pub fn fraction_of(name: &str) -> f64 {
    let digest = digest::digest(&digest::SHA256, name.as_bytes());
    let first: [u8; 4] = digest.as_ref()[..4].try_into().unwrap_or_default();
    f64::from(u32::from_be_bytes(first)) / (f64::from(u32::MAX) + 1.0)
}

/// 128 random bits for a name. They are drawn ahead, many at a time, since every request takes some.
fn random_name() -> [u8; 16] {
    thread_local! {
        static AHEAD: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    #[cfg(debug_assertions)]
    {
        let mut name = [0; 16];
        if seeded::fill(&mut name) {
            return name;
        }
    }
    AHEAD.with_borrow_mut(|ahead| {
        if ahead.is_empty() {
            let mut drawn = [0_u8; 32 * 16];
            fill_random(&mut drawn);
            ahead.extend_from_slice(drawn.as_chunks().0);
        }
        ahead.pop().unwrap_or_default()
    })
}

/// Fills from the operating system's generator. The cipher library's own would do as well, but it gathers entropy for some
/// 70 ms before its first byte.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    #[cfg(debug_assertions)]
    if seeded::fill(bytes) {
        return;
    }
    getrandom::fill(bytes).expect("the operating system's random generator does not fail");
}

/// What a simulation puts in the place of chance. Release builds hold nothing of it.
#[cfg(debug_assertions)]
pub mod seeded {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on all that is random on this thread follows from `seed`; `None` gives chance back its place.
    pub fn set(seed: Option<u64>) {
        STATE.set(seed);
    }

    /// The next number of this thread's sequence (`SplitMix64`), where one is set.
    pub fn next() -> Option<u64> {
        let state = STATE.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(Some(state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        for part in bytes.chunks_mut(8) {
            let Some(number) = next() else { return false };
            part.copy_from_slice(&number.to_le_bytes()[..part.len()]);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_24_lowercase_hex_characters_and_sorts_by_age() {
        let old = ConnectionId::new(Timestamp::from_millis(1_700_000_000_000));
        let new = ConnectionId::new(Timestamp::from_millis(1_700_000_001_000));
        assert!(old < new);
        assert!(old.as_str().parse::<ConnectionId>().is_ok());
        for wrong in [
            "",
            "65AA000000000000000000a1",
            "65aa000000000000000000a",
            "65aa000000000000000000ag",
        ] {
            assert!(wrong.parse::<ConnectionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_carry_256_bits_and_do_not_print() {
        let token = random_token("st_");
        assert_eq!(token.expose().len(), 3 + 43);
        assert!(!format!("{token:?}").contains(token.expose()));
    }
}
