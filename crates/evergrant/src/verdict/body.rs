//! Reading bodies that may be anything.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Bodies are cut here: what matters comes early, and cost stays bounded.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// How a body reads, whatever its content type claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing but white space.
    Empty,
    /// Whole JSON.
    Json,
    /// Begins as JSON and does not end as such.
    BrokenJson,
    /// `name=value&…`
    Form,
    /// Markup of machines.
    Xml,
    /// Markup for people.
    Html,
    /// Any other text.
    Plain,
}

/// A body taken apart.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) shape: Shape,
    pub(super) json: Option<Value>,
    /// Names and values of a form, of XML, or of what can be read of broken JSON.
    pub(super) pairs: Vec<(String, String)>,
    /// Texts without a name.
    pub(super) texts: Vec<String>,
}

/// Takes a body apart; never fails.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let text = decode(&bytes[..bytes.len().min(MOST_BYTES)]);
    let text = strip_guard(text.trim());
    let plain = |shape, pairs, texts| Parsed {
        shape,
        json: None,
        pairs,
        texts,
    };
    if text.is_empty() {
        return plain(Shape::Empty, Vec::new(), Vec::new());
    }
    if text.starts_with(['{', '[', '"']) {
        return match serde_json::from_str::<Value>(text) {
            Ok(Value::String(said)) => plain(Shape::Plain, Vec::new(), vec![said]),
            Ok(json) => Parsed {
                shape: Shape::Json,
                json: Some(json),
                pairs: Vec::new(),
                texts: Vec::new(),
            },
            Err(_) => plain(Shape::BrokenJson, members(text), Vec::new()),
        };
    }
    if text.starts_with('<') {
        let start = head(text, 1024).to_ascii_lowercase();
        return if start.contains("<html") || start.contains("<!doctype html") || start.contains("<body") {
            plain(Shape::Html, Vec::new(), vec![without_tags(text)])
        } else {
            plain(Shape::Xml, elements(text), vec![without_tags(text)])
        };
    }
    if FORM.is_match(text) {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        return plain(
            Shape::Form,
            pairs.map(|(k, v)| (k.into_owned(), v.into_owned())).collect(),
            Vec::new(),
        );
    }
    plain(Shape::Plain, Vec::new(), vec![head(text, 4096).to_owned()])
}

/// At most `limit` bytes, cut between characters.
pub(super) fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// UTF-8 with or without a mark, UTF-16 with one; anything else byte by byte as Latin-1.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let utf16 = |rest: &[u8], from: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).map(|pair| from([pair[0], pair[1]]));
        char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // The cut may have fallen inside a character.
            Err(error) if bytes.len() - error.valid_up_to() < 4 => String::from_utf8_lossy(bytes),
            Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
        },
    }
}

/// Some put a guard against script inclusion before their JSON.
fn strip_guard(text: &str) -> &str {
    [")]}',", ")]}'", "while(1);", "for(;;);"]
        .iter()
        .find_map(|guard| text.strip_prefix(guard))
        .map_or(text, str::trim_start)
}

static FORM: LazyLock<Regex> = LazyLock::new(|| regex(r"\A[A-Za-z_][\w.\-\[\]]*=[^\s&<>]*(?:&[^\s<>]*)?\z"));
static MEMBER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#""([A-Za-z_]\w{0,40})"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d{1,12})\b)"#));
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| regex(r"<(?:\w+:)?(\w{1,40})(?:\s[^<>]*)?>([^<>]+)</"));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| regex(r#"\s(\w{1,40})="([^"<>]*)""#));
static UNSEEN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?is)<(?:script|style)\b.*?(?:</(?:script|style)>|\z)|<!--.*?(?:-->|\z)"));
static TAG: LazyLock<Regex> = LazyLock::new(|| regex(r"<[^<>]*>"));
static SPACES: LazyLock<Regex> = LazyLock::new(|| regex(r"\s+"));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("a constant expression compiles")
}

/// What can still be read of JSON that was cut short.
fn members(text: &str) -> Vec<(String, String)> {
    let pair = |found: regex::Captures<'_>| {
        let value = found.get(2).or_else(|| found.get(3)).map_or("", |m| m.as_str());
        (found[1].to_owned(), value.to_owned())
    };
    MEMBER.captures_iter(text).take(500).map(pair).collect()
}

/// Elements and attributes; names without their prefix.
fn elements(text: &str) -> Vec<(String, String)> {
    let pair = |found: regex::Captures<'_>| (found[1].to_owned(), found[2].trim().to_owned());
    let elements = ELEMENT.captures_iter(text).take(500).map(pair);
    let attributes = ATTRIBUTE.captures_iter(text).take(500).map(pair);
    elements
        .chain(attributes)
        .filter(|(name, _)| name != "xmlns" && name != "version")
        .collect()
}

fn without_tags(text: &str) -> String {
    let text = UNSEEN.replace_all(text, " ");
    let text = TAG.replace_all(&text, " ");
    head(SPACES.replace_all(&text, " ").trim(), 4096).to_owned()
}
