//! A reconnect is for the account that was connected before; another one is noticed before anything is swapped.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::authorize::LIFETIME;
use evergrant::connections::{self, Credential};
use evergrant::refresh::{self, Why};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, BOB, CRM, CUSTOMER, Consent, SMS, Story, story};

const HOUR: Duration = Duration::from_hours(1);
const AS_BOB: Consent = Consent {
    account: BOB,
    ..Consent::YES
};

async fn policy(s: &Story, word: &str) {
    let path = "/api/v2/public/environment/policy";
    s.t.put(path, &json!({ "account_switch": word })).ok().await;
    assert_eq!(s.t.get(path).ok().await, json!({ "account_switch": word }));
}

async fn credential(s: &Story, id: &str) -> Credential {
    let connection = s.find(id).await;
    connections::open_credential(&s.t.app, s.tenant(), &connection)
        .await
        .unwrap()
}

async fn access_token(s: &Story, id: &str) -> String {
    match credential(s, id).await {
        Credential::OAuth2(tokens) => tokens.access_token.expose().to_owned(),
        Credential::Keys(_) => panic!("a key"),
    }
}

/// A consent that ends on the page which says that this is another account; the page, and the browser's cookie.
async fn lands_on_bob(s: &Story) -> (Answer, String) {
    let (callback, cookie) = s.consent(AS_BOB).await;
    let page = s.visit(&callback, Some(&cookie)).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
    (page, cookie)
}

fn token(page: &Answer) -> String {
    let rest = page.text.split("name=\"token\" value=\"").nth(1).expect("a decision");
    rest.split('"').next().unwrap().to_owned()
}

async fn decide(s: &Story, (slug, token, decision): (&str, &str, &str), cookie: Option<&str>) -> Answer {
    let call = s.t.call(Method::POST, &format!("/api/v1/{slug}/account"));
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    let call = match cookie {
        Some(cookie) => call.header("cookie", cookie),
        None => call,
    };
    call.raw(format!("token={token}&decision={decision}")).send().await
}

