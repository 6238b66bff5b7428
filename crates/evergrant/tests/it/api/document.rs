//! The OpenAPI document: committed as it is, and readable as a page without another server.

use axum::http::Method;
use serde_json::Value;

use crate::support::{TestApp, TestDatabase};

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the one who runs the tests says whether to renew the file"
)]
fn the_committed_document_is_the_one_that_the_code_generates() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let generated = serde_json::to_string_pretty(&evergrant::http::document()).unwrap() + "\n";
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == generated,
        "openapi.json is not what the code says; renew it with\n\n    UPDATE=1 cargo test --package evergrant --test it \
         the_committed_document\n\nand read the difference before you commit it"
    );
}

#[test]
fn every_operation_says_what_it_needs_and_answers_every_refusal_in_one_shape() {
    let document = serde_json::to_value(evergrant::http::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = format!("{method} {path}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{named} has no summary"
            );
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.contains_key("200"), "{named} never succeeds");
            let secured = operation["security"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one != &Value::Object(serde_json::Map::new())));
            assert_eq!(secured, answers.contains_key("401"), "{named}");
            assert_eq!(path.starts_with("/api/"), answers.contains_key("429"), "{named}");
            for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let shape = &answer["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(shape, "#/components/schemas/ErrorBody", "{named}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_names_every_operation_and_asks_nothing_of_another_server() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let page = t.call(Method::GET, "/docs").send().await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    for forbidden in ["<script", "style=\"", "onclick", "src=\"", "href=\"http", "href=\"//"] {
        assert!(!page.text.contains(forbidden), "{forbidden}");
    }
    let document = t.call(Method::GET, "/openapi.json").ok().await;
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(page.text.contains(&format!("<code>{path}</code>")), "{path}");
        assert!(!item.as_object().unwrap().is_empty());
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.text.contains(&format!("id=\"shape-{name}\"")), "{name}");
    }
    for link in page
        .text
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(page.text.contains(&format!("id=\"{link}\"")), "#{link} leads nowhere");
    }
    let style = t.call(Method::GET, "/assets/docs.css").send().await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    assert!(!style.text.contains("url(") && !style.text.contains("@import"));
}
