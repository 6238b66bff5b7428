//! What a visitor does with an application: the form, connecting, disconnecting.

use axum::http::{Method, StatusCode};
use evergrant::authorize;
use evergrant::catalog::AuthType;
use evergrant::clock::ManualClock;
use evergrant::connections::{self, Fresh, Given};
use evergrant::secret::Secret;
use serde_json::json;

use crate::support::{Answer, START, Surroundings, TestApp, TestDatabase, on_both};

/// A browser with the pages open.
struct Browser<'a> {
    t: &'a TestApp,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    async fn open(t: &'a TestApp, account: &str) -> Self {
        t.link(account).await;
        let cookie = format!("evergrant_session={}", t.session(account).await);
        let mut browser = Self {
            t,
            cookie,
            csrf: String::new(),
        };
        let list = browser.get("/connect/copper").await;
        let (_, rest) = list.text.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().clone_into(&mut browser.csrf);
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        self.t
            .call(Method::GET, path)
            .header("cookie", &self.cookie)
            .send()
            .await
    }

    /// The same, sent by the page's script.
    async fn script(&self, slug: &str, fields: &str) -> Answer {
        let body = format!("csrf={}&{fields}", self.csrf);
        let call = self.t.call(Method::POST, &format!("/connect/{slug}"));
        let call = call.header("cookie", &self.cookie).header("accept", "application/json");
        call.raw(body).send().await
    }

    async fn post(&self, slug: &str, fields: &str) -> Answer {
        let body = format!("csrf={}&{fields}", self.csrf);
        let call = self
            .t
            .call(Method::POST, &format!("/connect/{slug}"))
            .header("cookie", &self.cookie);
        call.raw(body).send().await
    }
}

