//! The server behind a proxy that puts it under a path of its own: browsers ask for everything below that path.

use axum::http::Method;
use evergrant::clock::ManualClock;
use serde_json::json;

use crate::support::{START, Surroundings, TestApp, TestDatabase};

const AT: &str = "https://acme.example/integrations";

/// Every address that a page names.
fn addresses(html: &str) -> Vec<String> {
    let marks = ["href=\"", "src=\"", "action=\"", "content=\"0;url="];
    let found = marks.iter().flat_map(|mark| html.split(mark).skip(1));
    found.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

async fn behind_a_proxy() -> TestApp {
    let around = Surroundings {
        public_url: Some(AT.parse().unwrap()),
        ..Surroundings::default()
    };
    let t = TestApp::start_in(TestDatabase::sqlite(), ManualClock::at(START), around).await;
    t.link("a").await;
    t
}

#[tokio::test]
async fn every_icon_is_an_absolute_address_of_ours() {
    let t = behind_a_proxy().await;
    let listed = t.get("/api/v2/public/application").header("linked_account_id", "a");
    for application in listed.ok().await.as_array().unwrap() {
        let icon = format!("{AT}/icons/{}.svg", application["slug"].as_str().unwrap());
        assert_eq!(application["icon"], icon);
        let sent = t.call(Method::GET, icon.strip_prefix(AT).unwrap()).send().await;
        assert_eq!(
            (sent.status.as_u16(), &sent.headers["content-type"]),
            (200, &"image/svg+xml".parse().unwrap())
        );
        assert!(
            !sent.text.contains("href") && !sent.text.contains("<script"),
            "{}",
            sent.text
        );
    }
}

#[tokio::test]
async fn every_address_of_a_page_is_below_the_public_url() {
    let t = behind_a_proxy().await;
    let made = t.post("/api/v2/public/connect-url", &json!({ "color": "#123456" }));
    let made = made.header("linked_account_id", "a").ok().await;
    let url = made["hosted_url"].as_str().unwrap();
    let opened = t.call(Method::GET, url.strip_prefix(AT).unwrap()).send().await;
    assert_eq!(opened.headers["location"], "/integrations/connect");
    let cookie = opened.headers["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let client = json!({ "client_id": "c", "client_secret": "s" });
    let path = "/api/v2/public/application/slack/oauth-client";
    t.put(path, &client).ok().await;
    let mut last = String::new();
    for path in [
        "/connect",
        "/connect/copper",
        "/connect/nothing-of-that-name",
        "/connect/slack",
    ] {
        let page = t.call(Method::GET, path).header("cookie", cookie).send().await;
        assert!(page.text.contains(" data-base=\"/integrations\""), "{}", page.text);
        let all = addresses(&page.text);
        assert!(all.len() > 8, "{all:?}");
        for one in all {
            let is_below = one.starts_with("/integrations/") || one.starts_with("?lang=") || one == "#main";
            assert!(is_below, "{one} on {path}");
        }
        last = page.text;
    }
    let csrf = last.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let body = format!(
        "csrf={}&action=connect&auth_type=oauth2",
        csrf.split('"').next().unwrap()
    );
    let onward = t
        .call(Method::POST, "/connect/slack")
        .header("cookie", cookie)
        .raw(body);
    let start = format!("content=\"0;url={AT}/api/v1/slack/start/");
    assert!(onward.send().await.text.contains(&start));
}
