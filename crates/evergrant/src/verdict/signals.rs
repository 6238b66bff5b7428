//! What an answer says, extracted once: codes, texts, shape.
//!
//! Content types lie, so the body's own look decides how it is read. Nothing here judges.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::body::{self, Shape};
use super::model::Observation;

/// Everything that rules can ask of an answer.
#[derive(Debug)]
pub(super) struct Signals {
    /// How the body reads.
    pub(super) shape: Shape,
    /// Short values under code-like names, as written: `invalid_grant`, `190`, `AADSTS50173`.
    pub(super) codes: Vec<String>,
    /// Codes without case and punctuation, numbers as they are.
    squeezed: HashSet<String>,
    /// All texts in lower case, one a line.
    pub(super) text: String,
    /// The top-level `error` of RFC 6749, or that of `WWW-Authenticate` (RFC 6750) or of a redirect's query.
    pub(super) oauth_error: Option<String>,
    /// The reply carries an access token.
    pub(super) has_token: bool,
    /// The answer calls itself a failure, whatever its status says.
    pub(super) says_failed: bool,
    /// The parsed body, for pointers.
    json: Option<Value>,
}

impl Signals {
    /// Reads an answer.
    pub(super) fn read(seen: &Observation) -> Self {
        let parsed = body::parse(&seen.body);
        let mut found = Gathered::default();
        found.challenge(seen);
        found.location(seen);
        if let Some(value) = &parsed.json {
            found.walk("", value, false);
        }
        for (key, value) in &parsed.pairs {
            found.member(key, value, false);
        }
        found.texts.extend(parsed.texts);
        let text = body::head(&found.texts.join("\n"), MOST_TEXT).to_lowercase();
        found
            .codes
            .extend(AADSTS.find_iter(&text).map(|code| code.as_str().to_uppercase()));
        let member = |name: &str| parsed.json.as_ref().and_then(|value| value.get(name));
        let plain_error = member("error").and_then(Value::as_str).map(str::to_owned);
        let form_error = parsed
            .pairs
            .iter()
            .find(|(key, _)| key == "error")
            .map(|(_, value)| value.clone());
        Self {
            has_token: has_token(parsed.json.as_ref(), &parsed.pairs),
            says_failed: says_failed(parsed.json.as_ref()) || form_error.is_some(),
            oauth_error: plain_error
                .or(form_error)
                .or(found.challenge_error)
                .map(|code| squeeze(&code)),
            squeezed: found.codes.iter().map(|code| squeeze(code)).collect(),
            codes: found.codes,
            text,
            shape: parsed.shape,
            json: parsed.json,
        }
    }

    /// Whether the answer carries that code, whatever its case and punctuation.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.squeezed.contains(&squeeze(code))
    }

    /// The first of these codes that the answer carries.
    pub(super) fn first_code(&self, codes: &[&'static str]) -> Option<&'static str> {
        codes.iter().copied().find(|code| self.has_code(code))
    }

    /// The first code, where it looks like one: what a provider puts there may as well be the token that it was sent.
    pub(super) fn quotable_code(&self) -> Option<String> {
        let code = self.codes.first()?;
        let is_word = |word: &str| {
            let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            digits.len() <= 8 && digits.bytes().all(|b| b.is_ascii_digit())
        };
        let looks_like_one = code.len() <= 60 && code.split(['_', '-', '.', ':']).all(is_word);
        Some(if looks_like_one {
            code.clone()
        } else {
            "[redacted]".to_owned()
        })
    }

    /// Whether the answer's texts or codes contain that part, whatever its case.
    pub(super) fn has_text(&self, part: &str) -> bool {
        self.text.contains(&part.to_lowercase())
    }

    /// The value at a JSON pointer.
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }

    /// Nothing but white space.
    pub(super) fn is_empty(&self) -> bool {
        self.shape == Shape::Empty
    }
}

/// Codes differ in case and punctuation between an application's own products: `insufficientPermissions`,
/// `INSUFFICIENT_PERMISSIONS`. Numbers stay as they are, sign included.
pub(super) fn squeeze(code: &str) -> String {
    if code.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return code.to_owned();
    }
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Microsoft's own numbers stand at the beginning of its descriptions.
static AADSTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\baadsts\d{4,8}\b").expect("a constant expression compiles"));

/// `name="value"` or `name=value` in a challenge.
static AUTH_PARAM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(error|error_description)\s*=\s*(?:"([^"]*)"|([^\s",]+))"#)
        .expect("a constant expression compiles")
});

/// Longest value that can still be a code.
const LONGEST_CODE: usize = 80;
/// Texts beyond this are not read: words that matter come early.
const LONGEST_TEXT: usize = 4096;
/// All texts together are read so far: what an error says stands at its beginning, and wording costs time.
const MOST_TEXT: usize = 8192;
/// Members looked at, whatever the body's size.
const MOST_MEMBERS: usize = 4000;

#[derive(Default)]
struct Gathered {
    codes: Vec<String>,
    texts: Vec<String>,
    challenge_error: Option<String>,
    members: usize,
}

impl Gathered {
    /// RFC 6750, 3; and the header in which one large gateway names its error.
    fn challenge(&mut self, seen: &Observation) {
        for (name, value) in &seen.headers {
            if name.eq_ignore_ascii_case("www-authenticate") {
                for found in AUTH_PARAM.captures_iter(value) {
                    let text = found.get(2).or_else(|| found.get(3)).map_or("", |m| m.as_str());
                    if found[1].eq_ignore_ascii_case("error") {
                        self.challenge_error.get_or_insert_with(|| text.to_owned());
                        self.codes.push(text.to_owned());
                    } else {
                        self.texts.push(text.to_owned());
                    }
                }
            } else if name.eq_ignore_ascii_case("x-amzn-errortype") {
                self.codes.push(value.split(':').next().unwrap_or("").to_owned());
            }
        }
    }

