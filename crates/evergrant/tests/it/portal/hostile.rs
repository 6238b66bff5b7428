//! What hostile texts, tenants and sites can do to the pages: nothing.

use axum::http::{Method, StatusCode};
use evergrant::ids::TenantId;
use evergrant::tenants::{self, Environment};
use serde_json::json;

use crate::support::{Answer, CUSTOMER, SMS, Story, TestApp, on_both, story};

const OWN: &str = "https://app.example";
const EVIL: &str = "https://evil.example";
const MARKUP: &str = "\"><img src=x onerror=alert(1)><script>'`{{7*7}}</script>";

/// The environment of another tenant of this server, who lets its own site frame its pages.
async fn evil_environment(t: &TestApp) -> TenantId {
    tenants::create_organisation(&t.app, "evil").await.unwrap();
    let mut tx = t.app.db.begin().await.unwrap();
    let found = tenants::store::find_environment(&mut tx, "evil", Environment::Test).await;
    let id = found.unwrap().unwrap().tenant.id;
    tenants::store::set_origins(&mut tx, &id, &[], &[EVIL.to_owned()])
        .await
        .unwrap();
    let own = [OWN.to_owned()];
    tenants::store::set_origins(&mut tx, &t.environment.tenant.id, &own, &own)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

fn policy(answer: &Answer) -> &str {
    answer.headers["content-security-policy"].to_str().unwrap()
}

fn csrf(page: &Answer) -> &str {
    let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn only_pages_that_say_nothing_of_anybody_are_shown_to_the_origins_of_an_environment_in_the_address() {
    on_both(async |t| {
        let evil = evil_environment(&t).await;
        t.link("a").await;
        let cookie = format!("evergrant_session={}", t.session("a").await);
        let framed = async |method: Method, path: &str, body: String| {
            let call = t.call(method, &format!("{path}?in={evil}")).header("cookie", &cookie);
            call.header("sec-fetch-dest", "iframe").raw(body).send().await
        };
        let form = framed(Method::GET, "/connect/copper", String::new()).await;
        assert!(
            policy(&form).ends_with(&format!("frame-ancestors {OWN}")),
            "{}",
            policy(&form)
        );
        let body = format!(
            "csrf={}&action=connect&auth_type=keybased&f.email=me%40home",
            csrf(&form)
        );
        let again = framed(Method::POST, "/connect/copper", body).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST);
        assert!(again.text.contains("me@home"), "{}", again.text);
        assert!(
            !policy(&again).contains(EVIL),
            "what somebody typed in: {}",
            policy(&again)
        );
        let missing = framed(Method::GET, "/connect/nothing-of-that-name", String::new()).await;
        assert!(policy(&missing).ends_with(EVIL), "{}", policy(&missing));
        assert!(
            !missing.text.contains(OWN) && !missing.text.contains("default"),
            "{}",
            missing.text
        );
        // Outside of a frame nobody asks.
        let path = format!("/connect/nothing-of-that-name?in={evil}");
        let alone = t.call(Method::GET, &path).header("cookie", &cookie).send().await;
        assert!(policy(&alone).ends_with("'none'"), "{}", policy(&alone));
        for header in ["access-control-allow-credentials", "cross-origin-opener-policy"] {
            assert!(!form.headers.contains_key(header), "{header}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_of_teams_accounts_and_customers_stay_text() {
    on_both(async |t| {
        evil_environment(&t).await;
        let customer = json!({ "linked_account_id": "a", "name": MARKUP });
        t.post("/api/v2/public/linked-account", &customer).ok().await;
        let token = t.session("a").await;
        let properties = json!({ "name": MARKUP, "redirect_url": "https:app.example/\"><script>" });
        t.by_session(Method::POST, "/api/v2/public/connect-url", &token)
            .json(&properties)
            .ok()
            .await;
        let get = async |path: &str| {
            let cookie = format!("evergrant_session={token}");
            t.call(Method::GET, path).header("cookie", &cookie).send().await
        };
        for path in [
            "/connect",
            "/connect/copper",
            "/connect?q=%22%3E%3Cscript%3E&category=%3Cb%3E",
        ] {
            let page = get(path).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.text.contains("&#34;&#62;&#60;img src=x"), "{}", page.text);
            for raw in ["<img src=x", "<script>", "<b>", "49</"] {
                assert!(!page.text.contains(raw), "{raw} in {}", page.text);
            }
            // The address that was checked, not one that a browser would read as a path of ours.
            let back = "href=\"https://app.example/%22%3E%3Cscript%3E\"";
            assert!(page.text.contains(back), "{}", page.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_language_a_cookie_or_a_notice_injects_no_header_and_no_text() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let cookie = format!("evergrant_session={token}; evergrant_lang=fr%0d%0aset-cookie:a=b; evergrant_in=x'y");
        for query in [
            "?lang=de%0d%0aSet-Cookie:%20a=b",
            "?lang=de-%0d%0aX:y",
            "?lang=%3Cscript%3E",
            "?done=%3Cscript%3E&auth_type=%3Cscript%3E",
            "?in=%0d%0aX:y",
        ] {
            let call = t
                .call(Method::GET, &format!("/connect/copper{query}"))
                .header("cookie", &cookie);
            let page = call.header("accept-language", "\u{e9}<script>,de;q=9e999").send().await;
            assert_eq!(page.status, StatusCode::OK, "{query}");
            assert!(
                !page.headers.contains_key("x") && !page.text.contains("<script>"),
                "{query}"
            );
            for set in page.headers.get_all("set-cookie") {
                let set = set.to_str().unwrap();
                assert!(set.starts_with("evergrant_lang=de; Path=/; "), "{set}");
            }
        }
    })
    .await;
}

/// A link to a broken connection with a key, pressed: the page, its path, and the cookie of its button.
async fn repair(s: &Story) -> (Answer, String, String) {
    let id = s.connect_key().await;
    s.act(&id, "expire").await;
    let path = format!("/api/v2/public/connection/{id}/reauth-link");
    let made = s.t.post(&path, &json!({})).ok().await;
    let url = made["url"].as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
    let page = s.visit(&path, None).await;
    let visit = page.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let call = s.t.call(Method::POST, &path).header("cookie", visit);
    let pressed = call.raw(format!("csrf={}", csrf(&page))).send().await;
    let cookie = pressed.headers["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    (page, path, cookie)
}

#[tokio::test]
async fn links_and_what_they_open_are_never_framed_kept_or_told_to_others() {
    story(async |s| {
        let origins = json!({ "frame_origins": [OWN] });
        s.t.put("/api/v2/public/environment/origins", &origins).ok().await;
        let (page, path, cookie) = repair(&s).await;
        let form = s.visit("/repair", Some(&cookie)).await;
        let call = s.t.call(Method::GET, &path).header("sec-fetch-dest", "iframe");
        let framed = call.send().await;
        for answer in [&page, &form, &framed] {
            assert!(policy(answer).ends_with("frame-ancestors 'none'"), "{}", policy(answer));
            assert_eq!(answer.headers["cache-control"], "no-store");
            assert_eq!(answer.headers["referrer-policy"], "no-referrer");
            assert!(!answer.text.contains("rl_"), "{}", answer.text);
        }
        // Neither form can be sent by another site, nor with another link's or session's token.
        let hosted = format!("evergrant_session={}", s.t.session(CUSTOMER).await);
        let theirs = s.visit(&format!("/connect/{SMS}"), Some(&hosted)).await;
        for (path, cookie, token) in [
            (path.as_str(), cookie.as_str(), csrf(&form)),
            ("/repair", &cookie, csrf(&theirs)),
            ("/repair", &cookie, csrf(&page)),
            ("/repair", "x=1", csrf(&form)),
        ] {
            let call = s.t.call(Method::POST, path).header("cookie", cookie);
            let sent = call
                .raw(format!("csrf={token}&f.api_key={}", s.provider.key()))
                .send()
                .await;
            assert!(sent.status.is_client_error(), "{path}: {}", sent.status);
        }
        assert_eq!(s.connection(&s.id_of(SMS).await).await["status"], "reauth_required");
    })
    .await;
}

#[tokio::test]
async fn what_is_the_same_for_all_is_kept_and_everything_else_is_not() {
    on_both(async |t| {
        t.link("a").await;
        let token = t.session("a").await;
        let cookie = format!("evergrant_session={token}");
        for path in [
            &format!("/connect/{token}"),
            "/connect",
            "/connect/copper",
            "/connect/nothing",
            "/connect/copper/state",
            "/repair",
            "/reauth/rl_x",
            "/api/v1/slack/callback?code=a&state=b",
            "/api/v1/slack/start/x",
        ] {
            let answer = t.call(Method::GET, path).header("cookie", &cookie).send().await;
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
            assert!(!answer.text.contains(&token), "{path}");
            if path != "/connect/copper/state" {
                assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
            }
        }
        let icon = t.call(Method::GET, "/icons/slack.svg").send().await;
        assert!(icon.headers["cache-control"].to_str().unwrap().starts_with("public"));
    })
    .await;
}
