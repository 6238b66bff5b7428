//! What looks at links before a customer opens them.

use axum::http::{Method, StatusCode};

use crate::support::{CRM, Consent, story};

#[tokio::test]
async fn head_neither_uses_a_start_link_up_nor_ends_a_consent() {
    story(async |s| {
        let head = async |path: &str, cookie: &str| {
            let answer = s.t.call(Method::HEAD, path).header("cookie", cookie).send().await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""), "{path}");
            assert!(!answer.headers.contains_key("location") && !answer.headers.contains_key("set-cookie"));
            assert_eq!(answer.headers["cache-control"], "no-store");
        };
        let path = s.integrate().await;
        head(&path, "").await;
        let opened = s.open(&path, None).await;
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        head(&callback, &opened.cookie).await;
        s.assert_never_connected(CRM).await;
        let page = s.visit(&callback, Some(&opened.cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        s.assert_healthy(CRM).await;
    })
    .await;
}
