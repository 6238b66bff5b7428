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
    /// An encoded slash, backslash, dot or control character, once, twice or in more bytes than it needs; or a backslash as it
    /// is.
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
    path.split('/').try_for_each(segment)
}

/// Judges a segment as servers may come to see it.
fn segment(text: &str) -> Result<(), Refused> {
    if text.bytes().all(|byte| byte.is_ascii() && !matches!(byte, b'%' | b'.')) {
        return Ok(());
    }
    let mut bytes = percent_decode(text.as_bytes());
    loop {
        if bytes.windows(2).any(is_overlong) {
            return Err(Refused::Encoded);
        }
        if leads_elsewhere(&String::from_utf8_lossy(&bytes)) {
            return Err(Refused::Dots);
        }
        let again = percent_decode(&bytes);
        if again == bytes {
            return Ok(());
        }
        bytes = again;
    }
}

/// Some fold the wide forms of Unicode to the plain ones, some drop what is not seen, some cut where parameters, a query or a
/// fragment would begin, some trim.
fn leads_elsewhere(decoded: &str) -> bool {
    let seen = decoded.chars().filter(|letter| !is_unseen(*letter));
    let folded = seen.fold(String::with_capacity(decoded.len()), |mut all, letter| {
        match fold(letter) {
            '\u{2025}' => all.push_str(".."),
            plain => all.push(plain),
        }
        all
    });
    let dots = |part: &str| {
        matches!(
            part.split([';', '?', '#']).next().unwrap_or_default().trim(),
            "." | ".."
        )
    };
    folded.split(['/', '\\']).any(dots)
}

/// What takes no room (Unicode, `Default_Ignorable_Code_Point`).
const fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Decodes once; what is no encoding stays as it is.
pub(crate) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let encoded = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = encoded.and_then(|digits| byte_of(std::str::from_utf8(digits).ok()?));
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    out
}

/// Whether these bytes begin a character that is written with more bytes than it needs: forbidden (RFC 3629, section 3), and
/// read as a plain one by decoders that do not look.
fn is_overlong(pair: &[u8]) -> bool {
    matches!(pair, [0xE0, 0x80..=0x9F] | [0xF0, 0x80..=0x8F])
}

const fn fold(letter: char) -> char {
    match letter {
        '\u{ff0e}' | '\u{2024}' | '\u{fe52}' => '.',
        '\u{ff0f}' => '/',
        '\u{ff3c}' | '\u{fe68}' => '\\',
        '\u{ff1b}' | '\u{fe54}' | '\u{37e}' => ';',
        '\u{ff1f}' | '\u{fe56}' => '?',
        '\u{ff03}' | '\u{fe5f}' => '#',
        // Two dots in one.
        '\u{2025}' | '\u{fe30}' => '\u{2025}',
        other => other,
    }
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
    // C0 and C1 begin nothing but plain characters written with two bytes.
    matches!(byte, b'/' | b'\\' | b'.' | 0xC0 | 0xC1) || byte.is_ascii_control()
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
            "/a%20.%20b",
            "/%E4",
            "/%E3%83%95%EF%BC%8F",
            "/%E0%A4%85",
            "/a..%3Fb",
            "/what%3F/%23..b",
            "/%E2%80%A6",
            "/a%E2%80%A5b",
            "/%F0%9F%91%A9%E2%80%8D%F0%9F%94%AC",
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
            ("/..%3b/a", Dots),
            ("/..%20/a", Dots),
            ("/%20../a", Dots),
            ("/. ;x/a", Dots),
            ("/%EF%BC%8E%EF%BC%8E/a", Dots),
            ("/\u{ff0e}./a", Dots),
            ("/a%EF%BC%8F..", Dots),
            ("/a%C0%AE", Encoded),
            ("/%c1%9cb", Encoded),
            ("/%25C0%25AE", Encoded),
            ("/%E0%80%AE", Encoded),
            ("/%F0%80%80%AE", Encoded),
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

    #[test]
    fn so_is_what_leads_elsewhere_once_it_is_cut_folded_or_cleaned() {
        for path in [
            "/..%3f/a",
            "/..%3Fx=1/a",
            "/..%23/a",
            "/.%23",
            "/..%253f/a",
            "/..%253b/a",
            "/..%EF%BC%9F/a",
            "/%e2%80%a5/a",
            "/\u{2025}",
            "/%EF%B8%B0/a",
            "/%25E2%2580%25A5/a",
            "/.%e2%80%8b./a",
            "/%EF%BB%BF../a",
            "/.%C2%AD",
        ] {
            assert_eq!(check(path), Err(Refused::Dots), "{path}");
        }
    }
}
