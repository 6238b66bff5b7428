//! The many ways of saying no.
//!
//! By RFC 6749, 5.2 it is status 400 (or 401) and a text member `error`. In the wild it is also
//! `ok: false`, a numeric `errcode`, an `error` object, a list of `errors`, or a bare `message`, under any status.

use serde_json::{Number, Value};

use super::Object;

/// Members that hold a code and nothing else, best first. `status` and `type` count as text only.
const CODES: [&str; 6] = ["error_code", "errorCode", "errcode", "code", "status", "type"];

const DESCRIPTIONS: [&str; 9] = [
    "error_description",
    "error_message",
    "errorMessage",
    "message",
    "msg",
    "errmsg",
    "description",
    "reason",
    "detail",
];

/// What some servers put where an error would be.
const ALL_IS_WELL: [&str; 7] = ["", "0", "false", "null", "none", "ok", "success"];

/// What stands in a `status` or `type` without telling one failure from another.
const SAYS_NOTHING: [&str; 7] = ["", "0", "error", "fail", "failed", "failure", "success"];

/// Whether the object says no so clearly that a token beside it does not count.
pub(super) fn says_no(object: &Object) -> bool {
    ["error", "error_code", "errorCode", "errcode"]
        .iter()
        .any(|name| object.get(*name).is_some_and(is_something))
        || ["ok", "success"]
            .iter()
            .any(|name| object.get(*name).is_some_and(is_false))
}

/// Weaker signs, which count under 2xx only where there is no token: a list of errors, or a numeric
/// `code` that is none of success.
pub(super) fn names_a_fault(object: &Object) -> bool {
    let code = object.get("code").and_then(Value::as_i64);
    object.get("errors").is_some_and(is_something) || code.is_some_and(|code| code != 0 && !(200..300).contains(&code))
}

/// The code, if there is one. A number that only repeats the HTTP status is none.
pub(super) fn code(object: &Object, status: u16) -> Option<String> {
    let error = object.get("error");
    let text = error.and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let nested = || error.and_then(Value::as_object).and_then(|inner| code(inner, status));
    let listed = || first_listed(object).and_then(|inner| code(inner, status));
    let numbered = || {
        error
            .filter(|value| value.is_number())
            .and_then(|value| plain_code("error", value, status))
    };
    text.filter(|text| !is_phrase(text))
        .map(str::to_owned)
        .or_else(nested)
        .or_else(numbered)
        .or_else(|| {
            CODES
                .iter()
                .find_map(|name| plain_code(name, object.get(*name)?, status))
        })
        .or_else(listed)
        .or_else(|| text.map(str::to_owned))
}

/// The words, if there are any.
pub(super) fn description(object: &Object) -> Option<String> {
    let words = |name: &&str| {
        object
            .get(*name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let nested = || object.get("error").and_then(Value::as_object).and_then(description);
    let listed = || first_listed(object).and_then(description);
    let phrase = || words(&"error").filter(|text| is_phrase(text)).map(str::to_owned);
    DESCRIPTIONS
        .iter()
        .find_map(words)
        .map(str::to_owned)
        .or_else(nested)
        .or_else(listed)
        .or_else(phrase)
}

fn first_listed(object: &Object) -> Option<&Object> {
    match object.get("errors")? {
        Value::Array(items) => items.first()?.as_object(),
        other => other.as_object(),
    }
}

fn plain_code(name: &str, value: &Value, status: u16) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim())
            .filter(|text| !SAYS_NOTHING.contains(text))
            .map(str::to_owned),
        Value::Number(number) if name != "status" && name != "type" => {
            let telling = number.as_i64() != Some(0) && number.as_u64() != Some(u64::from(status));
            telling.then(|| number.to_string())
        }
        _ => None,
    }
}

/// Web frameworks put the status's name into `error` ("Unauthorized") and the code elsewhere, and
/// some servers a whole sentence. A code by RFC 6749 has no space and does not look like a word in a title.
fn is_phrase(text: &str) -> bool {
    let mut chars = text.chars();
    let titled = chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase);
    titled || text.contains(char::is_whitespace)
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => *number != Number::from(0) && number.as_f64() != Some(0.0),
        Value::String(text) => !ALL_IS_WELL.contains(&text.trim().to_ascii_lowercase().as_str()),
        Value::Array(items) => !items.is_empty(),
        // `"error": {"code": "ok", "message": ""}` comes with every answer of some APIs.
        Value::Object(members) => !members.is_empty() && members.get("code").is_none_or(is_something),
    }
}

fn is_false(value: &Value) -> bool {
    matches!(value, Value::Bool(false)) || value.as_str() == Some("false")
}