#[tokio::test]
async fn another_account_stops_before_the_swap_and_says_which_one_was_expected() {
    story(async |s| {
        let id = s.connect().await;
        let before = (s.connection(&id).await, access_token(&s, &id).await);
        let (page, cookie) = lands_on_bob(&s).await;
        let expected = before.0["identifier"]["name"].as_str().unwrap();
        assert!(page.text.contains(expected), "{}", page.text);
        assert!(!page.text.contains("name=\"token\""), "the policy does not ask");
        assert_eq!((s.connection(&id).await, access_token(&s, &id).await), before);
        assert_eq!(
            s.provider.grants(),
            ["living", "living"],
            "another connection may live on the same consent"
        );
        assert_eq!(
            decide(&s, (CRM, "guessed", "replace"), Some(&cookie)).await.status,
            StatusCode::BAD_REQUEST
        );
        // Back with the right account all is well.
        assert_eq!(s.connect().await, id);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn where_the_policy_asks_a_customer_replaces_the_account_knowingly_once_and_in_one_browser() {
    story(async |s| {
        policy(&s, "ask").await;
        let id = s.connect().await;
        s.act(&id, "expire").await;
        let (page, cookie) = lands_on_bob(&s).await;
        let token = token(&page);
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
        let another = s.open(&s.integrate().await, None).await.cookie;
        for (slug, token, cookie) in [
            (CRM, token.as_str(), None),
            (CRM, &token, Some(another.as_str())),
            (CRM, "guessed", Some(&cookie)),
            (SMS, &token, Some(&cookie)),
        ] {
            let answer = decide(&s, (slug, token, "replace"), cookie).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        }
        assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_alice");
        let done = decide(&s, (CRM, &token, "replace"), Some(&cookie)).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
        s.assert_healthy(CRM).await;
        assert_eq!(s.id_of(CRM).await, id);
        assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_bob");
        let again = decide(&s, (CRM, &token, "replace"), Some(&cookie)).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST);
        // It lives on as any other does.
        s.live(3, HOUR).await;
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn keeping_the_old_account_and_waiting_too_long_change_nothing() {
    story(async |s| {
        policy(&s, "ask").await;
        let id = s.connect().await;
        let before = access_token(&s, &id).await;
        let (page, cookie) = lands_on_bob(&s).await;
        let kept = decide(&s, (CRM, &token(&page), "keep"), Some(&cookie)).await;
        assert_eq!(kept.status, StatusCode::OK);
        let late = decide(&s, (CRM, &token(&page), "replace"), Some(&cookie)).await;
        assert_eq!(late.status, StatusCode::BAD_REQUEST);

        let (page, cookie) = lands_on_bob(&s).await;
        s.pass(LIFETIME);
        let late = decide(&s, (CRM, &token(&page), "replace"), Some(&cookie)).await;
        assert_eq!(late.status, StatusCode::BAD_REQUEST);
        assert_eq!(access_token(&s, &id).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_newer_consent_a_disconnect_and_a_stricter_policy_make_the_decision_void() {
    story(async |s| {
        policy(&s, "ask").await;
        let id = s.connect().await;
        let (page, cookie) = lands_on_bob(&s).await;
        s.pass(Duration::from_secs(1));
        s.connect().await;
        let answer = decide(&s, (CRM, &token(&page), "replace"), Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);

        let (page, cookie) = lands_on_bob(&s).await;
        policy(&s, "refuse").await;
        let answer = decide(&s, (CRM, &token(&page), "replace"), Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_alice");

        policy(&s, "ask").await;
        let (page, cookie) = lands_on_bob(&s).await;
        s.disconnect(CRM, "").await;
        let answer = decide(&s, (CRM, &token(&page), "replace"), Some(&cookie)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        s.assert_never_connected(CRM).await;
        // A connection that has ended expects nobody.
        s.connect_with(AS_BOB).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_account_is_refused_unless_the_policy_asks_and_the_caller_means_it() {
    story(async |s| {
        let id = s.connect_key().await;
        let before = s.connection(&id).await;
        let bobs = s.provider.sandbox.create_key("team", Some(BOB)).unwrap();
        let key = json!({ "api_key": bobs.value.expose() });
        let path = format!("/api/v2/public/linked-account/integration/save-key-credentials/{SMS}");
        let knowingly = format!("{path}?switch_account=true");
        for path in [&path, &knowingly] {
            let answer = s.t.put(path, &key).header("linked_account_id", CUSTOMER).send().await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
            assert!(answer.text.contains("ACCOUNT_MISMATCH"), "{}", answer.text);
        }
        assert!(s.save(&key).await.text.contains("ACCOUNT_MISMATCH"));
        assert_eq!(s.connection(&id).await, before);
        policy(&s, "ask").await;
        let answer = s.t.put(&path, &key).header("linked_account_id", CUSTOMER).send().await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        s.t.put(&knowingly, &key)
            .header("linked_account_id", CUSTOMER)
            .ok()
            .await;
        assert_eq!(s.connection(&id).await["identifier"]["id"], "acc_bob");
        assert_eq!(s.id_of(SMS).await, id);
    })
    .await;
}

#[tokio::test]
async fn of_two_consents_at_once_the_last_completed_wins() {
    story(async |s| {
        let id = s.connect().await;
        let (first, first_cookie) = s.consent(Consent::YES).await;
        let (second, second_cookie) = s.consent(Consent::YES).await;
        let held = s.provider.hold_exchanges();
        let late = async { s.visit(&first, Some(&first_cookie)).await };
        let early = async {
            held.arrived().await;
            held.no_more();
            let page = s.visit(&second, Some(&second_cookie)).await;
            let token = access_token(&s, &id).await;
            held.release();
            (page, token)
        };
        let (late, (early, token)) = tokio::join!(late, early);
        assert_eq!((late.status, early.status), (StatusCode::OK, StatusCode::OK));
        assert_ne!(access_token(&s, &id).await, token, "the one that completed last");
        assert_eq!(s.id_of(CRM).await, id);
        assert_eq!(s.act(&id, "check").await["connection"]["status"], "active");
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_that_ends_while_a_code_is_exchanged_does_not_outlive_the_reconnect() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        let (callback, cookie) = s.consent(Consent::YES).await;
        let held = s.provider.hold_exchanges();
        let reconnect = async { s.visit(&callback, Some(&cookie)).await };
        let between = async {
            held.arrived().await;
            let mut refreshed = JoinSet::new();
            let (app, tenant, id) = (s.t.app.clone(), s.tenant().clone(), id.parse().unwrap());
            refreshed.spawn(async move { refresh::renew(&app, &tenant, &id, Why::Due).await.unwrap() });
            let done = refreshed.join_next().await.unwrap().unwrap();
            assert_eq!(done.did, refresh::Did::Renewed);
            let token = access_token(&s, done.connection.id.as_str()).await;
            held.release();
            token
        };
        let (page, refreshed) = tokio::join!(reconnect, between);
        assert_eq!(page.status, StatusCode::OK);
        assert_ne!(access_token(&s, &id).await, refreshed);
        s.live(3, HOUR).await;
        s.assert_healthy(CRM).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}
