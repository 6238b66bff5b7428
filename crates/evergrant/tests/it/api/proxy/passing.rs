//! What passes, and what does not, in either direction.

use axum::http::Method;

use super::world::{CRM, CUSTOMER, Reply, World, on_both, reply};

#[tokio::test]
async fn method_query_headers_and_body_arrive_and_status_headers_and_body_come_back() {
    on_both(async |w| {
        w.grant(CRM).await;
        w.provider.answers(|_| {
            reply(202, "made\0\u{fffd}")
                .with("x-their", "1")
                .with("x-their", "2")
                .with("etag", "\"e\"")
        });
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let method: Method = method.parse().unwrap();
            let call = w.call(method.clone(), "crm/things/7?q=a%20b&q=%C3%A4+&&x");
            let answer = call
                .header("x-mine", "1")
                .header("accept-language", "de")
                .raw("not json \0")
                .send()
                .await;
            assert_eq!(answer.status, 202);
            assert_eq!(answer.text, "made\0\u{fffd}");
            assert_eq!(answer.headers.get_all("x-their").iter().count(), 2);
            assert_eq!(answer.headers["etag"], "\"e\"");
            assert_eq!(answer.headers["x-evergrant-answered-by"], "provider");
            let seen = w.provider.seen().last().unwrap().clone();
            assert_eq!(seen.method, method);
            assert_eq!(seen.target, "/api/v1/things/7?q=a%20b&q=%C3%A4+&&x");
            assert_eq!(
                (seen.header("x-mine"), seen.header("accept-language")),
                (Some("1"), Some("de"))
            );
            assert_eq!(&seen.body[..], b"not json \0");
            assert_eq!(seen.header("host"), Some(w.provider.address.as_str()));
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_of_ours_or_of_the_way_here_reaches_the_provider() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let mut call = w.get("crm/me");
    for name in [
        "cookie",
        "authorization",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
        "te",
        "trailer",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "x-hop",
        "true-client-ip",
        "x-original-url",
    ] {
        call = call.header(name, "canary");
    }
    let answer = call
        .header("connection", "X-Hop, keep-alive")
        .header("expect", "100-continue")
        .send()
        .await;
    assert_eq!(answer.status, 200);
    let seen = w.provider.only();
    let mut names: Vec<_> = seen.headers.keys().map(axum::http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "host", "user-agent", "x-version"]);
    let text = format!("{:?}", seen.headers);
    assert!(
        !text.contains("canary") && !text.contains(CUSTOMER) && !text.contains(&w.t.key),
        "{text}"
    );
}

#[tokio::test]
async fn nothing_that_speaks_for_our_origin_comes_back() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let names = [
        "set-cookie",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "content-security-policy",
        "content-security-policy-report-only",
        "strict-transport-security",
        "clear-site-data",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "x-hop",
        "cache-control",
        "x-evergrant-answered-by",
    ];
    w.provider.answers(move |_| {
        let with = |reply: Reply, name: &&str| reply.with(name, "x-hop");
        names
            .iter()
            .fold(reply(200, "{}"), with)
            .with("x-request-id", "theirs")
            .with("retry-after", "9")
    });
    let answer = w.get("crm/me").header("origin", "https://evil.example").send().await;
    for name in names {
        let told: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert!(!told.iter().any(|value| *value == "x-hop"), "{name}: {told:?}");
    }
    assert!(
        !answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control-"))
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-evergrant-provider-request-id"], "theirs");
    assert_ne!(answer.headers["x-request-id"], "theirs");
    assert_eq!(answer.headers["retry-after"], "9");
}

#[tokio::test]
async fn what_came_compressed_stays_so_and_only_readable_codings_are_offered() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.provider
        .answers(|_| reply(200, &b"\x1f\x8b not really"[..]).with("content-encoding", "gzip"));
    let answer = w.get("crm/me").header("accept-encoding", "br, gzip, zstd").send().await;
    assert_eq!(answer.headers["content-encoding"], "gzip");
    assert!(answer.text.ends_with(" not really"));
    assert_eq!(w.provider.only().header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn other_protocols_and_methods_that_echo_are_refused() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    let call = w
        .get("crm/socket")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket");
    let message = call.refused(400).await;
    assert!(message.contains("WebSockets"), "{message}");
    w.call(Method::TRACE, "crm/me").refused(400).await;
    assert!(w.provider.seen().is_empty());
}

#[tokio::test]
async fn limits_of_the_provider_pass_with_their_wait_and_are_no_trouble() {
    on_both(async |w| {
        let connection = w.grant(CRM).await;
        let before = w.find(&connection).await;
        for (status, body) in [
            (429, "{}"),
            (503, "{}"),
            (500, "oops"),
            (403, r#"{"error":"insufficient_scope"}"#),
            (404, "{}"),
            (400, "{}"),
        ] {
            w.provider
                .answers(move |_| reply(status, body).with("retry-after", "17"));
            let answer = w.get("crm/me").send().await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, body));
            assert_eq!(answer.headers["retry-after"], "17");
            assert_eq!(w.find(&connection).await, before, "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_success_is_written_down_for_each_token_and_then_once_in_a_while() {
    on_both(async |w| {
        let connection = w.grant_with(CRM, None).await;
        let ok_at = async || w.find(&connection).await.last_ok_at.unwrap();
        let minute = std::time::Duration::from_mins(1);
        let issued = connection.last_ok_at.unwrap();
        w.t.clock.advance(minute);
        w.provider.answers(|_| reply(500, "{}"));
        w.get("crm/me").send().await;
        assert_eq!(ok_at().await, issued, "a failure is none");
        w.provider.answers(|_| reply(200, "{}"));
        w.get("crm/me").ok().await;
        let first = issued.after(minute);
        assert_eq!(ok_at().await, first);
        w.t.clock.advance(minute * 9);
        w.get("crm/me").ok().await;
        assert_eq!(ok_at().await, first, "not every call writes");
        w.t.clock.advance(minute);
        w.get("crm/me").ok().await;
        assert_eq!(ok_at().await, first.after(minute * 10));
    })
    .await;
}

#[tokio::test]
async fn two_slashes_at_the_start_of_a_whole_path_are_forgiven_here_too() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.t.get("//api/v2/public/proxy/crm/me")
        .header("linked_account_id", CUSTOMER)
        .ok()
        .await;
}
