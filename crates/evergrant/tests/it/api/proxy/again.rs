//! What is sent a second time, and what is not, when the token is refused after a redirect was followed.

use axum::http::Method;
use evergrant::egress::Limits;

use super::world::{CRM, Seen, World, reply, rotating};
use crate::support::TestDatabase;

const FOLLOW: &str = "x-evergrant-follow-redirects";

/// A grant whose token has had the time to arrive everywhere; no body is kept.
async fn world() -> World {
    let limits = Limits {
        kept: 0,
        ..Limits::default()
    };
    let w = World::start(TestDatabase::sqlite(), limits).await;
    w.grant(CRM).await;
    w.t.clock.advance(std::time::Duration::from_mins(2));
    w
}

/// `/api/v1/a` redirects to `b`, where the first token is refused.
fn redirecting(status: u16) -> impl FnMut(&Seen) -> super::world::Reply + Send {
    let mut issued = rotating(|seen: &Seen| reply(200, seen.body.clone()));
    move |seen| match seen.target.as_str() {
        "/api/v1/a" => reply(status, "moved").with("location", "b"),
        "/api/v1/b" if seen.header("authorization") == Some("Bearer at-1") => {
            reply(401, r#"{"error":"invalid_token"}"#)
        }
        _ => issued(seen),
    }
}

fn calls_of(w: &World) -> Vec<(Method, String, String)> {
    let call = |one: Seen| {
        let token = one.header("authorization").unwrap_or_default().to_owned();
        (one.method, one.target, token)
    };
    let seen = w.provider.seen().into_iter().filter(|one| one.target != "/token");
    seen.map(call).collect()
}

#[tokio::test]
async fn what_a_post_has_brought_about_is_not_asked_for_twice() {
    for status in [302, 303] {
        let w = world().await;
        w.provider.answers(redirecting(status));
        // Its body is gone, and not needed.
        let call = w.call(Method::POST, "crm/a").header(FOLLOW, "3").raw("order");
        let answer = call.send().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{status}");
        let call = |method, path: &str, token: &str| (method, format!("/api/v1/{path}"), format!("Bearer {token}"));
        let want = [
            call(Method::POST, "a", "at-1"),
            call(Method::GET, "b", "at-1"),
            call(Method::GET, "b", "at-2"),
        ];
        assert_eq!(calls_of(&w), want, "{status}");
    }
}

#[tokio::test]
async fn where_a_redirect_takes_the_body_along_only_the_refused_request_is_repeated() {
    let w = World::sqlite().await;
    w.grant(CRM).await;
    w.t.clock.advance(std::time::Duration::from_mins(2));
    w.provider.answers(redirecting(307));
    let call = w.call(Method::POST, "crm/a").header(FOLLOW, "3").raw("order");
    assert_eq!(call.send().await.text, "order");
    let seen = calls_of(&w);
    let targets: Vec<_> = seen
        .iter()
        .map(|(method, target, _)| (method, target.as_str()))
        .collect();
    let post = &Method::POST;
    assert_eq!(targets, [(post, "/api/v1/a"), (post, "/api/v1/b"), (post, "/api/v1/b")]);
    assert_eq!(seen[2].2, "Bearer at-2");
}

#[tokio::test]
async fn nobody_is_told_that_nothing_was_sent_once_something_was() {
    for (method, told) in [(Method::POST, "REPLY_LOST"), (Method::GET, "PROVIDER_UNAVAILABLE")] {
        let w = world().await;
        // The host that the redirect names cannot be reached.
        let walled = format!("http://127.0.0.1:{}/", w.walled.port());
        w.provider
            .answers(move |_| reply(303, "done").with("location", &walled));
        let call = || w.call(method.clone(), "crm/a").header(FOLLOW, "1");
        let answer = call().send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (502, &told.into()));
        // The token cannot be renewed.
        let mut answers = redirecting(303);
        w.provider.answers(move |seen| match seen.target.as_str() {
            "/token" => reply(503, "{}"),
            _ => answers(seen),
        });
        let answer = call().send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (502, &told.into()));
    }
}

#[tokio::test]
async fn a_body_in_many_small_pieces_takes_up_the_room_that_it_costs() {
    for (kept, status) in [(20 * 65, 200), (20 * 65 - 1, 503)] {
        let limits = Limits {
            kept,
            ..Limits::default()
        };
        let w = World::start(TestDatabase::sqlite(), limits).await;
        w.grant(CRM).await;
        w.t.clock.advance(std::time::Duration::from_mins(2));
        let mut refused = false;
        let mut issued = rotating(|seen: &Seen| reply(200, seen.body.clone()));
        w.provider.answers(move |seen| {
            if seen.target != "/token" && !std::mem::replace(&mut refused, true) {
                return reply(401, "{}");
            }
            issued(seen)
        });
        let body = super::limits::pieces(vec!["x"; 20]);
        let answer = w.call(Method::POST, "crm/a").raw(body).send().await;
        assert_eq!(answer.status, status, "{kept}: {}", answer.text);
    }
}
