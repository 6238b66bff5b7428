//! The signature: `hex(HMAC-SHA256(key, body))` in lowercase, without a prefix (contract, section 13.5).

use aws_lc_rs::hmac;

use crate::ids::hex;
use crate::secret::Secret;

/// Signs the raw bytes of a request body with the UTF-8 bytes of an API key.
#[must_use]
pub fn sign(key: &Secret, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    hex(hmac::sign(&key, body).as_ref())
}
