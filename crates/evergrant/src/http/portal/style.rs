//! The style sheet and the scripts, each under a name that changes with its text; teams' colours.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
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
pub async fn asset(Segment(file): Segment) -> Response {
    let path = format!("/assets/{file}");
    if path == *STYLE_PATH {
        sent(CSS_TYPE, FOR_GOOD, CSS)
    } else if path == *SCRIPT_PATH {
        sent(SCRIPT_TYPE, FOR_GOOD, SCRIPT)
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

fn sent(kind: &'static str, kept: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, kept),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
