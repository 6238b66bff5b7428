//! Text from outside, made fit to be kept and shown.

use crate::secret::Secret;

/// Longest error code kept, in characters.
pub(crate) const CODE_CHARS: usize = 256;
/// Longest error description kept, in characters.
pub(crate) const DESCRIPTION_CHARS: usize = 512;

/// Secrets shorter than this are not searched for: they would match ordinary words.
const SHORTEST_HIDDEN: usize = 6;

/// One line of at most `limit` characters, or `None` where nothing readable is left.
///
/// Line ends and tabs become a space; other control characters go, and so do the invisible ones
/// that reorder or hide what a person reads (bidirectional controls, zero-width characters).
pub(crate) fn clean(text: &str, limit: usize) -> Option<String> {
    let spaced = text
        .chars()
        .map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c });
    let visible: String = spaced.filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let mut line = String::new();
    for word in visible.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let cut: String = line.chars().take(limit).collect();
    (!cut.is_empty()).then_some(cut)
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// `text` without any of `secrets`. To be done before the text is cut: half a token is one too many.
pub(crate) fn hide<'a>(text: &str, secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    let mut longest_first: Vec<&str> = secrets.into_iter().map(Secret::expose).collect();
    longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    longest_first.retain(|secret| secret.len() >= SHORTEST_HIDDEN);
    longest_first
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_one_clean_line() {
        for (text, expected) in [
            ("plain", Some("plain")),
            (" a\r\n\r\nb\tc ", Some("a b c")),
            ("\u{1b}[31mred\u{0}\u{7f}\u{85}", Some("[31mred")),
            ("evil\u{202e}gpj.exe\u{200b}\u{feff}", Some("evilgpj.exe")),
            ("", None),
            (" \n\u{0} ", None),
        ] {
            assert_eq!(clean(text, 100).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn text_is_cut_by_characters_not_bytes() {
        assert_eq!(clean("\u{e9}\u{e9}\u{e9}", 3).as_deref(), Some("\u{e9}\u{e9}\u{e9}"));
        assert_eq!(clean("\u{e9}\u{e9}\u{e9}", 2).as_deref(), Some("\u{e9}\u{e9}"));
    }

    #[test]
    fn secrets_are_hidden_but_ordinary_words_stay() {
        let secrets = ["tok-123", "tok", "", "tok-123-long"].map(|s| Secret::from(s.to_owned()));
        assert_eq!(
            hide("tok tok-123 tok-123-longer", &secrets),
            "tok [redacted] [redacted]er"
        );
    }
}