    /// The error of an authorisation comes in the redirect's query (RFC 6749, 4.1.2.1).
    fn location(&mut self, seen: &Observation) {
        let Some(query) = seen
            .header("location")
            .and_then(|to| to.split_once('?'))
            .map(|(_, query)| query)
        else {
            return;
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "error" => {
                    self.challenge_error.get_or_insert_with(|| value.to_string());
                    self.codes.push(value.into_owned());
                }
                "error_description" | "error_subcode" => self.member(&key, &value, true),
                _ => {}
            }
        }
    }

    /// `inside`: below an error object, where every string speaks of the error.
    fn walk(&mut self, key: &str, value: &Value, inside: bool) {
        self.members += 1;
        if self.members > MOST_MEMBERS {
            return;
        }
        let inside = inside || is_error_container(key);
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| self.walk(name, value, inside)),
            Value::Array(items) => items.iter().for_each(|item| self.walk(key, item, inside)),
            Value::String(text) => self.member(key, text, inside),
            Value::Number(number) if is_code_key(key) => self.codes.push(number.to_string()),
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn member(&mut self, key: &str, text: &str, inside: bool) {
        let text = text.trim();
        // Field errors name their subject by the key: `errors: { refresh_token: ["is invalid"] }`.
        if inside && matches!(key, "refresh_token" | "access_token" | "api_key" | "token") && text.contains(' ') {
            self.texts.push(format!("{key} {}", body::head(text, LONGEST_CODE)));
            return;
        }
        let speaks = is_code_key(key) || is_text_key(key) || inside;
        if text.is_empty()
            || !speaks
            || is_silent_key(key)
            || text.starts_with("http://")
            || text.starts_with("https://")
        {
            return;
        }
        let one_word = text.len() <= LONGEST_CODE && !text.contains(char::is_whitespace);
        if one_word && (is_code_key(key) || inside) {
            self.codes.push(text.to_owned());
        }
        self.texts.push(body::head(text, LONGEST_TEXT).to_owned());
    }
}

fn is_error_container(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    matches!(
        key.as_str(),
        "error" | "errors" | "fault" | "faults" | "errormessages" | "error_codes" | "warnings"
    )
}

/// Names under which codes stand.
fn is_code_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["code", "error", "reason", "type", "category"]
        .iter()
        .any(|part| key.contains(part))
        && !key.ends_with("uri")
        || matches!(
            key.as_str(),
            "status" | "title" | "name" | "suberror" | "errors" | "err"
        )
}

/// Names under which sentences stand.
fn is_text_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "message",
        "msg",
        "desc",
        "detail",
        "title",
        "text",
        "fault",
        "hint",
        "cause",
        "info",
        "mensaje",
        "mensagem",
        "messaggio",
        "meldung",
        "nachricht",
        "fehler",
        "erreur",
    ]
    .iter()
    .any(|part| key.contains(part))
}

/// Names whose values never speak of the error: addresses, identifiers, granted scopes, help texts, tokens.
fn is_silent_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    matches!(
        key.as_str(),
        "help"
            | "scope"
            | "needed"
            | "provided"
            | "instance"
            | "location"
            | "@type"
            | "token_type"
            | "domain"
            | "metadata"
            | "more_info"
            | "timestamp"
            | "access_token"
            | "refresh_token"
            | "id_token"
            | "client_id"
            | "code_verifier"
    ) || ["url", "uri", "trace", "request", "correlation", "link"]
        .iter()
        .any(|part| key.contains(part))
}

fn has_token(json: Option<&Value>, pairs: &[(String, String)]) -> bool {
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let in_object = |value: &Value| value.get("access_token").is_some_and(filled);
    let in_json = json.is_some_and(|value| {
        // Some nest the tokens under another key, once.
        in_object(value) || value.as_object().is_some_and(|members| members.values().any(in_object))
    });
    in_json
        || pairs
            .iter()
            .any(|(key, value)| key == "access_token" && !value.is_empty())
}

/// Errors under HTTP 200: `ok: false`, `success: false`, a non-zero `errcode`, an `error`, `errors` without `data`.
fn says_failed(json: Option<&Value>) -> bool {
    let Some(Value::Object(members)) = json else {
        return false;
    };
    let is_false = |name: &str| members.get(name) == Some(&Value::Bool(false));
    let nonzero = |name: &str| members.get(name).and_then(Value::as_i64).is_some_and(|code| code != 0);
    let filled = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let holds = |name: &str| members.get(name).is_some_and(filled);
    // A family of APIs answers `code`, `message` and empty `data`; 0 and the 2xx mean success there.
    let failing_code = members
        .get("code")
        .and_then(Value::as_i64)
        .is_some_and(|code| code >= 400);
    let coded = failing_code && !holds("data") && holds("message");
    // GraphQL: what could be answered stands beside the errors.
    let listed = holds("errors") && !holds("data");
    // A record that tells of its own failure is no failure of the call.
    let record = RECORD.iter().any(|name| members.contains_key(*name));
    let failed_status = members.get("status").and_then(Value::as_str);
    let failed_status = failed_status.is_some_and(|word| matches!(word, "error" | "fail" | "failed" | "failure"));
    let told = (failed_status && (holds("message") || holds("error_message"))) || holds("error") || listed;
    is_false("ok") || is_false("success") || nonzero("errcode") || coded || (told && !record)
}

/// Members that records have and envelopes of errors have not.
const RECORD: [&str; 8] = [
    "id",
    "_id",
    "uuid",
    "items",
    "results",
    "created_at",
    "createdAt",
    "updated_at",
];
