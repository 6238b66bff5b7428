//! Icons: a tile in the brand's colour with its mark, or with its letter where we have no mark.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::http::error::plain;
use crate::http::extract::Segment;
use crate::sessions::Colour;

/// Marks and colours, made by `scripts/icons.mjs` from simple-icons (CC0-1.0).
static BRANDS: LazyLock<HashMap<String, Brand>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct File {
        icons: HashMap<String, Brand>,
    }
    let file: Result<File, _> = serde_json::from_str(include_str!("../../../assets/icons.json"));
    file.map(|file| file.icons).unwrap_or_default()
});

/// Colours of tiles whose brand has none that we know: each legible below a white letter.
const QUIET: [&str; 8] = [
    "#3f6b58", "#4a5f8a", "#7a5a86", "#8a5a4a", "#3d6b7c", "#75663a", "#86536a", "#566270",
];

#[derive(Debug, Deserialize)]
struct Brand {
    colour: String,
    /// A path on a field of 24 by 24.
    path: Option<String>,
}

/// `GET /icons/{slug}.svg`.
pub async fn icon(State(app): State<App>, Segment(file): Segment) -> Response {
    let application = file.strip_suffix(".svg").and_then(|slug| app.catalog.get(slug));
    let Some(application) = application else {
        return plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path");
    };
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    // An operator's own application of the same slug is not the brand.
    let brand = BRANDS.get(&application.slug).filter(|_| !application.custom);
    (headers, tile(&application.slug, &application.name, brand)).into_response()
}

fn tile(slug: &str, name: &str, brand: Option<&Brand>) -> String {
    let sum = slug
        .bytes()
        .fold(7_usize, |sum, byte| (sum * 31 + usize::from(byte)) % 9973);
    let fill = brand.map_or(QUIET[sum % QUIET.len()], |brand| &brand.colour);
    let fill = Colour::parse(fill).unwrap_or(Colour::BLACK);
    // Marks are shapes, for which a contrast of 3 is wanted (WCAG 2.2, 1.4.11); brands themselves use white wherever they can.
    let ink = if fill.contrast(Colour::WHITE) >= 2.3 {
        "#fff"
    } else {
        "#111"
    };
    let sign = match brand.and_then(|brand| brand.path.as_deref()) {
        Some(path) => format!("<path transform=\"translate(9 9) scale(.9167)\" fill=\"{ink}\" d=\"{path}\"/>"),
        None => format!(
            "<text x=\"20\" y=\"27\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" font-size=\"19\" \
             font-weight=\"600\" fill=\"{ink}\">{}</text>",
            letter(name)
        ),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"40\" viewBox=\"0 0 40 40\">\
         <rect width=\"40\" height=\"40\" rx=\"10\" fill=\"#{}\"/>\
         <rect x=\".5\" y=\".5\" width=\"39\" height=\"39\" rx=\"9.5\" fill=\"none\" stroke=\"#fff\" stroke-opacity=\".14\"/>{sign}</svg>",
        fill.hex()
    )
}

/// The first letter or digit of a name: nothing that could be markup.
fn letter(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .take(1)
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_has_its_mark_another_its_letter_and_neither_asks_anyone() {
        let hubspot = tile("hubspot", "HubSpot", BRANDS.get("hubspot"));
        assert!(hubspot.contains("<path") && hubspot.contains("#ff7a59") && !hubspot.contains("<text"));
        let slack = tile("slack", "Slack", BRANDS.get("slack"));
        assert!(slack.contains(">S</text>") && slack.contains("#4a154b"));
        let known = crate::catalog::Catalog::load(None, None).unwrap();
        let marked = known
            .all()
            .into_iter()
            .filter(|one| BRANDS.get(&one.slug).is_some_and(|brand| brand.path.is_some()));
        assert!(marked.count() >= 7, "run scripts/icons.mjs");
        let own = tile("own", "<Ümlaut>", None);
        assert!(own.contains(">Ü</text>"), "{own}");
        for brand in BRANDS.values() {
            assert!(Colour::parse(&brand.colour).is_some());
            let is_path = |c: char| c.is_ascii_alphanumeric() || " .,-".contains(c);
            assert!(brand.path.iter().all(|path| path.chars().all(is_path)));
        }
        for quiet in QUIET {
            assert!(Colour::parse(quiet).unwrap().contrast(Colour::WHITE) >= 4.5, "{quiet}");
        }
    }
}
