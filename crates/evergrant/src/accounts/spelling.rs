//! How a customer's id may be written, so that the same bytes name the same customer wherever an id is read, and no spelling
//! reaches two customers.
//!
//! Nothing is trimmed or folded on the way in: what clients or proxies might take off or read otherwise is refused instead,
//! where an account is created and where one is named.

use super::model::MAX_ACCOUNT_ID;
use crate::error::{Code, Error};

/// Whether an account can have this id. One that cannot exists nowhere, and PostgreSQL would refuse to look for some.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    !text.is_empty() && is_text(text, MAX_ACCOUNT_ID) && unmistakable(text).is_ok()
}

/// Whether an account may be created under this id, or else what is wrong with it.
pub(super) fn check_account_id(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(wrong("linked_account_id required".to_owned()));
    }
    if !is_text(text, MAX_ACCOUNT_ID) {
        return Err(wrong(format!(
            "linked_account_id has 1 to {MAX_ACCOUNT_ID} characters and no control characters"
        )));
    }
    unmistakable(text)
}

/// Refuses what could be taken for another customer's id.
pub(super) fn unmistakable(text: &str) -> Result<(), Error> {
    // Of control characters an id has none anyway.
    let space = |c: char| c.is_whitespace() && !c.is_control();
    if text.starts_with(space) || text.ends_with(space) {
        return Err(wrong(
            "linked_account_id must not begin or end with white space".to_owned(),
        ));
    }
    // What a decoder puts where it could not read: any number of unreadable ids would be this one.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(wrong("linked_account_id is not readable as UTF-8".to_owned()));
    }
    if is_misread(text) {
        return Err(wrong("linked_account_id is UTF-8 that was read as Latin-1".to_owned()));
    }
    Ok(())
}

/// The id that the bytes of a header spell. HTTP does not say how text beyond ASCII is written there: some clients send UTF-8,
/// and others, `fetch` and Node.js among them, Latin-1. Bytes that are valid as both are UTF-8; since no customer has an id of
/// which such bytes are the Latin-1 ([`is_misread`]), they name one customer, whoever sends them.
#[must_use]
pub fn account_id_of_header(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes);
    let text = text.map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), str::to_owned);
    // Space and tab belong to HTTP (RFC 9110, section 5.6.3), not to the id; all other white space is the id's own.
    text.trim_matches([' ', '\t']).to_owned()
}

/// Whether a text is what comes of reading another one's UTF-8 as Latin-1.
fn is_misread(text: &str) -> bool {
    !text.is_ascii() && latin_1(text).is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok())
}

fn latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

pub(super) fn is_text(text: &str, max: usize) -> bool {
    text.chars().count() <= max && !text.chars().any(char::is_control)
}

fn wrong(message: String) -> Error {
    Error::Invalid {
        code: Code::InvalidLinkedAccountId,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_be_taken_for_another_is_none() {
        for good in [
            "a",
            "u@x.y",
            "a b",
            "Zoë / 7",
            "zoé",
            "Ã",
            "Ãé",
            "Ã©é",
            "日本",
            "e\u{301}",
            "\u{200b}a",
        ] {
            assert!(is_account_id(good), "{good:?}");
            assert!(check_account_id(good).is_ok(), "{good:?}");
        }
        let spaces = [
            ' ', '\u{a0}', '\u{1680}', '\u{2003}', '\u{2028}', '\u{202f}', '\u{205f}', '\u{3000}',
        ];
        for space in spaces {
            for bad in [format!("a{space}"), format!("{space}a"), space.to_string()] {
                assert!(!is_account_id(&bad), "{bad:?}");
                assert!(
                    check_account_id(&bad).is_err() && unmistakable(&bad).is_err(),
                    "{bad:?}"
                );
            }
            assert!(is_account_id(&format!("a{space}b")), "{space:?}");
        }
        for bad in ["zoÃ©", "Ã«", "a\u{fffd}", "â\u{82}¬", "Â£"] {
            assert!(!is_account_id(bad), "{bad:?}");
        }
    }

    /// Whatever one of two clients sends for one customer, the other never sends for another.
    #[test]
    fn no_header_stands_for_two_ids() {
        let letters = ['a', 'Ã', 'Â', 'é', '©', '£', '\u{a0}', '€', 'ö', '¶'];
        let mut ids: Vec<String> = vec![String::new()];
        for _ in 0..4 {
            let longer = ids.iter().flat_map(|id| letters.map(|letter| format!("{id}{letter}")));
            ids = ids.iter().cloned().chain(longer).collect();
            ids.sort_unstable();
            ids.dedup();
        }
        ids.retain(|id| is_account_id(id));
        assert!(ids.len() > 1000);
        for id in &ids {
            assert_eq!(account_id_of_header(id.as_bytes()), *id);
            if let Some(bytes) = latin_1(id) {
                assert_eq!(account_id_of_header(&bytes), *id);
            }
        }
    }

    #[test]
    fn a_header_loses_what_is_https_own_and_nothing_else() {
        assert_eq!(account_id_of_header(b" \ta b\t "), "a b");
        assert_eq!(account_id_of_header("\u{a0}a\u{3000}".as_bytes()), "\u{a0}a\u{3000}");
        assert_eq!(account_id_of_header(b"a\xa0"), "a\u{a0}");
        assert_eq!(account_id_of_header("\u{a0}".as_bytes()), "\u{a0}");
    }
}
