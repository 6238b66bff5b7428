//! `GET /sdk/evergrant.js`: the published module, for any page.

use axum::http::Method;

use crate::support::{TestApp, TestDatabase};

const PATH: &str = "/sdk/evergrant.js";

#[tokio::test]
async fn any_page_may_load_the_module_and_asks_again_cheaply() {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let answer = t
        .call(Method::GET, PATH)
        .header("origin", "https://app.example")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, include_str!("../../../../../sdk/js/evergrant.js"));
    for (name, value) in [
        ("content-type", "text/javascript; charset=utf-8"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "public, max-age=300"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = t.call(Method::GET, PATH).header("if-none-match", &known).send().await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.headers["etag"], tag.as_str());
    }
    let stale = t
        .call(Method::GET, PATH)
        .header("if-none-match", "\"other\"")
        .send()
        .await;
    assert_eq!(stale.status, 200);
    assert_eq!(t.call(Method::GET, &format!("{PATH}.map")).send().await.status, 404);
}
