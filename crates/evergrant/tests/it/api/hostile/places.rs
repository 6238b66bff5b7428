//! Paths, queries and headers that no client of good will sends.

use axum::http::Method;

use super::world::assert_clear;
use super::{Op, World, on_both_worlds};

/// Percent-encoded, as they stand in an address.
fn words() -> Vec<String> {
    let mut all: Vec<String> = [
        "%00",
        "a%00b",
        "%01",
        "%0D%0Ax:%20y",
        "%7F",
        "%FF",
        "%C0%80",
        "%ED%A0%80",
        "%",
        "%zz",
        "%F4%90%80%80",
        "..%2f..%2fx",
        "%2e%2e",
        "'%20OR%201=1--",
        "undefined",
        "null",
        "%3Cscript%3E",
        "%20",
        "0",
        "-1",
        "99999999999999999999",
        "a/b/c%2F",
        "*",
        "65AA00000000000000000000",
        "%E2%80%AE%EF%BF%BD",
        "true&x=[]&x=y",
        "st_x",
        "st_%00",
    ]
    .map(str::to_owned)
    .into();
    all.push("x".repeat(10_000));
    all.push("%E2%98%83".repeat(1000));
    all.push("%00".repeat(3000));
    all
}

#[tokio::test]
async fn no_path_breaks_anything() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        for op in Op::all().iter().filter(|op| op.has_variable()) {
            for word in words() {
                let asked = format!("{} at {}", op.named(), word.chars().take(60).collect::<String>());
                let answer = w
                    .send(&op.method, &op.at(&word), &World::credentials(op, &w.mine), "")
                    .await;
                assert_clear(&answer, &asked);
                assert!(
                    answer.status.is_client_error(),
                    "{asked}: {} {}",
                    answer.status,
                    answer.text
                );
            }
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}

#[tokio::test]
async fn no_query_breaks_anything() {
    on_both_worlds(async |w| {
        for op in Op::all() {
            let mut names = op.query.clone();
            if op.method == Method::GET {
                names.push("linked_account_id".to_owned());
            }
            for (name, word) in names
                .iter()
                .flat_map(|name| words().into_iter().map(move |word| (name, word)))
            {
                let path = format!("{}?{name}={word}", op.at(&w.good_segment(&op)));
                let asked = format!("{} {}", op.method, path.chars().take(160).collect::<String>());
                let mut headers = World::credentials(&op, &w.mine);
                headers.retain(|(header, _)| name != "linked_account_id" || *header != "linked_account_id");
                let before = w.fingerprint().await;
                let answer = w
                    .send(&op.method, &path, &headers, r#"{"linked_account_id":"mine"}"#)
                    .await;
                assert_clear(&answer, &asked);
                if !answer.status.is_success() {
                    assert_eq!(w.fingerprint().await, before, "{asked}");
                } else if op.method != Method::GET {
                    w.restore().await;
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_linked_account_header_breaks_anything() {
    on_both_worlds(async |w| {
        let long = "x".repeat(10_000);
        for op in Op::all().iter().filter(|op| op.takes("linked_account")) {
            for word in [
                "caf\u{e9}",
                "\u{fffd}",
                " ",
                "a\tb",
                "' OR 1=1",
                "theirs",
                long.as_str(),
            ] {
                let before = w.fingerprint().await;
                let headers = [
                    ("x-api-key", w.mine.key.clone()),
                    ("linked_account_id", word.to_owned()),
                ];
                let asked = format!("{} for {}", op.named(), word.chars().take(60).collect::<String>());
                let answer = w.send(&op.method, &op.at(&w.good_segment(op)), &headers, "").await;
                assert_clear(&answer, &asked);
                assert!(answer.status.is_client_error(), "{asked}: {}", answer.text);
                assert_eq!(w.fingerprint().await, before, "{asked}");
            }
        }
    })
    .await;
}

/// The pages, which the document does not describe.
const PAGES: [(&str, &str); 11] = [
    ("GET", "/connect/{}"),
    ("POST", "/connect/{}"),
    ("GET", "/connect?x={}"),
    ("GET", "/api/v1/{}/start/x"),
    ("GET", "/api/v1/slack/start/{}"),
    ("GET", "/api/v1/{}/callback?code=x&state=y"),
    ("GET", "/api/v1/slack/callback?code={}&state={}"),
    ("GET", "/api/v1/slack/callback?error={}&state={}&iss={}"),
    ("GET", "/icons/{}"),
    ("GET", "/assets/{}"),
    ("GET", "/{}"),
];

#[tokio::test]
async fn no_address_cookie_or_form_breaks_a_page() {
    on_both_worlds(async |w| {
        let before = w.fingerprint().await;
        let good = format!(
            "evergrant_session={0}; evergrant_browser={1}",
            w.mine.session,
            "b".repeat(43)
        );
        let long = format!("evergrant_session={0}; evergrant_browser={0}", "x".repeat(10_000));
        let cookies = [
            "",
            "evergrant_session=",
            "evergrant_session=caf\u{e9}; evergrant_browser=\u{fffd}",
            &long,
            &good,
        ];
        for (method, page) in PAGES {
            for (word, cookie) in words()
                .iter()
                .flat_map(|word| cookies.iter().map(move |cookie| (word, *cookie)))
            {
                let path = page.replace("{}", word);
                let shown = path.chars().take(100).collect::<String>();
                let asked = format!("{method} {shown} with {}", cookie.chars().take(60).collect::<String>());
                let headers = [("cookie", cookie.to_owned())];
                let method = method.parse().unwrap();
                assert_clear(
                    &w.send(&method, &path, &headers, "csrf=%00&f.x=%FF&&=&action").await,
                    &asked,
                );
            }
        }
        assert_eq!(w.fingerprint().await, before);
    })
    .await;
}
