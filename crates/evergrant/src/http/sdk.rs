//! The browser SDK, as it is published: one plain module that any page may load.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::ids::sha256_hex;

const MODULE: &str = include_str!("../../../../sdk/js/evergrant.js");

static TAG: LazyLock<String> = LazyLock::new(|| format!("\"{}\"", &sha256_hex(MODULE.as_bytes())[..32]));

/// `GET /sdk/evergrant.js`: the name stays when the text changes, so browsers ask again, and mostly hear 304.
pub(super) async fn module(headers: HeaderMap) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    let fresh = known
        .flat_map(|line| line.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == *TAG);
    let tag = HeaderValue::from_str(&TAG).unwrap_or(HeaderValue::from_static("\"\""));
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/javascript; charset=utf-8"),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        ),
    ];
    if fresh {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, MODULE).into_response()
}
