//! Connecting for the first time, and everything that must not connect.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::authorize::LIFETIME;
use evergrant::sandbox::{Cause, Weather};
use serde_json::json;

use crate::support::{CRM, CUSTOMER, Consent, SMS, Story, story};

const MILLI: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);
const GONE: &str = "This link is no longer valid";

/// Visits a callback, or a start page, that must lead nowhere.
async fn assert_refused(s: &Story, path: &str, cookie: Option<&str>) {
    let page = s.visit(path, cookie).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}: {}", page.text);
    assert!(page.text.contains(GONE), "{}", page.text);
}

/// The callback with another value of one parameter.
fn with(callback: &str, name: &str, value: &str) -> String {
    let (path, query) = callback.split_once('?').unwrap();
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (known, old) in url::form_urlencoded::parse(query.as_bytes()) {
        let new = if known == name { value } else { &old };
        out.append_pair(&known, new);
    }
    format!("{path}?{}", out.finish())
}

#[tokio::test]
async fn a_first_connect_turns_the_application_connected_and_tells_the_team_once() {
    story(async |s| {
        s.assert_never_connected(CRM).await;
        let path = s.integrate().await;
        s.assert_never_connected(CRM).await;
        let opened = s.open(&path, None).await;
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        s.assert_never_connected(CRM).await;
        assert!(s.events().await.is_empty());

        s.pass(MINUTE.saturating_sub(MILLI));
        let page = s.visit(&callback, Some(&opened.cookie)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("Sandbox CRM is connected"), "{}", page.text);
        assert_eq!(page.headers["cache-control"], "no-store");
        s.assert_healthy(CRM).await;
        let application = s.application(CRM).await;
        let id = s.id_of(CRM).await;
        assert_eq!(
            application["connected_accounts"],
            json!([{
                "identifier": { "id": "acc_alice", "name": "Alice Archer" },
                "connectedAt": s.t.clock_text(), "auth_type": "oauth2", "status": "active", "connection_id": id,
                "expires_soon": false, "expected_end_basis": "unknown",
            }])
        );
        let connection = s.connection(&id).await;
        assert_eq!(connection["status"], "active");
        assert_eq!(connection["linked_account_id"], CUSTOMER);
        assert_eq!(connection["has_refresh_token"], true);
        s.assert_never_connected(SMS).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn the_server_side_auth_url_leads_the_same_way() {
    story(async |s| {
        let path = format!("/api/v2/public/linked-account/integration/oauth-url/{CRM}");
        let answer = s.t.get(&path).header("linked_account_id", CUSTOMER).ok().await;
        let url = answer["auth_url"].as_str().unwrap();
        let opened = s.open(url.strip_prefix("http://127.0.0.1:8080").unwrap(), None).await;
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        let page = s.visit(&callback, Some(&opened.cookie)).await;
        assert_eq!(page.status, StatusCode::OK);
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_denied_consent_changes_nothing() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::NO).await;
        let page = s.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("was not connected"), "{}", page.text);
        s.assert_never_connected(CRM).await;

        let id = s.connect().await;
        let before = s.connection(&id).await;
        let (callback, cookie) = s.consent(Consent::NO).await;
        s.visit(&callback, Some(&cookie)).await;
        assert_eq!(s.connection(&id).await, before);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

/// The callback of a refusal, with this error.
fn refusal(callback: &str, error: &str) -> String {
    let described = format!("{}&error_description=Words+of+the+provider", with(callback, "code", ""));
    format!(
        "{described}&error={}",
        url::form_urlencoded::byte_serialize(error.as_bytes()).collect::<String>()
    )
}

#[tokio::test]
async fn an_error_at_the_callback_tells_the_customer_whose_turn_it_is() {
    let no = (StatusCode::OK, "Sandbox CRM was not connected");
    let later = (StatusCode::BAD_GATEWAY, "Sandbox CRM had a problem");
    let team = (StatusCode::BAD_GATEWAY, "Please tell the team that sent you here");
    story(async |s| {
        for (error, (status, words)) in [
            ("access_denied", no),
            ("consent_required", no),
            ("interaction_required", no),
            ("login_required", no),
            ("server_error", later),
            ("temporarily_unavailable", later),
            ("invalid_client", team),
            ("unauthorized_client", team),
            ("invalid_scope", team),
            ("invalid_request", team),
            ("unsupported_response_type", team),
            ("<b>anything else</b>", team),
        ] {
            let (callback, cookie) = s.consent(Consent::YES).await;
            let page = s.visit(&refusal(&callback, error), Some(&cookie)).await;
            assert_eq!(page.status, status, "{error}: {}", page.text);
            assert!(page.text.contains(words), "{error}: {}", page.text);
            for theirs in ["Words of the provider", "anything else", error] {
                assert!(!page.text.contains(theirs), "{error}: {}", page.text);
            }
        }
        s.assert_never_connected(CRM).await;
        assert!(s.events().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_grants_and_then_fails_changes_nothing() {
    story(async |s| {
        let fair = Weather::default();
        for weather in [
            Weather { down: true, ..fair },
            Weather { throttle: true, ..fair },
            Weather { garbage: true, ..fair },
            Weather {
                lose_replies: 1,
                ..fair
            },
        ] {
            let (callback, cookie) = s.consent(Consent::YES).await;
            s.provider.weather(weather);
            let page = s.visit(&callback, Some(&cookie)).await;
            s.provider.fair();
            assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.text);
            assert!(page.text.contains("did not answer as expected"), "{}", page.text);
            // Whoever reloads the page does not get further.
            assert_refused(&s, &callback, Some(&cookie)).await;
        }
        let (callback, cookie) = s.consent(Consent::YES).await;
        s.provider.strike(Cause::ClientSecretChanged);
        let page = s.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.text);
        s.assert_never_connected(CRM).await;
        assert!(s.events().await.is_empty());
        s.provider.repair(Cause::ClientSecretChanged);
        s.connect().await;
    })
    .await;
}

#[tokio::test]
async fn a_replayed_callback_is_refused_and_the_connection_stays() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        s.visit(&callback, Some(&cookie)).await;
        let exchanged = s.provider.count("/oauth/token authorization_code");
        assert_refused(&s, &callback, Some(&cookie)).await;
        // The code is not tried again: a careful provider would end the grant for that.
        assert_eq!(s.provider.count("/oauth/token authorization_code"), exchanged);
        assert_eq!(s.provider.grants(), ["living"]);
        s.assert_healthy(CRM).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn two_callbacks_at_once_connect_once() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        let (one, two) = tokio::join!(s.visit(&callback, Some(&cookie)), s.visit(&callback, Some(&cookie)));
        let mut both = [one.status.as_u16(), two.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [200, 400]);
        s.assert_healthy(CRM).await;
        assert_eq!(s.provider.grants(), ["living"]);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_forged_or_malformed_callback_is_refused_and_takes_nothing() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        let path = format!("/api/v1/{CRM}/callback");
        let long = "x".repeat(600);
        let unknown = callback.replace(CRM, "nothing-at-all");
        for forged in [
            with(&callback, "state", "forged"),
            with(&callback, "state", &long),
            with(&callback, "state", ""),
            format!("{callback}&state=twice"),
            format!("{path}?code=c"),
            path.clone(),
            callback.replace(CRM, "slack"),
            callback.replace(CRM, SMS),
            unknown,
        ] {
            assert_refused(&s, &forged, Some(&cookie)).await;
        }
        s.assert_never_connected(CRM).await;
        assert_eq!(s.provider.count("/oauth/token authorization_code"), 0);
        assert_eq!(s.visit(&callback, Some(&cookie)).await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn another_browsers_callback_is_refused_and_the_right_one_still_works() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        let (_, other) = s.consent(Consent::YES).await;
        assert_ne!(cookie, other);
        assert_refused(&s, &callback, None).await;
        assert_refused(&s, &callback, Some(&other)).await;
        assert_refused(&s, &callback, Some("evergrant_browser=short")).await;
        s.assert_never_connected(CRM).await;
        assert_eq!(s.visit(&callback, Some(&cookie)).await.status, StatusCode::OK);
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_callback_of_another_issuer_is_refused() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        assert_refused(&s, &with(&callback, "iss", "https://evil.example"), Some(&cookie)).await;
        s.assert_never_connected(CRM).await;
        assert_eq!(s.provider.count("/oauth/token authorization_code"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_callback_is_good_for_ten_minutes_and_not_a_millisecond_longer() {
    story(async |s| {
        // The provider's code lives for a minute: the customer hesitates on the provider's page instead.
        let opened = s.open(&s.integrate().await, None).await;
        s.pass(LIFETIME.saturating_sub(MILLI));
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        assert_eq!(s.visit(&callback, Some(&opened.cookie)).await.status, StatusCode::OK);

        let before = s.connection(&s.id_of(CRM).await).await;
        let opened = s.open(&s.integrate().await, None).await;
        s.pass(LIFETIME.saturating_sub(MILLI));
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        s.pass(MILLI);
        assert_refused(&s, &callback, Some(&opened.cookie)).await;
        assert_eq!(s.connection(&s.id_of(CRM).await).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_start_link_works_once_and_for_ten_minutes() {
    story(async |s| {
        let path = s.integrate().await;
        assert_refused(&s, &path.replace(CRM, "slack"), None).await;
        s.pass(LIFETIME.saturating_sub(MILLI));
        let opened = s.open(&path, None).await;
        assert_refused(&s, &path, Some(&opened.cookie)).await;
        assert_refused(&s, &path, None).await;

        let path = s.integrate().await;
        s.pass(LIFETIME);
        assert_refused(&s, &path, None).await;
        assert_refused(&s, &format!("/api/v1/{CRM}/start/unknown"), None).await;
        s.assert_never_connected(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn two_tabs_of_one_browser_do_not_end_each_other() {
    story(async |s| {
        let first = s.open(&s.integrate().await, None).await;
        let second = s.open(&s.integrate().await, Some(&first.cookie)).await;
        assert_eq!(first.cookie, second.cookie);
        let callback = s.provider.decide(&second.authorize, Consent::YES).await;
        assert_eq!(s.visit(&callback, Some(&second.cookie)).await.status, StatusCode::OK);
        let id = s.id_of(CRM).await;
        let before = s.find(&id).await.version;
        let callback = s.provider.decide(&first.authorize, Consent::YES).await;
        assert_eq!(s.visit(&callback, Some(&first.cookie)).await.status, StatusCode::OK);
        assert_eq!(s.id_of(CRM).await, id);
        assert_eq!(s.find(&id).await.version, before + 1);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn a_consent_never_ends_up_with_another_tenants_customer() {
    story(async |s| {
        // The stranger has a customer of the same name and a client of the same id.
        let key = s.t.stranger().await;
        let by = |method: Method, path: &str| s.t.call(method, path).header("x-api-key", &key);
        let account = json!({ "linked_account_id": CUSTOMER });
        by(Method::POST, "/api/v2/public/linked-account")
            .json(&account)
            .ok()
            .await;
        let path = format!("/api/v2/public/linked-account/integration/oauth-url/{CRM}");
        let theirs = async || by(Method::GET, &path).header("linked_account_id", CUSTOMER);
        let message = theirs().await.refused(400).await;
        assert!(message.contains("no OAuth client is set"), "{message}");
        let client = json!({ "client_id": crate::support::CLIENT, "client_secret": crate::support::CLIENT_SECRET });
        by(Method::PUT, &format!("/api/v2/public/application/{CRM}/oauth-client"))
            .json(&client)
            .ok()
            .await;
        let url = theirs().await.ok().await["auth_url"].as_str().unwrap().to_owned();
        let opened = s.open(url.strip_prefix("http://127.0.0.1:8080").unwrap(), None).await;
        let callback = s.provider.decide(&opened.authorize, Consent::YES).await;
        assert_eq!(s.visit(&callback, Some(&opened.cookie)).await.status, StatusCode::OK);

        s.assert_never_connected(CRM).await;
        let their_application = by(Method::GET, &format!("/api/v2/public/application/{CRM}"))
            .header("linked_account_id", CUSTOMER)
            .ok()
            .await;
        let id = their_application["connected_accounts"][0]["connection_id"]
            .as_str()
            .unwrap();
        for verb in ["check", "refresh", "expire"] {
            let path = format!("/api/v2/public/connection/{id}/{verb}");
            s.t.post(&path, &json!({})).refused(404).await;
        }
        s.t.get(&format!("/api/v2/public/connection/{id}")).refused(404).await;
        s.disconnect(CRM, "").await;
        assert_eq!(s.provider.grants(), ["living"]);
        assert!(s.events().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_connected_by_oauth_says_so() {
    story(async |s| {
        let token = s.t.session(CUSTOMER).await;
        let ask = |slug: &str| {
            s.t.by_session(Method::GET, &format!("/api/v1/{slug}/integrate"), &token)
        };
        assert!(ask(SMS).refused(400).await.contains("save its key instead"));
        assert!(ask("slack").refused(400).await.contains("no OAuth client is set"));
        ask("undefined").refused(404).await;
        ask("nothing-at-all").refused(404).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_changes_during_consent_does_not_get_the_others_code() {
    story(async |s| {
        let (callback, cookie) = s.consent(Consent::YES).await;
        s.set_client("another-client", "its secret").await;
        assert_refused(&s, &callback, Some(&cookie)).await;
        assert_eq!(s.provider.count("/oauth/token authorization_code"), 0);
        s.assert_never_connected(CRM).await;
    })
    .await;
}
