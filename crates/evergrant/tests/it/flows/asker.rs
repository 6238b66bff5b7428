//! How the page that asked for a consent learns what became of it.

use axum::http::{Method, StatusCode};
use evergrant::sandbox::Weather;
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, Consent, Story, story};

const PAGE: &str = "https://app.example";
const OWN: &str = "http://127.0.0.1:8080";

/// `integrate` from a page, with the headers that its browser adds.
async fn asked(s: &Story, headers: &[(&str, &str)]) -> Value {
    let token = s.t.session(CUSTOMER).await;
    let call = s.t.by_session(Method::GET, &format!("/api/v1/{CRM}/integrate"), &token);
    let call = headers
        .iter()
        .fold(call, |call, (name, value)| call.header(name, value));
    call.ok().await
}

/// The path of `auth_url`, and with it where to return to.
fn start(answer: &Value, return_to: Option<&str>) -> String {
    let path = answer["auth_url"].as_str().unwrap().strip_prefix(OWN).unwrap();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    return_to.map_or_else(
        || path.to_owned(),
        |to| format!("{path}?{}", query.append_pair("return_to", to).finish()),
    )
}

/// Opens the start page, decides, and comes back to the callback.
async fn through(s: &Story, path: &str, consent: Consent) -> crate::support::Answer {
    let opened = s.open(path, None).await;
    let callback = s.provider.decide(&opened.authorize, consent).await;
    s.visit(&callback, Some(&opened.cookie)).await
}

async fn register(s: &Story) {
    let origins = json!({ "return_origins": [PAGE] });
    s.t.put("/api/v2/public/environment/origins", &origins).ok().await;
}

#[tokio::test]
async fn the_page_that_asked_and_no_other_is_told_the_end() {
    story(async |s| {
        for (headers, origin) in [
            (vec![("origin", PAGE)], Some(PAGE)),
            (vec![("origin", PAGE), ("sec-fetch-site", "cross-site")], Some(PAGE)),
            (vec![("sec-fetch-site", "same-origin")], Some(OWN)),
            (vec![("sec-fetch-site", "none")], None),
            (vec![("origin", "null")], None),
            (vec![], None),
        ] {
            for (consent, outcome) in [(Consent::YES, "connected"), (Consent::NO, "denied")] {
                let answer = asked(&s, &headers).await;
                let page = through(&s, &start(&answer, None), consent).await;
                assert_eq!(page.status, StatusCode::OK);
                assert!(page.text.contains("data-after=\"6000\""), "{}", page.text);
                let Some(origin) = origin else {
                    assert!(!page.text.contains("data-origin"), "{headers:?}: {}", page.text);
                    continue;
                };
                for told in [
                    format!("data-origin=\"{origin}\""),
                    format!("data-flow=\"{}\"", answer["flow"].as_str().unwrap()),
                    format!("data-slug=\"{CRM}\""),
                    format!("data-outcome=\"{outcome}\""),
                ] {
                    assert!(page.text.contains(&told), "{told}: {}", page.text);
                }
                assert!(!page.headers.contains_key("cross-origin-opener-policy"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_is_told_with_a_code_of_ours_and_no_word_of_the_provider() {
    story(async |s| {
        let answer = asked(&s, &[("origin", PAGE)]).await;
        let opened = s.open(&start(&answer, None), None).await;
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        let down = Weather {
            down: true,
            ..Weather::default()
        };
        s.provider.weather(down);
        let page = s.visit(&callback, Some(&opened.cookie)).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY);
        let told = "data-outcome=\"failed\" data-code=\"NO_TOKENS\"";
        assert!(page.text.contains(told), "{}", page.text);
        // A callback that belongs to nothing tells nobody: there is no page that it could be about.
        let again = s.visit(&callback, Some(&opened.cookie)).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST);
        assert!(!again.text.contains("data-origin"), "{}", again.text);
    })
    .await;
}

#[tokio::test]
async fn a_page_that_went_itself_is_returned_to_where_its_origin_is_registered() {
    story(async |s| {
        let from_page = [("origin", PAGE)];
        assert_eq!(asked(&s, &from_page).await["can_return"], false);
        register(&s).await;
        assert_eq!(
            asked(&s, &[("origin", "https://other.example")]).await["can_return"],
            false
        );
        assert_eq!(asked(&s, &[]).await["can_return"], false);
        let here = "https://app.example/settings?tab=2#crm";
        for (consent, end) in [(Consent::YES, "connected"), (Consent::NO, "denied")] {
            let answer = asked(&s, &from_page).await;
            assert_eq!(answer["can_return"], true);
            let back = through(&s, &start(&answer, Some(here)), consent).await;
            assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text);
            assert_eq!(
                back.headers["location"],
                format!("https://app.example/settings?tab=2&evergrant_slug={CRM}&evergrant_outcome={end}#crm")
            );
            assert_eq!(back.headers["referrer-policy"], "no-referrer");
            assert_eq!(back.headers["cache-control"], "no-store");
        }
        s.assert_healthy(CRM).await;
        for elsewhere in ["https://evil.example/", "//app.example/", "javascript:alert(1)", ""] {
            let answer = asked(&s, &from_page).await;
            let page = through(&s, &start(&answer, Some(elsewhere)), Consent::YES).await;
            assert_eq!(page.status, StatusCode::OK, "{elsewhere}");
            assert!(!page.headers.contains_key("location"));
        }
    })
    .await;
}
