//! The one type that holds secrets.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

/// Text that must not be seen: a token, a key, a client secret, a code.
///
/// Its memory is wiped when it is dropped, `Debug` prints `[redacted]`, two are compared in constant
/// time (for equal lengths), and there is neither `Display` nor `Serialize`. [`Secret::expose`] is
/// the only way in: call it as late as possible, and never to build a longer-lived string.
///
/// ```compile_fail
/// let printed = evergrant_oauth::Secret::from("hush".to_owned()).to_string();
/// ```
/// ```compile_fail
/// let written = serde_json::to_string(&evergrant_oauth::Secret::from("hush".to_owned()));
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    /// Takes the string over: its buffer is the one that is wiped later.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes()).is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn a_secret_does_not_print() {
        let held = Some(secret("canary"));
        assert_eq!(format!("{held:?}"), "Some([redacted])");
        assert!(!format!("{held:#?}").contains("canary"));
    }

    #[test]
    fn secrets_are_equal_when_their_text_is() {
        assert_eq!(secret("canary"), secret("canary").clone());
        for other in ["", "canarz", "canary ", "canar"] {
            assert_ne!(secret("canary"), secret(other), "{other:?}");
        }
    }

    #[test]
    fn the_text_comes_out_unchanged() {
        assert_eq!(secret("a b\u{e9}").expose(), "a b\u{e9}");
    }
}
