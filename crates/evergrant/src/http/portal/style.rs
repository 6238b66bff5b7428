//! The one style sheet, under a name that changes with its text.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::error::plain;
use crate::ids::sha256_hex;

const CSS: &str = include_str!("../../../templates/style.css");

static PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/portal-{}.css", &sha256_hex(CSS.as_bytes())[..16]));

/// Where the style sheet is.
pub(super) fn path() -> &'static str {
    &PATH
}

/// `GET /assets/{file}`: the style sheet, for good: another text has another name.
pub async fn stylesheet(Path(file): Path<String>) -> Response {
    if PATH.strip_prefix("/assets/") != Some(file.as_str()) {
        return plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path");
    }
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, CSS).into_response()
}
