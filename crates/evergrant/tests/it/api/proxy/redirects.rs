//! Redirects: passed back, and followed only on request.

use axum::http::Method;

use super::world::{CRM, Reply, World, reply};

const FOLLOW: &str = "x-evergrant-follow-redirects";

fn to(status: u16, location: &str) -> Reply {
    reply(status, "moved").with("location", location)
}

#[tokio::test]
async fn a_redirect_is_passed_back_as_it_is() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.provider.answers(|_| to(302, "/login"));
    let answer = w.get("crm/me").send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (302, "moved"));
    assert_eq!(answer.headers["location"], "/login");
    assert_eq!(w.provider.seen().len(), 1);
}

#[tokio::test]
async fn on_request_it_is_followed_with_the_method_that_the_standard_wants() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    for (status, method, then, body) in [
        (302, Method::POST, Method::GET, ""),
        (303, Method::PUT, Method::GET, ""),
        (307, Method::POST, Method::POST, "body"),
        (308, Method::PUT, Method::PUT, "body"),
    ] {
        let before = w.provider.seen().len();
        w.provider.answers(move |seen| {
            if seen.target == "/api/v1/a" {
                to(status, "../b?c=%2F")
            } else {
                reply(200, "there")
            }
        });
        let call = w.call(method, "crm/a").header(FOLLOW, "1").raw("body");
        assert_eq!(call.send().await.text, "there");
        let seen = w.provider.seen().split_off(before);
        assert_eq!((&seen[1].method, seen[1].target.as_str()), (&then, "/api/b?c=%2F"));
        assert_eq!(&seen[1].body[..], body.as_bytes());
        assert_eq!(seen[1].header("content-type").is_some(), !body.is_empty());
        assert_eq!(
            seen[1].header("authorization"),
            Some("Bearer at-1"),
            "it is the API itself"
        );
    }
}

#[tokio::test]
async fn another_host_that_the_file_allows_gets_no_credential() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let there = format!("http://{}/file?sig=1", w.elsewhere.address);
    let back = format!("http://{}/api/v1/b", w.provider.address);
    w.provider.answers(move |seen| {
        if seen.target == "/api/v1/a" {
            to(302, &there)
        } else {
            reply(200, "back")
        }
    });
    w.elsewhere.answers(|_| reply(401, "who are you?"));
    let answer = w.get("crm/a").header(FOLLOW, "5").header("x-mine", "1").send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (401, "who are you?"),
        "its 401 says nothing of our token"
    );
    let seen = w.elsewhere.only();
    assert_eq!(seen.target, "/file?sig=1");
    assert_eq!((seen.header("authorization"), seen.header("x-version")), (None, None));
    assert_eq!(seen.header("x-mine"), Some("1"));
    assert!(!w.provider.seen().iter().any(|one| one.target == "/token"));
    w.elsewhere.answers(move |_| to(302, &back));
    assert_eq!(w.get("crm/a").header(FOLLOW, "5").send().await.text, "back");
    assert_eq!(
        w.provider.seen().last().unwrap().header("authorization"),
        None,
        "who was asked without the credential may not choose where it goes"
    );
}

#[tokio::test]
async fn a_key_in_the_query_goes_along_to_the_api_itself_once() {
    let w = World::sqlite().await;
    w.keys("query", &[("key", "canary & key")]).await;
    w.provider.answers(|seen| match seen.target.split('?').next() {
        Some("/base/a") => to(302, "b?c=1"),
        Some("/base/b") => to(307, &seen.target.replace("/base/b", "/base/d")),
        Some("/base/d") => to(302, "/base/e"),
        _ => reply(200, "there"),
    });
    assert_eq!(w.get("query/a").header(FOLLOW, "5").send().await.text, "there");
    let seen: Vec<_> = w.provider.seen().into_iter().map(|one| one.target).collect();
    let key = "api_key=canary+%26+key";
    assert_eq!(
        seen,
        [
            format!("/base/a?{key}"),
            format!("/base/b?c=1&{key}"),
            format!("/base/d?c=1&{key}"),
            format!("/base/e?{key}")
        ]
    );
}

#[tokio::test]
async fn nobody_follows_to_a_host_that_the_file_does_not_allow() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let port = w.provider.address.rsplit_once(':').unwrap().1.to_owned();
    for location in [
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://127.0.0.1:10/".to_owned(),
        "http://2130706433:10/".to_owned(),
        "http://[::1]:9/".to_owned(),
        format!("http://localhost:{port}/"),
        "https://evil.example/".to_owned(),
        format!("http://user:pw@{}/", w.elsewhere.address),
        "file:///etc/passwd".to_owned(),
    ] {
        let told = location.clone();
        w.provider.answers(move |_| to(302, &told));
        let answer = w.get("crm/a").header(FOLLOW, "3").send().await;
        assert_eq!(answer.status, 302, "{location}");
        assert_eq!(answer.headers["location"], location.as_str());
    }
    assert!(w.elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_host_that_the_file_allows_is_not_called_where_it_turns_out_to_be_private() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let port = w.walled.port();
    for host in ["localhost", "127.0.0.1", "0x7f.1"] {
        let location = format!("http://{host}:{port}/");
        let told = location.clone();
        w.provider.answers(move |_| to(302, &told));
        let answer = w.get("crm/a").header(FOLLOW, "3").send().await;
        assert_eq!(answer.status, 502, "{location}: {}", answer.text);
        assert_eq!(answer.json()["error"], "PROVIDER_UNAVAILABLE", "{location}");
    }
    assert!(w.walled.seen().is_empty(), "it listens, and nobody came");
}

#[tokio::test]
async fn at_most_as_many_are_followed_as_were_asked_for() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.provider.answers(|_| to(302, "/round"));
    let answer = w.get("crm/a").header(FOLLOW, "3").send().await;
    assert_eq!((answer.status.as_u16(), w.provider.seen().len()), (302, 4));
    for word in ["11", "-1", "yes", ""] {
        w.get("crm/a").header(FOLLOW, word).refused(400).await;
    }
    assert_eq!(w.provider.seen().len(), 4);
}

#[tokio::test]
async fn a_redirect_that_repeats_the_key_of_the_query_is_not_told_to_the_caller() {
    let w = World::sqlite().await;
    w.keys("query", &[("key", "canary & key")]).await;
    w.provider
        .answers(|seen| to(302, &format!("https://www.example.com{}", seen.target)));
    let answer = w.get("query/a").send().await;
    assert_eq!(answer.status, 302);
    assert!(!answer.headers.contains_key("location"), "{:?}", answer.headers);
    w.provider.answers(|_| to(302, "https://www.example.com/"));
    assert_eq!(
        w.get("query/a").send().await.headers["location"],
        "https://www.example.com/"
    );
}
