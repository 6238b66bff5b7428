//! Words that are safe to keep and to show.

use std::sync::LazyLock;

use regex::Regex;

use super::body::head;

/// Longest evidence, in bytes.
pub(super) const LONGEST: usize = 200;

/// Mail addresses; long runs that look like tokens, keys, hashes or ids; long numbers.
static TELLING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"[\w.+\-]+@[\w\-]+\.[\w.\-]+",
        r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F\-]{20,}\b",
        r"|[A-Za-z0-9_\-./+=*~]*(?:\d[A-Za-z0-9_\-./+=*~]*){3}[A-Za-z0-9_\-./+=*~]{12,}",
        r"|\b[A-Za-z0-9+/=\-.~*]{24,}",
        r"|\d{7,}",
    ))
    .expect("a constant expression compiles")
});

/// A word of letters and underscores is a code, however long: `application_cannot_be_found`.
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?:[A-Za-z]+_)+[A-Za-z]+\z|\AAADSTS\d+\z").expect("a constant expression compiles")
});

/// Replaces whatever may be a secret or name a person, drops control characters, and cuts.
#[must_use]
pub fn redact(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = TELLING.replace_all(&clean, |found: &regex::Captures<'_>| {
        let word = &found[0];
        if CODE.is_match(word) && word.len() <= 60 {
            word.to_owned()
        } else {
            "[redacted]".to_owned()
        }
    });
    head(clean.trim(), LONGEST).trim_end().to_owned()
}
