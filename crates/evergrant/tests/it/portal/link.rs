//! Repairing by link: scanners change nothing, the button opens one connection, and the link ends with its break.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::sandbox::Cause;
use serde_json::json;

use crate::support::{Answer, CRM, SMS, Story, story};

/// A broken connection and a link to it.
async fn linked(s: &Story, slug: &str) -> (String, String) {
    let (id, cause) = if slug == CRM {
        (s.connect().await, Cause::TokenRevoked)
    } else {
        (s.connect_key().await, Cause::KeyExpired)
    };
    s.provider.strike(cause);
    s.act(&id, "check").await;
    let made =
        s.t.post(&format!("/api/v2/public/connection/{id}/reauth-link"), &json!({}));
    let url = made.ok().await["url"].as_str().unwrap().to_owned();
    (id, url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned())
}

fn cookie_of(answer: &Answer) -> String {
    let text = answer.headers["set-cookie"].to_str().unwrap();
    assert!(text.contains("HttpOnly; SameSite=Lax"), "{text}");
    text.split(';').next().unwrap().to_owned()
}

fn csrf_of(answer: &Answer) -> String {
    let (_, rest) = answer.text.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn post(s: &Story, path: &str, (cookie, body): (&str, String)) -> Answer {
    let call = s.t.call(Method::POST, path).header("cookie", cookie);
    call.raw(body).send().await
}

/// Opens the link and presses its button: the answer.
async fn press(s: &Story, path: &str) -> Answer {
    let page = s.visit(path, None).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    post(s, path, (&cookie_of(&page), format!("csrf={}", csrf_of(&page)))).await
}

#[tokio::test]
async fn a_scanner_changes_nothing_and_the_button_begins_the_reconnect() {
    story(async |s| {
        let (id, path) = linked(&s, CRM).await;
        let before = s.connection(&id).await;
        for method in [Method::HEAD, Method::GET, Method::GET] {
            let page = s.t.call(method, &path).send().await;
            assert_eq!(page.status, StatusCode::OK);
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
            assert_eq!(page.headers["cache-control"], "no-store");
        }
        let page = s.visit(&path, None).await;
        for said in [
            "default asks you to reconnect Sandbox CRM for acct-7.",
            "Access was withdrawn",
            "Since 2 January 2024.",
        ] {
            assert!(page.text.contains(said), "{said} in {}", page.text);
        }
        assert!(!page.text.contains("rl_"), "the page does not repeat the token");
        assert_eq!(s.connection(&id).await, before, "looking changes nothing");

        // Without what the page gave to this browser, nobody can press.
        let (cookie, csrf) = (cookie_of(&page), csrf_of(&page));
        for (cookie, csrf) in [("x=1", csrf.as_str()), ("evergrant_visit=other", &csrf), (&cookie, "")] {
            let forged = post(&s, &path, (cookie, format!("csrf={csrf}"))).await;
            assert_eq!(forged.status, StatusCode::BAD_REQUEST, "{}", forged.text);
        }
        let onward = post(&s, &path, (&cookie, format!("csrf={csrf}"))).await;
        assert_eq!(onward.status, StatusCode::OK, "{}", onward.text);
        let (_, start) = onward.text.split_once("content=\"0;url=http://127.0.0.1:8080").unwrap();
        let opened = s.open(start.split('"').next().unwrap(), None).await;
        let callback = s.provider.decide(&opened.authorize, crate::support::Consent::YES).await;
        let done = s.visit(&callback, Some(&opened.cookie)).await;
        assert!(done.text.contains("Sandbox CRM is connected"), "{}", done.text);
        assert_eq!(s.id_of(CRM).await, id);
        s.assert_healthy(CRM).await;
        let late = s.visit(&path, None).await;
        assert!(
            late.text.contains("Sandbox CRM works again") && !late.text.contains("<button"),
            "{}",
            late.text
        );
    })
    .await;
}

#[tokio::test]
async fn the_buttons_session_opens_the_one_connection_and_nothing_else() {
    story(async |s| {
        s.connect().await;
        let (id, path) = linked(&s, SMS).await;
        let pressed = press(&s, &path).await;
        assert_eq!(
            (pressed.status, &pressed.headers["location"]),
            (StatusCode::SEE_OTHER, &"/repair".parse().unwrap())
        );
        let cookie = cookie_of(&pressed);
        let token = cookie.split_once('=').unwrap().1.to_owned();
        for closed in [
            "/connect",
            "/connect/sandbox-oauth",
            "/connect/sandbox-key",
            "/connect/sandbox-key/state",
        ] {
            for name in ["evergrant_repair", "evergrant_session"] {
                let answer = s.visit(closed, Some(&format!("{name}={token}"))).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{closed}");
            }
        }
        s.t.by_session(Method::GET, "/api/v2/f-sdk/application", &token)
            .refused(401)
            .await;

        let form = s.visit("/repair", Some(&cookie)).await;
        assert!(
            form.text.contains("name=\"f.api_key\"") && !form.text.contains("Disconnect"),
            "{}",
            form.text
        );
        assert!(!form.text.contains("Sandbox CRM"));
        let send = async |key: &str, more: &str| {
            let body = format!("csrf={}&f.api_key={key}{more}", csrf_of(&form));
            post(&s, "/repair", (&cookie, body)).await
        };
        assert_eq!(
            send("wr0ng", "&action=disconnect").await.status,
            StatusCode::BAD_REQUEST,
            "it cannot be ended"
        );
        let refused = send("wr0ng", "").await;
        assert!(
            refused.text.contains("did not accept this") && !refused.text.contains("wr0ng"),
            "{}",
            refused.text
        );
        assert!(
            refused.text.contains("invalid_api_key"),
            "the provider's own reason: {}",
            refused.text
        );
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
        let done = send(&s.provider.key(), "").await;
        assert!(done.text.contains("Sandbox SMS is connected"), "{}", done.text);
        assert_eq!(s.id_of(SMS).await, id);
        let after = s.visit("/repair", Some(&cookie)).await;
        assert!(after.text.contains("works again"), "the session ends with the break");
    })
    .await;
}

#[tokio::test]
async fn an_ended_link_says_so_and_its_session_ends_with_it() {
    story(async |s| {
        let (id, path) = linked(&s, SMS).await;
        let cookie = cookie_of(&press(&s, &path).await);
        s.t.delete(&format!("/api/v2/public/connection/{id}/reauth-link"))
            .ok()
            .await;
        for (path, cookie) in [
            (path.as_str(), None),
            ("/repair", Some(cookie.as_str())),
            ("/reauth/rl_never", None),
            ("/reauth/%FF", None),
        ] {
            let page = s.visit(path, cookie).await;
            assert_eq!(page.status, StatusCode::GONE, "{path}");
            assert!(page.text.contains("This link no longer works"), "{}", page.text);
        }
        assert_eq!(s.visit("/repair", None).await.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn an_outdated_link_says_so_and_so_does_the_session_that_it_began() {
    story(async |s| {
        let (id, path) = linked(&s, SMS).await;
        let cookie = cookie_of(&press(&s, &path).await);
        let status = async |path: &str, cookie: Option<&str>| {
            let page = s.visit(path, cookie).await;
            let ended = page.text.contains("This link no longer works");
            assert_eq!(ended, page.status == StatusCode::GONE, "{}", page.text);
            page.status
        };
        let second = Duration::from_secs(1);
        s.pass(Duration::from_secs(7 * 86_400 - 1));
        assert_eq!(status(&path, None).await, StatusCode::OK);
        assert_eq!(status("/repair", Some(&cookie)).await, StatusCode::OK);
        s.pass(second);
        assert_eq!(status(&path, None).await, StatusCode::GONE);
        assert_eq!(status("/repair", Some(&cookie)).await, StatusCode::GONE);
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
    })
    .await;
}
