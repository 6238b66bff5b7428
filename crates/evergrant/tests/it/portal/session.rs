//! From the session token in the address to a cookie, and what the pages' headers promise.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequest as _;
use axum::http::{Method, Request};
use axum::response::IntoResponse as _;
use evergrant::http::portal::{Posted, Visitor};
use evergrant::tenants;
use serde_json::json;

use crate::support::{Answer, TestApp, on_both};

async fn page(t: &TestApp, token: &str) -> Answer {
    let cookie = format!("evergrant_session={token}");
    t.call(Method::GET, "/connect").header("cookie", &cookie).send().await
}

fn assert_is_a_safe_page(answer: &Answer) {
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert!(!answer.headers.contains_key("cross-origin-opener-policy"));
    for forbidden in ["style=", "onclick", "//cdn", "http://", "https://", "data:"] {
        assert!(!answer.text.contains(forbidden), "{forbidden} in {}", answer.text);
    }
    let scripts = answer.text.matches("<script").count();
    assert_eq!(
        scripts,
        answer.text.matches("<script src=\"/assets/").count(),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn the_token_is_traded_for_a_cookie_and_a_clean_address() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let answer = t
            .call(Method::GET, &format!("/connect/{token}?config_id=x"))
            .send()
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["location"]),
            (303, &"/connect".parse().unwrap())
        );
        assert_eq!(
            answer.headers["set-cookie"],
            format!("evergrant_session={token}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax").as_str()
        );
        assert_is_a_safe_page(&answer);
        let list = page(&t, &token).await;
        assert_eq!(list.status, 200);
        assert_is_a_safe_page(&list);
        assert!(
            list.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .ends_with("frame-ancestors 'none'")
        );
        assert!(list.text.contains("Manage your Integrations") && !list.text.contains(&token));
    })
    .await;
}

#[tokio::test]
async fn an_expired_revoked_or_missing_session_ends_on_a_page_that_says_so() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        t.clock.advance(Duration::from_hours(7 * 24));
        let new = t.session("a").await;
        t.by_session(Method::POST, "/api/v2/public/session-token/revoke", &new)
            .ok()
            .await;
        for token in [&token, &new, "st_nonsense", ""] {
            let answer = page(&t, token).await;
            assert_eq!(answer.status, 401);
            assert!(answer.text.contains("This page has expired"), "{}", answer.text);
            assert_is_a_safe_page(&answer);
        }
        for token in [&token, &new, "slack", "%FF", "%3Cscript%3E"] {
            let answer = t.call(Method::GET, &format!("/connect/{token}")).send().await;
            assert_eq!(answer.status, 401, "{token}");
            assert!(!answer.headers.contains_key("set-cookie"));
            assert_is_a_safe_page(&answer);
        }
    })
    .await;
}

#[tokio::test]
async fn the_environment_names_who_may_frame_the_page_and_the_properties_what_it_shows() {
    on_both(async |t| {
        t.link("a").await;
        let tenant = &t.environment.tenant.id;
        let set = async |returns: &[String]| {
            let mut tx = t.app.db.begin().await.unwrap();
            let frames = ["https://app.example".to_owned(), "nonsense; script-src *".to_owned()];
            tenants::store::set_origins(&mut tx, tenant, returns, &frames)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        };
        set(&["https://app.example".to_owned()]).await;
        let token = t.session("a").await;
        let properties = json!({ "name": "<b>Acme</b>", "redirect_url": "https://app.example/back?a=1&b=\"2\"" });
        t.by_session(Method::POST, "/api/v2/public/connect-url", &token)
            .json(&properties)
            .ok()
            .await;
        let list = page(&t, &token).await;
        let policy = list.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("frame-ancestors https://app.example"), "{policy}");
        assert!(list.text.contains("&#60;b&#62;Acme"), "{}", list.text);
        assert!(list.text.contains("Return to app.example"));
        set(&[]).await;
        let list = page(&t, &token).await;
        assert!(
            !list.text.contains("Return to app.example"),
            "the origin was taken off the list"
        );
    })
    .await;
}

async fn post(t: &TestApp, cookie: &str, body: String) -> Result<Posted, u16> {
    let request = Request::post("/connect/x")
        .header("cookie", cookie)
        .body(Body::from(body))
        .unwrap();
    let posted = Posted::from_request(request, &t.app).await;
    posted.map_err(|error| error.into_response().status().as_u16())
}

#[tokio::test]
async fn a_form_is_taken_only_with_the_sessions_own_token() {
    on_both(async |t| {
        t.link("a").await;
        let (token, other) = (t.session("a").await, {
            t.link("b").await;
            t.session("b").await
        });
        let cookie = format!("evergrant_session={token}");
        let visitor = async |token: &str| -> Visitor {
            let request = Request::get("/connect")
                .header("cookie", format!("evergrant_session={token}"))
                .body(())
                .unwrap();
            let mut parts = request.into_parts().0;
            <Visitor as axum::extract::FromRequestParts<_>>::from_request_parts(&mut parts, &t.app)
                .await
                .unwrap()
        };
        let csrf = visitor(&token).await.csrf;
        let body = format!("csrf={csrf}&action=connect&f.api_token=a%26b&f.email=&f.action=x");
        let posted = post(&t, &cookie, body).await.unwrap();
        assert_eq!(posted.visitor.account.account.account_id, "a");
        assert_eq!(posted.form.fields.get("api_token").map(String::as_str), Some("a&b"));
        assert_eq!(
            (posted.form.fields.len(), posted.form.values["action"].as_str()),
            (2, "connect")
        );
        let theirs = visitor(&other).await.csrf;
        for bad in [
            String::new(),
            "csrf=".into(),
            format!("csrf={theirs}"),
            format!("csrf={}", &csrf[1..]),
        ] {
            assert_eq!(post(&t, &cookie, bad).await.unwrap_err(), 400);
        }
        assert_eq!(post(&t, "", format!("csrf={csrf}")).await.unwrap_err(), 401);
    })
    .await;
}

