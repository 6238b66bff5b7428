//! The one style sheet, under a name that changes with its text; the one script; letters in place of icons.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::error::plain;
use crate::http::extract::Segment;
use crate::ids::sha256_hex;

const CSS: &str = include_str!("../../../templates/style.css");

static PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/portal-{}.css", &sha256_hex(CSS.as_bytes())[..16]));

/// Where the style sheet is.
pub(super) fn path() -> &'static str {
    &PATH
}

/// `GET /assets/{file}`: the style sheet, for good: another text has another name.
pub async fn stylesheet(Segment(file): Segment) -> Response {
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

const CLOSE: &str = include_str!("../../../templates/close.js");

/// `GET /assets/close.js`: closes a popup when its page asks for it.
pub async fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, CLOSE).into_response()
}

/// `GET /icons/{slug}.svg`: a tile with the application's first letter.
pub async fn icon(State(app): State<App>, Segment(file): Segment) -> Response {
    let application = file.strip_suffix(".svg").and_then(|slug| app.catalog.get(slug));
    let Some(application) = application else {
        return plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path");
    };
    let letter: String = application
        .name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(1)
        .flat_map(char::to_uppercase)
        .collect();
    let hue = application
        .slug
        .bytes()
        .fold(7_u32, |hue, byte| (hue * 31 + u32::from(byte)) % 360);
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"40\" viewBox=\"0 0 40 40\">\
         <rect width=\"40\" height=\"40\" rx=\"9\" fill=\"hsl({hue} 45% 42%)\"/>\
         <text x=\"20\" y=\"27\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" font-size=\"19\" \
         font-weight=\"600\" fill=\"#fff\">{letter}</text></svg>"
    );
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    (headers, svg).into_response()
}
