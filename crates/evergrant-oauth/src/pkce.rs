//! The random values that tie a callback to the request it answers: the PKCE verifier, which the
//! token endpoint checks (RFC 7636), and the state, which we check ourselves (RFC 6749, 10.12).
//!
//! Both are 256 random bits in base64url, 43 characters.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The secret half of PKCE: kept (sealed) until the code is exchanged, then sent once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier(Secret);

impl Verifier {
    /// A new verifier of 32 random bytes, as RFC 7636, 4.1 recommends.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_text())
    }

    /// A verifier which was generated before and kept.
    #[must_use]
    pub fn from_stored(text: Secret) -> Self {
        Self(text)
    }

    /// The text to keep, and to send as `code_verifier`.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The public half, by the method S256 (RFC 7636, 4.2). `plain` is not offered: it protects nothing.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        let hash = digest(&SHA256, self.0.expose().as_bytes());
        Challenge(URL_SAFE_NO_PAD.encode(hash.as_ref()))
    }
}

/// The public half of PKCE, sent with the authorisation request. Always of the method S256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// The value of `code_challenge`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The `state` of one authorisation. Only its hash is to be stored: who reads the database then
/// cannot finish somebody else's authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(Secret);

impl State {
    /// A new state of 256 random bits.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_text())
    }

    /// The text that travels in the URL.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// SHA-256 of the text in lower-case hex, 64 characters: what to store and to look up by.
    #[must_use]
    pub fn hash(&self) -> String {
        let hash = digest(&SHA256, self.0.expose().as_bytes());
        hash.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
            hex
        })
    }
}

impl From<Secret> for State {
    /// A state as it came back, genuine or not.
    fn from(text: Secret) -> Self {
        Self(text)
    }
}

fn random_text() -> Secret {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).expect("the operating system's random generator does not fail");
    Secret::from(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let verifier = Verifier::from_stored(stored("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(
            verifier.challenge().as_str(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn verifiers_and_states_are_43_url_safe_characters_and_never_repeat() {
        let texts = [
            Verifier::generate().secret().expose().to_owned(),
            Verifier::generate().secret().expose().to_owned(),
            State::generate().expose().to_owned(),
            State::generate().expose().to_owned(),
        ];
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(text.len(), 43);
            assert!(
                text.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
                "{text}"
            );
            assert!(!texts[at + 1..].contains(text));
        }
    }

    #[test]
    fn a_state_is_stored_as_the_hex_of_its_sha_256() {
        let state = State::from(stored("abc"));
        assert_eq!(
            state.hash(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn neither_prints() {
        assert_eq!(
            format!("{:?}", Verifier::from_stored(stored("canary"))),
            "Verifier([redacted])"
        );
        assert_eq!(format!("{:?}", State::from(stored("canary"))), "State([redacted])");
    }
}