#[tokio::test]
async fn the_style_sheet_has_a_name_of_its_own_text_and_is_kept_for_good() {
    on_both(async |t| {
        t.link("a").await;
        let list = page(&t, &t.session("a").await).await;
        let path = list
            .text
            .split("href=\"")
            .find(|part| part.starts_with("/assets/"))
            .unwrap();
        let path = path.split('"').next().unwrap();
        let style = t.call(Method::GET, path).send().await;
        assert_eq!(
            (style.status.as_u16(), &style.headers["content-type"]),
            (200, &"text/css; charset=utf-8".parse().unwrap())
        );
        assert!(style.headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert!(!style.text.contains("url(") && !style.text.contains("@import"));
        let packed = t
            .call(Method::GET, path)
            .header("accept-encoding", "gzip, deflate, br")
            .send()
            .await;
        assert_eq!(packed.headers["content-encoding"], "deflate");
        for answer in [&packed, &style] {
            assert!(
                answer
                    .headers
                    .get_all("vary")
                    .iter()
                    .any(|value| value == "accept-encoding")
            );
        }
        let coded = t
            .call(Method::GET, path)
            .header("accept-encoding", "deflate;q=0")
            .send()
            .await;
        assert!(!coded.headers.contains_key("content-encoding"));
        t.call(Method::GET, "/assets/portal-0.css").refused(404).await;
    })
    .await;
}

/// A page as a browser loads it into a frame.
async fn framed(t: &TestApp, path: &str, cookie: &str) -> Answer {
    let call = t.call(Method::GET, path).header("sec-fetch-dest", "iframe");
    call.header("cookie", cookie).send().await
}

#[tokio::test]
async fn in_a_frame_the_cookie_is_partitioned_and_where_it_is_blocked_a_window_is_offered() {
    on_both(async |t| {
        t.link("a").await;
        let tenant = &t.environment.tenant.id;
        let origins = ["https://app.example".to_owned()];
        let mut tx = t.app.db.begin().await.unwrap();
        tenants::store::set_origins(&mut tx, tenant, &[], &origins)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let token = t.session("a").await;
        let answer = framed(&t, &format!("/connect/{token}"), "x=1").await;
        let clean = format!("/connect?in={tenant}");
        assert_eq!(answer.headers["location"], format!("{clean}#{token}").as_str());
        let cookies: Vec<_> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|one| one.to_str().unwrap())
            .collect();
        assert_eq!(cookies.len(), 2);
        for cookie in cookies {
            assert!(
                cookie.ends_with("; HttpOnly; SameSite=None; Secure; Partitioned"),
                "{cookie}"
            );
        }
        let list = framed(&t, &clean, &format!("evergrant_session={token}")).await;
        assert_eq!(list.status, 200);
        assert!(
            list.text.contains("data-framed=\"https://app.example\""),
            "{}",
            list.text
        );

        let policy = |answer: &Answer| answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        let blocked = framed(&t, &clean, "x=1").await;
        assert_eq!(blocked.status, 401);
        assert!(blocked.text.contains("data-reopen") && policy(&blocked).ends_with("https://app.example"));
        // A session that ends in the middle still says so inside the frame, and nowhere else.
        let ended = framed(&t, "/connect/copper", &format!("evergrant_in={tenant}")).await;
        assert!(ended.text.contains("This page has expired") && policy(&ended).ends_with("https://app.example"));
        for unknown in ["x=1", "evergrant_in=65aa00000000000000000001"] {
            let stranger = framed(&t, "/connect/copper", unknown).await;
            assert!(policy(&stranger).ends_with("frame-ancestors 'none'"), "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_language_is_asked_for_remembered_or_the_browsers_and_the_colours_are_the_teams() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let properties = json!({ "lang": "fr", "color": "#1f6feb", "bgColor": "#000" });
        let url = "/api/v2/public/connect-url";
        t.by_session(Method::POST, url, &token).json(&properties).ok().await;
        let list = async |path: &str, cookie: &str, accepted: &str| {
            let cookie = format!("evergrant_session={token}{cookie}");
            let call = t.call(Method::GET, path).header("cookie", &cookie);
            call.header("accept-language", accepted).send().await
        };
        let speaks = |answer: &Answer, lang: &str| answer.text.contains(&format!("<html lang=\"{lang}\">"));
        let asked = list("/connect?lang=de", "; evergrant_lang=es", "ja").await;
        assert!(speaks(&asked, "de"));
        assert!(
            asked.headers["set-cookie"]
                .to_str()
                .unwrap()
                .starts_with("evergrant_lang=de; Path=/; Max-Age=31536000")
        );
        assert!(
            speaks(&list("/connect", "; evergrant_lang=es", "ja").await, "es"),
            "remembered"
        );
        assert!(
            speaks(&list("/connect?lang=xx", "", "ja").await, "fr"),
            "the team's wish"
        );
        let error = t
            .call(Method::GET, "/connect")
            .header("accept-language", "ja")
            .send()
            .await;
        assert!(speaks(&error, "ja"), "the browser's");

        assert!(asked.text.contains("/assets/theme-1f6feb-000000.css"), "{}", asked.text);
        let theme = t.call(Method::GET, "/assets/theme-1f6feb-000000.css").send().await;
        assert!(theme.text.contains("color-scheme:dark") && theme.text.contains("--ground:#000000"));
        t.call(Method::GET, "/assets/theme-1f6feb-red.css").refused(404).await;
    })
    .await;
}
