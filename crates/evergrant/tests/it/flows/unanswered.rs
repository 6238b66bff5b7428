//! A provider that does not say whose a grant is.

use axum::http::{Method, StatusCode};
use evergrant::clock::ManualClock;
use serde_json::{Value, json};

use crate::support::{Answer, Manners, START, Scripted, Surroundings, TestApp, TestDatabase};

const CUSTOMER: &str = "acct-7";

/// The way through consent; the page at its end.
async fn consent(t: &TestApp) -> Answer {
    let path = "/api/v2/public/linked-account/integration/oauth-url/crash";
    let begun = t.get(path).header("linked_account_id", CUSTOMER).ok().await;
    let start = begun["auth_url"].as_str().unwrap();
    let start = start.strip_prefix("http://127.0.0.1:8080").unwrap();
    let opened = t.call(Method::GET, start).send().await;
    let header = |name: &str| opened.headers[name].to_str().unwrap().to_owned();
    let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
    let page: url::Url = header("location").parse().unwrap();
    let find = |wanted: &str| {
        page.query_pairs()
            .find(|(name, _)| name == wanted)
            .unwrap()
            .1
            .into_owned()
    };
    let mut back: url::Url = find("redirect_uri").parse().unwrap();
    back.query_pairs_mut()
        .append_pair("state", &find("state"))
        .append_pair("code", "a-code");
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    t.call(Method::GET, &path).header("cookie", &cookie).send().await
}

/// How the connection stands, as the application object shows it.
async fn account(t: &TestApp) -> Value {
    let path = "/api/v2/public/application/crash";
    let application = t.get(path).header("linked_account_id", CUSTOMER).ok().await;
    let all = application["connected_accounts"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{application}");
    all[0].clone()
}

async fn story(database: TestDatabase) {
    let provider = Scripted::start(Manners::Grace, "", 3600).await;
    let custom = tempfile::tempdir().unwrap();
    let [(_, file), _] = provider.catalog();
    let file = format!("{file}[oauth2.probe]\nurl = '/me'\n[oauth2.identity]\nfrom = 'probe'\nid = '/id'\n");
    std::fs::write(custom.path().join("crash.toml"), file).unwrap();
    let around = Surroundings {
        allow: vec![provider.address.clone()],
        custom: Some(custom.path().to_owned()),
        ..Surroundings::default()
    };
    let t = TestApp::start_in(database, ManualClock::at(START), around).await;
    t.link(CUSTOMER).await;
    let client = json!({ "client_id": "us", "client_secret": "s" });
    t.put("/api/v2/public/application/crash/oauth-client", &client)
        .ok()
        .await;

    provider.instead("/me", 503, "");
    assert_eq!(
        consent(&t).await.status,
        StatusCode::OK,
        "the grant stands all the same"
    );
    let first = account(&t).await;
    assert_eq!(
        (&first["status"], &first["identifier"]),
        (&json!("active"), &json!("NA"))
    );

    assert_eq!(consent(&t).await.status, StatusCode::OK);
    let known = account(&t).await;
    assert_eq!(
        (&known["connection_id"], &known["identifier"]),
        (&first["connection_id"], &json!("u-1"))
    );

    // From now on a grant of which nobody knows whose it is may not take its place.
    provider.instead("/me", 503, "");
    let page = consent(&t).await;
    assert_ne!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(account(&t).await, known);
    provider.instead("/me", 200, r#"{"id":"u-2"}"#);
    let page = consent(&t).await;
    assert_ne!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("u-1"), "the one that was expected is named");
    assert_eq!(account(&t).await, known);
}

#[tokio::test]
async fn a_grant_whose_account_nobody_tells_stands_and_the_next_consent_learns_it() {
    story(TestDatabase::sqlite()).await;
    story(TestDatabase::postgres().await).await;
}
