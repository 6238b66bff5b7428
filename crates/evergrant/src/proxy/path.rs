//! Paths that say what they mean.
//!
//! Between us and the provider's program may stand servers that decode a path once more than we do, or tidy it up. A path that
//! could then lead elsewhere is refused, so that a call never leaves the base that its application's file names.

/// Why a path is refused, as a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A segment `.` or `..`.
    #[error("the path must not hold `.` or `..` as a segment")]
    Dots,
    /// `//`
    #[error("the path must not hold an empty segment (`//`)")]
    Empty,
    /// An encoded slash, backslash, dot or control character, once or twice; or a backslash as it is.
    #[error("the path must not hold a backslash, nor an encoded slash, backslash, dot or control character")]
    Encoded,
    /// A `%` that begins no encoding.
    #[error("a `%` in the path must be followed by two hexadecimal digits")]
    Malformed,
}

/// Judges what follows the slug, as it came in: empty, or beginning with a slash.
pub fn check(path: &str) -> Result<(), Refused> {
    if path.contains("//") {
        return Err(Refused::Empty);
    }
    if path.bytes().any(|byte| byte == b'\\' || byte.is_ascii_control()) {
        return Err(Refused::Encoded);
    }
    encodings(path)?;
    // Some servers cut a segment at a semicolon before they look at it.
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if path.split('/').any(dots) {
        return Err(Refused::Dots);
    }
    Ok(())
}

fn encodings(path: &str) -> Result<(), Refused> {
    let mut rest = path;
    while let Some((_, after)) = rest.split_once('%') {
        let byte = byte_of(after).ok_or(Refused::Malformed)?;
        let twice = (byte == b'%').then(|| after.get(2..).and_then(byte_of)).flatten();
        if is_tricky(byte) || twice.is_some_and(|byte| is_tricky(byte) || byte == b'%') {
            return Err(Refused::Encoded);
        }
        rest = &after[2..];
    }
    Ok(())
}

fn byte_of(digits: &str) -> Option<u8> {
    let digits = digits.get(..2)?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn is_tricky(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\' | b'.') || byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass_as_they_are() {
        for path in [
            "",
            "/",
            "/a",
            "/a/b/",
            "/a.b/..c/d../...",
            "/a%20b/%C3%A4",
            "/;v=1/a;b",
            "/50%25",
            "/50%2520",
            "/users/me@example.com",
            "/a:b",
            "/$batch",
            "/items('x')",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_refused() {
        use Refused::{Dots, Empty, Encoded, Malformed};
        for (path, why) in [
            ("/..", Dots),
            ("/../a", Dots),
            ("/a/..", Dots),
            ("/a/./b", Dots),
            ("/.", Dots),
            ("/..;/a", Dots),
            ("/.;x/a", Dots),
            ("//", Empty),
            ("//host/a", Empty),
            ("/a//b", Empty),
            ("/a//", Empty),
            ("/a\\..\\b", Encoded),
            ("/%2e%2e/a", Encoded),
            ("/%2E./a", Encoded),
            ("/a%2fb", Encoded),
            ("/a%2Fb", Encoded),
            ("/a%5cb", Encoded),
            ("/a%00", Encoded),
            ("/a%0d%0ab", Encoded),
            ("/a%7f", Encoded),
            ("/a\u{0}", Encoded),
            ("/a%252e", Encoded),
            ("/a%252fb", Encoded),
            ("/a%255C", Encoded),
            ("/a%2500", Encoded),
            ("/a%25252f", Encoded),
            ("/a%", Malformed),
            ("/a%2", Malformed),
            ("/a%zz", Malformed),
            ("/a%+1", Malformed),
            ("/a%ä", Malformed),
        ] {
            assert_eq!(check(path), Err(why), "{path}");
        }
    }
}
