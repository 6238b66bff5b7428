//! The style sheet and the scripts, each under a name that changes with its text; teams' colours.
//!
//! The two that every page asks for are sent compressed where the browser takes it (RFC 9110, section 8.4.1.2). Pages are not:
//! they hold what their forms send back, beside text that comes from elsewhere.

use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::theme::Theme;
use crate::http::error::plain;
use crate::http::extract::Segment;
use crate::ids::sha256_hex;

const CSS: &str = include_str!("../../../templates/style.css");
const SCRIPT: &str = include_str!("../../../templates/portal.js");
const CLOSE: &str = include_str!("../../../templates/close.js");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| named(CSS, "css"));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

static CSS_PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| packed(CSS));
static SCRIPT_PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| packed(SCRIPT));

/// As HTTP's `deflate` means it: with the frame of zlib.
fn packed(text: &str) -> Vec<u8> {
    const SMALLEST: u8 = 9;
    miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), SMALLEST)
}

fn named(text: &str, kind: &str) -> String {
    format!("/assets/portal-{}.{kind}", &sha256_hex(text.as_bytes())[..16])
}

/// Where the style sheet is.
pub(super) fn style_path() -> &'static str {
    &STYLE_PATH
}

/// Where the script is, without which everything works as well, and less smoothly.
pub(super) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const CSS_TYPE: &str = "text/css; charset=utf-8";
const SCRIPT_TYPE: &str = "text/javascript; charset=utf-8";

/// `GET /assets/{file}`: kept for good, since another text has another name.
pub async fn asset(Segment(file): Segment, headers: HeaderMap) -> Response {
    let path = format!("/assets/{file}");
    if path == *STYLE_PATH {
        either(CSS_TYPE, (CSS, &CSS_PACKED), &headers)
    } else if path == *SCRIPT_PATH {
        either(SCRIPT_TYPE, (SCRIPT, &SCRIPT_PACKED), &headers)
    } else if let Some(theme) = Theme::from_file(&file) {
        sent(CSS_TYPE, "public, max-age=3600", theme.css())
    } else {
        plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path")
    }
}

/// `GET /assets/close.js`: closes a popup when its page asks for it.
pub async fn script() -> Response {
    sent(SCRIPT_TYPE, "public, max-age=3600", CLOSE)
}

fn either(kind: &'static str, (text, packed): (&'static str, &'static [u8]), headers: &HeaderMap) -> Response {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let takes = |word: &str| word.trim() == "deflate";
    let vary = (header::VARY, "accept-encoding");
    if accepted.is_some_and(|words| words.split(',').any(takes)) {
        let coded = [(header::CONTENT_ENCODING, "deflate"), vary];
        (coded, sent(kind, FOR_GOOD, packed)).into_response()
    } else {
        ([vary], sent(kind, FOR_GOOD, text)).into_response()
    }
}

fn sent(kind: &'static str, kept: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, kept),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
