//! Another account than before, on the pages: the right one is named, nothing changes unseen, and a link allows no exception.

use axum::http::{Method, StatusCode};
use evergrant::sandbox::Cause;
use serde_json::json;

use crate::support::{Answer, BOB, CRM, CUSTOMER, Consent, SMS, Story, story};

const OWN: &str = "http://127.0.0.1:8080";
const PAGE: &str = "https://app.example";
const AS_BOB: Consent = Consent {
    account: BOB,
    ..Consent::YES
};

async fn policy(s: &Story, word: &str) {
    let path = "/api/v2/public/environment/policy";
    s.t.put(path, &json!({ "account_switch": word })).ok().await;
}

/// What follows a text, up to a quotation mark.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split('"').next().unwrap()
}

fn cookies(answer: &Answer) -> String {
    let lines = answer.headers.get_all("set-cookie").iter();
    let pairs = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

async fn post(s: &Story, path: &str, (cookie, body): (&str, String)) -> Answer {
    let call = s.t.call(Method::POST, path).header("cookie", cookie);
    call.raw(body).send().await
}

async fn decide(s: &Story, slug: &str, (cookie, token, decision): (&str, &str, &str)) -> Answer {
    let call = s.t.call(Method::POST, &format!("/api/v1/{slug}/account"));
    let call = call.header("cookie", cookie);
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    call.raw(format!("token={token}&decision={decision}")).send().await
}

/// Follows a link to a broken connection as somebody would who has got it by mail: the answer of its button, and the cookies.
async fn pressed(s: &Story, id: &str) -> (Answer, String) {
    let path = format!("/api/v2/public/connection/{id}/reauth-link");
    let made = s.t.post(&path, &json!({})).ok().await;
    let path = made["url"].as_str().unwrap().strip_prefix(OWN).unwrap().to_owned();
    let page = s.visit(&path, None).await;
    let csrf = after(&page.text, "name=\"csrf\" value=\"");
    let answer = post(s, &path, (&cookies(&page), format!("csrf={csrf}"))).await;
    let cookie = cookies(&answer);
    (answer, cookie)
}

#[tokio::test]
async fn a_forwarded_link_takes_no_other_account_even_where_the_policy_would_ask() {
    story(async |s| {
        policy(&s, "ask").await;
        let id = s.connect().await;
        s.act(&id, "expire").await;
        let before = s.connection(&id).await;
        let (onward, repair) = pressed(&s, &id).await;
        let start = after(&onward.text, "content=\"0;url=http://127.0.0.1:8080").to_owned();
        let opened = s.open(&start, Some(&repair)).await;
        let callback = s.provider.decide(&opened.authorize, AS_BOB).await;
        let cookie = format!("{}; {repair}", opened.cookie);
        let page = s.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
        let expected = before["identifier"]["name"].as_str().unwrap();
        assert!(
            page.text.contains(expected) && page.text.contains("href=\"/repair\""),
            "{}",
            page.text
        );
        assert!(!page.text.contains("name=\"decision\""), "{}", page.text);
        assert_eq!(s.connection(&id).await, before);

        // The same customer, signed in to the product, may decide: that page was no link that can be forwarded.
        let (callback, browser) = s.consent(AS_BOB).await;
        let page = s.visit(&callback, Some(&browser)).await;
        assert!(page.text.contains("name=\"decision\""), "{}", page.text);
    })
    .await;
}

#[tokio::test]
async fn a_forwarded_link_takes_no_other_accounts_key_either() {
    story(async |s| {
        policy(&s, "ask").await;
        let id = s.connect_key().await;
        let name = s.connection(&id).await["identifier"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        s.provider.strike(Cause::KeyExpired);
        s.act(&id, "check").await;
        let before = s.connection(&id).await;
        let (_, repair) = pressed(&s, &id).await;
        let form = s.visit("/repair", Some(&repair)).await;
        let csrf = after(&form.text, "name=\"csrf\" value=\"").to_owned();
        let bobs = s.provider.sandbox.create_key("team", Some(BOB)).unwrap();
        let body = format!("csrf={csrf}&f.api_key={}", bobs.value.expose());
        let page = post(&s, "/repair", (&repair, body)).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
        for said in ["This is another account", name.as_str(), "href=\"/repair\""] {
            assert!(page.text.contains(said), "{said}: {}", page.text);
        }
        assert!(!page.text.contains("name=\"decision\"") && !page.text.contains(bobs.value.expose()));
        assert_eq!(s.connection(&id).await, before);
        let mine = format!("csrf={csrf}&f.api_key={}", s.provider.key());
        assert_eq!(
            post(&s, "/repair", (&repair, "f.api_key=x".into())).await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(post(&s, "/repair", (&repair, mine)).await.status, StatusCode::OK);
        assert_eq!(s.connection(&id).await["status"], "active");
    })
    .await;
}

/// A customer with the hosted pages open, perhaps in a frame.
struct Hosted<'a> {
    s: &'a Story,
    framed: bool,
    cookie: String,
    csrf: String,
}

impl<'a> Hosted<'a> {
    async fn open(s: &'a Story, framed: bool) -> Self {
        let mut hosted = Self {
            s,
            framed,
            cookie: "x=1".to_owned(),
            csrf: String::new(),
        };
        let token = s.t.session(CUSTOMER).await;
        hosted.cookie = cookies(
            &hosted
                .send(Method::GET, &format!("/connect/{token}"), String::new())
                .await,
        );
        let form = format!("/connect/{SMS}?auth_type=keybased");
        let page = hosted.send(Method::GET, &form, String::new()).await;
        after(&page.text, "name=\"csrf\" value=\"").clone_into(&mut hosted.csrf);
        hosted
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Answer {
        let call = self.s.t.call(method, path).header("cookie", &self.cookie);
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        let call = if self.framed {
            call.header("sec-fetch-dest", "iframe")
        } else {
            call
        };
        let answer = call.raw(body).send().await;
        if let Some(policy) = answer.headers.get("content-security-policy") {
            let may = policy.to_str().unwrap().ends_with(PAGE);
            assert!(may || !self.framed, "the frame's page cannot be shown: {policy:?}");
        }
        answer
    }

    /// Types in a key of Bob's.
    async fn type_bobs(&self) -> Answer {
        let key = self.s.provider.sandbox.create_key("team", Some(BOB)).unwrap();
        let (csrf, key) = (&self.csrf, key.value.expose());
        let body = format!("csrf={csrf}&action=connect&auth_type=keybased&f.api_key={key}");
        let page = self.send(Method::POST, &format!("/connect/{SMS}"), body).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
        assert!(!page.text.contains(key));
        page
    }

    async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let set = page.headers["set-cookie"].to_str().unwrap();
        let partitioned = set.ends_with("; HttpOnly; SameSite=None; Secure; Partitioned");
        assert_eq!(partitioned, self.framed, "{set}");
        let before = std::mem::take(&mut self.cookie);
        self.cookie = format!("{before}; {}", cookies(page));
        let token = after(&page.text, "name=\"token\" value=\"");
        let body = format!("token={token}&decision={decision}");
        let answer = self.send(Method::POST, &format!("/api/v1/{SMS}/account"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        self.cookie = before;
        answer
    }
}

#[tokio::test]
async fn a_key_form_lets_the_customer_keep_or_replace_the_account_where_the_policy_asks_in_a_frame_too() {
    story(async |s| {
        let frames = json!({ "frame_origins": [PAGE] });
        s.t.put("/api/v2/public/environment/origins", &frames).ok().await;
        for framed in [false, true] {
            policy(&s, "refuse").await;
            let id = s.connect_key().await;
            let mut hosted = Hosted::open(&s, framed).await;
            let refused = hosted.type_bobs().await;
            assert!(!refused.text.contains("name=\"decision\""), "the policy refuses");
            policy(&s, "ask").await;
            let page = hosted.type_bobs().await;
            hosted.decide(&page, "keep").await;
            assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_alice");
            let page = hosted.type_bobs().await;
            let done = hosted.decide(&page, "replace").await;
            assert!(done.text.contains("href=\"/connect\""), "{}", done.text);
            assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_bob");
            s.disconnect(SMS, "").await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_that_asked_is_told_of_the_mismatch_as_soon_as_nothing_is_left_to_decide() {
    story(async |s| {
        s.connect().await;
        let lands = async || {
            let token = s.t.session(CUSTOMER).await;
            let call = s.t.by_session(Method::GET, &format!("/api/v1/{CRM}/integrate"), &token);
            let answer = call.header("origin", PAGE).ok().await;
            let start = answer["auth_url"].as_str().unwrap().strip_prefix(OWN).unwrap().to_owned();
            let opened = s.open(&start, None).await;
            let callback = s.provider.decide(&opened.authorize, AS_BOB).await;
            (s.visit(&callback, Some(&opened.cookie)).await, opened.cookie, answer["flow"].clone())
        };
        let (page, _, flow) = lands().await;
        let told = format!(
            "data-origin=\"{PAGE}\" data-flow=\"{}\" data-slug=\"{CRM}\" data-outcome=\"failed\" data-code=\"ACCOUNT_MISMATCH\"",
            flow.as_str().unwrap()
        );
        assert!(page.text.contains(&told) && !page.text.contains("data-after"), "{}", page.text);
        policy(&s, "ask").await;
        let (page, cookie, _) = lands().await;
        assert!(!page.text.contains("data-origin"), "it is not over: {}", page.text);
        let token = after(&page.text, "name=\"token\" value=\"").to_owned();
        let kept = decide(&s, CRM, (&cookie, &token, "keep")).await;
        assert!(kept.text.contains("data-outcome=\"denied\""), "{}", kept.text);
    })
    .await;
}

#[tokio::test]
async fn the_page_speaks_the_readers_language() {
    story(async |s| {
        s.connect().await;
        for (lang, title) in [
            ("de", "Das ist ein anderes Konto"),
            ("fr", "C’est un autre compte"),
            ("es", "Esta es otra cuenta"),
            ("ja", "別のアカウントです"),
        ] {
            let (callback, cookie) = s.consent(AS_BOB).await;
            let call = s.t.call(Method::GET, &callback).header("cookie", &cookie);
            let page = call.header("accept-language", lang).send().await;
            assert!(page.text.contains(title), "{}", page.text);
        }
    })
    .await;
}
