//! What must not be seen.
//!
//! [`Secret`] comes from the protocol crate, so that a token is one from the reply to the vault. [`SecretBytes`]
//! is the same for key material. Neither prints, serialises or compares in variable time.

use std::fmt;

pub use evergrant_oauth::Secret;
use zeroize::Zeroizing;

/// Key material or an opened value: wiped when dropped, never printed.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Takes over what is wiped already.
    #[must_use]
    pub fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, for as short a time as possible.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Reads the value as text, if it is UTF-8.
    #[must_use]
    pub fn into_text(self) -> Option<Secret> {
        std::str::from_utf8(&self.0)
            .ok()
            .map(|text| Secret::from(text.to_owned()))
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