/// Connects an application as if the provider had accepted the key.
async fn connected(t: &TestApp, account: &str, slug: &str) {
    let tenant = &t.environment.tenant;
    let account = evergrant::accounts::find(&t.app, tenant, account).await.unwrap();
    let values = [("api_token".to_owned(), Secret::from("s3cret".to_owned()))].into();
    let given = Given {
        account: &account,
        application: t.app.catalog.get(slug).unwrap(),
        auth_type: AuthType::Keybased,
        fresh: Fresh::keys(values, t.app.now()),
        identifier: None,
        proved: true,
        switch: evergrant::connections::Switch::Refused,
    };
    let mut tx = t.app.db.begin().await.unwrap();
    connections::activate(&t.app, &mut tx, tenant, given).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_list_shows_every_application_and_how_the_account_stands_with_it() {
    on_both(async |t| {
        let browser = Browser::open(&t, "a").await;
        let list = browser.get("/connect").await;
        for application in t.app.catalog.all() {
            assert!(
                list.text.contains(&format!("id=\"{}\"", application.slug)),
                "{}",
                application.slug
            );
        }
        let none = browser.get("/connect?q=nothing-of-that-name").await;
        assert!(none.text.contains("No application matches"));
        let before = browser.get("/connect/copper?done=connected").await;
        assert!(
            !before.text.contains("Copper is connected."),
            "an address can claim anything"
        );
        connected(&t, "a", "copper").await;
        let after = browser.get("/connect/copper?done=connected").await;
        assert!(after.text.contains("Copper is connected.") && after.text.contains("Yes, disconnect Copper"));
        assert!(!after.text.contains("s3cret"));
        let unproved = browser.get("/connect/copper?done=unverified").await;
        assert!(unproved.text.contains("so it is stored unchecked"), "{}", unproved.text);
        assert!(
            browser
                .get("/connect")
                .await
                .text
                .contains("card connected\" id=\"copper\"")
        );
        let other = Browser::open(&t, "b").await;
        assert!(!other.get("/connect/copper").await.text.contains("Yes, disconnect"));
    })
    .await;
}

#[tokio::test]
async fn an_expired_connection_says_why_and_offers_to_reconnect() {
    on_both(async |t| {
        let browser = Browser::open(&t, "a").await;
        connected(&t, "a", "copper").await;
        let tenant = &t.environment.tenant;
        let account = evergrant::accounts::find(&t.app, tenant, "a").await.unwrap();
        let mut conn = t.app.db.read().await.unwrap();
        let live = connections::store::of_account(&mut conn, &tenant.id, &account.id)
            .await
            .unwrap();
        drop(conn);
        connections::expire(&t.app, tenant, &live[0].id).await.unwrap();
        let list = browser.get("/connect").await;
        assert!(
            list.text.contains("card expired") && list.text.contains("Access was withdrawn in Copper."),
            "{}",
            list.text
        );
        assert!(list.text.contains("Since 2 January 2024."));
        let form = browser.get("/connect/copper").await;
        assert!(form.text.contains("What happened") && form.text.contains("Since 2 January 2024."));
    })
    .await;
}

#[tokio::test]
async fn a_form_asks_for_what_the_application_needs_and_keeps_what_is_no_secret() {
    on_both(async |t| {
        let browser = Browser::open(&t, "a").await;
        let form = browser.get("/connect/copper?auth_type=keybased").await;
        assert_eq!(form.status, StatusCode::OK);
        for part in ["API Key", "Email Address", "name=\"f.api_token\"", "name=\"f.email\""] {
            assert!(form.text.contains(part), "{part}");
        }
        let sent = "action=connect&auth_type=keybased&f.email=%3Cu%40x.y%3E&f.other=x";
        let again = browser.post("copper", sent).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST);
        assert!(again.text.contains("Please check the marked fields."), "{}", again.text);
        assert!(again.text.contains("aria-invalid=\"true\"") && again.text.contains("Please fill this in."));
        assert!(again.text.contains("value=\"&#60;u@x.y&#62;\""), "{}", again.text);
        let secret = browser
            .post("copper", "action=connect&auth_type=keybased&f.api_token=s3cret")
            .await;
        assert_eq!(secret.status, StatusCode::BAD_REQUEST);
        assert!(!secret.text.contains("s3cret"));
        for unknown in ["nothing", "undefined", "%3Cscript%3E"] {
            let answer = browser.get(&format!("/connect/{unknown}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert!(answer.text.contains("Not found") && answer.text.contains("Go to your integrations"));
            let org = &t.environment.org_name;
            assert!(
                answer.text.contains(org),
                "a visitor stays on the team's pages: {}",
                answer.text
            );
        }
    })
    .await;
}

#[tokio::test]
async fn connecting_by_oauth_leads_to_our_start_page() {
    on_both(async |t| {
        let browser = Browser::open(&t, "a").await;
        let without = browser.post("slack", "action=connect&auth_type=oauth2").await;
        assert!(
            without.status.is_client_error(),
            "no OAuth client is registered: {}",
            without.status
        );
        let new = evergrant::clients::NewClient {
            client_id: "c".to_owned(),
            secret: Some(Secret::from("s3cret".to_owned())),
            scopes: None,
        };
        evergrant::clients::set(&t.app, &t.environment.tenant, "slack", new)
            .await
            .unwrap();
        let onward = browser.post("slack", "action=connect&auth_type=oauth2").await;
        assert_eq!(onward.status, StatusCode::OK, "{}", onward.text);
        assert!(
            onward
                .text
                .contains("content=\"0;url=http://127.0.0.1:8080/api/v1/slack/start/"),
            "{}",
            onward.text
        );
        let script = browser.script("slack", "action=connect&auth_type=oauth2").await;
        let url = script.json()["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:8080/api/v1/slack/start/"), "{url}");
        let state = browser.get("/connect/slack/state").await;
        assert_eq!(state.json(), json!({ "state": "new", "mark": "new-0" }));
        assert_eq!(state.headers["cache-control"], "no-store");
        assert!(!onward.text.contains("s3cret"));
    })
    .await;
}

#[tokio::test]
async fn disconnecting_needs_the_pages_own_form_and_says_what_it_did() {
    on_both(async |t| {
        let mut browser = Browser::open(&t, "a").await;
        connected(&t, "a", "copper").await;
        let csrf = std::mem::take(&mut browser.csrf);
        assert_eq!(
            browser.post("copper", "action=disconnect").await.status,
            StatusCode::BAD_REQUEST
        );
        assert!(
            browser
                .get("/connect/copper")
                .await
                .text
                .contains("Yes, disconnect Copper")
        );
        browser.csrf = csrf;
        let done = browser.post("copper", "action=disconnect").await;
        assert_eq!(
            (done.status, &done.headers["location"]),
            (
                StatusCode::SEE_OTHER,
                &"/connect/copper?done=disconnected".parse().unwrap()
            )
        );
        let list = browser.get("/connect/copper?done=disconnected").await;
        assert!(list.text.contains("Copper is disconnected.") && !list.text.contains("Yes, disconnect"));
        assert_eq!(
            authorize::disconnect(
                &t.app,
                &t.environment.tenant,
                &evergrant::accounts::find(&t.app, &t.environment.tenant, "a")
                    .await
                    .unwrap(),
                ("copper", None)
            )
            .await
            .unwrap(),
            0
        );
    })
    .await;
}

const ACME: &str = r#"
slug = "acme"
name = "Acme"
description = "Things"
[api]
base_url = "https://{sub}.acme.example.com"
[keybased]
input = [{ name = "sub", label = "Subdomain" }, { name = "key", label = "Key", secret = true }]
placement = [{ kind = "bearer", token = "{key}" }]
"#;

/// With and without a call that proves a key: neither may be the first to notice.
#[tokio::test]
async fn a_value_that_makes_no_address_is_refused_and_marked_in_the_form() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.toml"), ACME).unwrap();
    let proved = ACME.replace("\"acme\"", "\"acme-proved\"") + "probe = { url = \"/me\" }\n";
    std::fs::write(folder.path().join("acme-proved.toml"), proved).unwrap();
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let around = Surroundings {
            custom: Some(folder.path().to_owned()),
            ..Surroundings::default()
        };
        let t = TestApp::start_in(database, ManualClock::at(START), around).await;
        let browser = Browser::open(&t, "a").await;
        let token = t.session("a").await;
        for slug in ["acme", "acme-proved"] {
            for sub in ["a.b", "..", "127.0.0.1", "x@y", "a/../b"] {
                let body = json!({ "sub": sub, "key": "k" });
                let save = t.by_session(Method::POST, &format!("/api/v2/app/{slug}/save"), &token);
                assert_eq!(
                    save.json(&body).refused(400).await,
                    "`sub` is not valid",
                    "{slug} {sub}"
                );
                let form = format!("action=connect&auth_type=keybased&f.sub={sub}&f.key=k");
                let again = browser.post(slug, &form).await;
                assert_eq!(again.status, StatusCode::BAD_REQUEST, "{slug} {sub}: {}", again.text);
                assert!(again.text.contains("Please check the marked fields."), "{}", again.text);
                assert!(again.text.contains("aria-invalid=\"true\""), "{}", again.text);
            }
            let path = format!("/api/v2/public/application/{slug}");
            let application = t.get(&path).header("linked_account_id", "a").ok().await;
            assert!(application.get("connected").is_none(), "{application}");
        }
        let save = t.by_session(Method::POST, "/api/v2/app/acme/save", &token);
        save.json(&json!({ "sub": "a-b", "key": "k" })).ok().await;
    }
}
