//! Percent-encoding that every reader decodes alike.

use std::fmt::Write as _;

/// Encodes all but the unreserved characters of RFC 3986, 2.3.
///
/// A space becomes `%20`, never `+`: form decoders and plain URL decoders agree on it, which they
/// do not on `+`. The result is safe as one path segment and as a query name or value.
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(percent("aZ09-._~"), "aZ09-._~");
        assert_eq!(percent("a b+c/d?e#f%g&h=i\\"), "a%20b%2Bc%2Fd%3Fe%23f%25g%26h%3Di%5C");
        assert_eq!(percent("\u{e9}\n"), "%C3%A9%0A");
    }
}
