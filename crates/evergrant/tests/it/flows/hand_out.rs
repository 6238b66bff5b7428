//! Credentials on request: who gets them, what they get, and that it is written down.

use std::time::Duration;

use axum::http::Method;
use evergrant::tenants::audit::{self, AuditFilter, HAND_OUT};
use evergrant::tenants::{self, Scopes};
use serde_json::{Value, json};

use crate::support::{CRM, CUSTOMER, SMS, Story, story};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);

fn of(id: &str) -> String {
    format!("/api/v2/public/connection/{id}/credential")
}

const OF_CUSTOMER: &str = "/api/v2/public/application/sandbox-oauth/credential";

async fn key(s: &Story, scopes: &str) -> String {
    let scopes = Scopes::parse(scopes).unwrap();
    let made = tenants::create_key(&s.t.app, &s.t.environment, scopes.to_string().as_str(), scopes).await;
    made.unwrap().value.expose().to_owned()
}

/// The trail's hand-outs as target and count, the newest first.
async fn hand_outs(s: &Story) -> Vec<(String, i64)> {
    let filter = AuditFilter {
        action: Some(HAND_OUT.to_owned()),
        ..AuditFilter::default()
    };
    let rows = audit::trail(&s.t.app, s.tenant(), &filter, 100).await.unwrap();
    rows.into_iter().map(|row| (row.target, row.times)).collect()
}

#[tokio::test]
async fn a_token_comes_with_its_place_its_end_and_no_refresh_token_and_is_not_to_be_stored() {
    story(async |s| {
        let id = s.connect().await;
        let answer = s.t.get(&of(&id)).send().await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["cache-control"]),
            (200, &"no-store".parse().unwrap())
        );
        let body = answer.json();
        let token = body["values"]["access_token"].as_str().unwrap();
        assert_eq!(body["headers"]["authorization"], format!("Bearer {token}"));
        for (member, value) in [
            ("connection_id", id.as_str()),
            ("linked_account_id", CUSTOMER),
            ("slug", CRM),
            ("auth_type", "oauth2"),
        ] {
            assert_eq!(body[member], value);
        }
        assert_eq!(body["expires_at"], s.t.app.now().after(HOUR).iso());
        assert_eq!(body["query"], json!({}));
        assert!(body["base_url"].as_str().unwrap().starts_with("http"));
        assert!(!answer.text.contains("refresh"), "{}", answer.text);
        let same = s.t.get(OF_CUSTOMER).header("linked_account_id", CUSTOMER).ok().await;
        assert_eq!(same, body);
        let by_query = format!("{OF_CUSTOMER}?linked_account_id={CUSTOMER}&auth_type=oauth2");
        assert_eq!(s.t.get(&by_query).ok().await, body);
        assert_eq!(s.t.get(OF_CUSTOMER).refused(400).await, "linked_account_id required");

        let secret = s.provider.key();
        s.save(&json!({ "api_key": secret })).await;
        let body = s.t.get(&of(&s.id_of(SMS).await)).ok().await;
        assert_eq!(
            (&body["auth_type"], &body["expires_at"]),
            (&json!("keybased"), &Value::Null)
        );
        assert_eq!(body["values"], json!({ "api_key": secret }));
        assert!(body["headers"].to_string().contains(&secret));
    })
    .await;
}

#[tokio::test]
async fn it_lasts_as_long_as_is_asked_and_is_refreshed_when_it_would_not() {
    story(async |s| {
        let id = s.connect().await;
        let token = async |query: &str| {
            let body = s.t.get(&format!("{}{query}", of(&id))).ok().await;
            body["values"]["access_token"].as_str().unwrap().to_owned()
        };
        let first = token("").await;
        s.pass(HOUR.saturating_sub(10 * MINUTE + MILLI));
        assert_eq!(
            token("").await,
            first,
            "the usual need is five minutes, and clocks may be five apart"
        );
        assert_eq!(token("?min_validity=300").await, first);
        let second = token("?min_validity=301").await;
        assert_ne!(second, first);
        s.pass(HOUR.saturating_sub(25 * MINUTE));
        assert_eq!(token("?min_validity=1199").await, second);
        assert_ne!(token("?min_validity=1200").await, second);
        assert_eq!(s.provider.refreshes(), 2);
        // More than a new token would have left for a while counts as that: or every call would refresh.
        let third = token("?min_validity=86400").await;
        s.pass((10 * MINUTE).saturating_sub(MILLI));
        assert_eq!(token("?min_validity=86400").await, third);
        s.pass(MILLI);
        assert_ne!(token("?min_validity=86400").await, third);
        for wrong in ["86401", "-1", "soon"] {
            let message = s.t.get(&format!("{}?min_validity={wrong}", of(&id))).refused(400).await;
            assert!(message.contains("0 to 86400"), "{message}");
        }
        let wrong = format!("{OF_CUSTOMER}?auth_type=basic");
        let wrong = s.t.get(&wrong).header("linked_account_id", CUSTOMER).refused(400).await;
        assert_eq!(wrong, "auth_type must be oauth2 or keybased");
    })
    .await;
}

#[tokio::test]
async fn only_a_key_with_the_scope_gets_one_and_the_scope_opens_nothing_else() {
    story(async |s| {
        let id = s.connect().await;
        let paths = [of(&id), format!("{OF_CUSTOMER}?linked_account_id={CUSTOMER}")];
        for scopes in ["read", "write", "read,write", "sign", "read,write,sign"] {
            let key = key(&s, scopes).await;
            for path in &paths {
                let refused = s.t.call(Method::GET, path).header("x-api-key", &key);
                assert_eq!(refused.refused(403).await, "This API key lacks the scope `credentials`");
            }
        }
        let alone = key(&s, "credentials").await;
        for path in &paths {
            s.t.call(Method::GET, path).header("x-api-key", &alone).ok().await;
        }
        for (method, path, lacks) in [
            (Method::GET, "/api/v2/public/connection".to_owned(), "read"),
            (Method::GET, format!("/api/v2/public/connection/{id}"), "read"),
            (Method::GET, "/api/v2/public/audit".to_owned(), "read"),
            (Method::POST, format!("/api/v2/public/connection/{id}/refresh"), "write"),
        ] {
            let refused = s.t.call(method, &path).header("x-api-key", &alone).refused(403).await;
            assert_eq!(refused, format!("This API key lacks the scope `{lacks}`"), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_token_reaches_neither_credential_refresh_list_timeline_nor_trail() {
    story(async |s| {
        let id = s.connect().await;
        let session = s.t.session(CUSTOMER).await;
        let connection = format!("/api/v2/public/connection/{id}");
        for (method, path) in [
            (Method::GET, of(&id)),
            (Method::GET, format!("{OF_CUSTOMER}?linked_account_id={CUSTOMER}")),
            (Method::POST, format!("{connection}/refresh")),
            (Method::POST, format!("{connection}/check")),
            (Method::POST, format!("{connection}/expire")),
            (Method::GET, connection),
            (Method::GET, "/api/v2/public/connection".to_owned()),
            (Method::GET, "/api/v2/public/audit".to_owned()),
        ] {
            let call = || s.t.by_session(method.clone(), &path, &session);
            assert_eq!(call().refused(401).await, "Invalid Credentials", "{path}");
            let beside = call().header("x-api-key", "tk_bad").refused(401).await;
            assert_eq!(beside, "Invalid Credentials", "{path}");
            let as_key = s.t.call(method, &path).header("x-api-key", &session);
            assert_eq!(as_key.refused(401).await, "Invalid Credentials", "{path}");
        }
        assert_eq!(s.provider.refreshes(), 0);
        assert_eq!(hand_outs(&s).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_dead_connection_is_a_conflict_and_another_tenants_does_not_exist() {
    story(async |s| {
        let id = s.connect().await;
        let theirs = s.t.stranger().await;
        let stranger = |path: &str| s.t.call(Method::GET, path).header("x-api-key", &theirs);
        assert_eq!(stranger(&of(&id)).refused(404).await, "Connection not found");
        let unknown = s.t.get(&of("65aa000000000000000000ff")).refused(404).await;
        assert_eq!(unknown, "Connection not found");
        assert_eq!(s.t.get(&of("nonsense")).refused(404).await, "Connection not found");
        stranger(OF_CUSTOMER)
            .header("linked_account_id", CUSTOMER)
            .refused(404)
            .await;
        let no_app = OF_CUSTOMER.replace("sandbox-oauth", "nothing");
        s.t.get(&no_app)
            .header("linked_account_id", CUSTOMER)
            .refused(404)
            .await;

        // Another node flags it, and this one knows.
        let other = s.t.another_process().await;
        evergrant::connections::expire(&other, s.tenant(), &id.parse().unwrap())
            .await
            .unwrap();
        let mut links = Vec::new();
        for path in [of(&id), format!("{OF_CUSTOMER}?linked_account_id={CUSTOMER}")] {
            let answer = s.t.get(&path).send().await;
            assert_eq!(answer.status, 409);
            let body = answer.json();
            assert_eq!(
                (&body["error"], &body["error_code"]),
                (&json!("REAUTH_REQUIRED"), &json!("REAUTH_REQUIRED"))
            );
            assert_eq!(
                (&body["slug"], &body["linked_account_id"]),
                (&json!(CRM), &json!(CUSTOMER))
            );
            assert_eq!(
                (&body["connection_id"], &body["reason"]),
                (&json!(id), &json!("token_revoked"))
            );
            assert_eq!(body["since"], s.t.clock_text());
            let link = body["reauth_url"].as_str().unwrap();
            assert!(link.starts_with("http://127.0.0.1:8080/reauth/rl_"), "{link}");
            links.push(link.to_owned());
        }
        assert_eq!(links[0], links[1], "one link a break");
        assert_eq!(hand_outs(&s).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_another_node_rotates_revokes_or_ends_is_seen_at_once() {
    story(async |s| {
        let id = s.connect().await;
        let other = s.t.another_process().await;
        let token = async || s.t.get(&of(&id)).ok().await["values"]["access_token"].clone();
        let first = token().await;
        evergrant::refresh::renew(
            &other,
            s.tenant(),
            &id.parse().unwrap(),
            evergrant::refresh::Why::Forced,
        )
        .await
        .unwrap();
        assert_ne!(token().await, first);
        let scopes = Scopes::parse("credentials").unwrap();
        let made = tenants::create_key(&other, &s.t.environment, "k", scopes)
            .await
            .unwrap();
        let with_key = || s.t.call(Method::GET, &of(&id)).header("x-api-key", made.value.expose());
        with_key().ok().await;
        tenants::revoke_key(&other, &s.tenant().id, &made.key.id).await.unwrap();
        assert_eq!(with_key().refused(401).await, "Invalid Credentials");
        // A flag, and with it the application as the customer's page sees it.
        let flagged = id.parse().unwrap();
        evergrant::connections::expire(&other, s.tenant(), &flagged)
            .await
            .unwrap();
        let dead = s.t.get(&of(&id)).send().await;
        assert_eq!(
            (dead.status.as_u16(), &dead.json()["error"]),
            (409, &json!("REAUTH_REQUIRED"))
        );
        let path = format!("/api/v2/public/application/{CRM}");
        let application = s.t.get(&path).header("linked_account_id", CUSTOMER).ok().await;
        assert_eq!(application["reauth_required"], true);
        let ended = evergrant::accounts::find(&other, s.tenant(), CUSTOMER).await.unwrap();
        evergrant::authorize::disconnect(&other, s.tenant(), &ended, (CRM, None))
            .await
            .unwrap();
        assert_eq!(s.t.get(&of(&id)).refused(404).await, "Connection not found");
        let application = s.t.get(&path).header("linked_account_id", CUSTOMER).ok().await;
        assert!(
            application.get("connected").is_none_or(|connected| connected != true),
            "{application}"
        );
    })
    .await;
}

#[tokio::test]
async fn every_hand_out_is_in_the_trail_and_nothing_more_is_handed_out_once_it_lags() {
    story(async |s| {
        let (id, key) = (s.connect().await, s.connect_key().await);
        for path in [of(&id), of(&id), of(&key)] {
            s.t.get(&path).ok().await;
        }
        assert_eq!(hand_outs(&s).await, [], "they wait");
        // Nobody has written for more than a second: the next one writes first.
        s.pass(Duration::from_millis(1001));
        s.t.get(&of(&id)).ok().await;
        let mut written = hand_outs(&s).await;
        written.sort();
        let mut wanted = vec![(id.clone(), 3), (key, 1)];
        wanted.sort();
        assert_eq!(written, wanted);
        audit::write_hand_outs(&s.t.app).await.unwrap();
        assert_eq!(hand_outs(&s).await.len(), 2, "once");
        let page = s.t.get(&format!("/api/v2/public/audit?target={id}")).ok().await;
        let entry = &page["docs"][0];
        assert_eq!((&entry["action"], &entry["times"]), (&json!(HAND_OUT), &json!(3)));

        // A trail that cannot be written.
        s.t.get(&of(&id)).ok().await;
        let mut tx = s.t.app.db.begin().await.unwrap();
        sqlx::Executor::execute(&mut *tx, "DROP TABLE audit").await.unwrap();
        tx.commit().await.unwrap();
        s.pass(Duration::from_millis(1001));
        s.t.get(&of(&id)).refused(500).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_kinds_the_one_that_works_is_handed_out() {
    story(async |s| {
        s.connect_key().await;
        let path = format!("/api/v2/public/application/{SMS}/credential");
        let get = |query: &str| s.t.get(&format!("{path}{query}")).header("linked_account_id", CUSTOMER);
        assert_eq!(get("").ok().await["auth_type"], "keybased");
        assert_eq!(get("?auth_type=keybased").ok().await["auth_type"], "keybased");
        assert_eq!(get("?auth_type=oauth2").refused(404).await, "Connection not found");
        let nobody = s.t.get(&path).header("linked_account_id", "nobody").refused(404).await;
        assert!(nobody.starts_with("Linked Account with account id nobody"), "{nobody}");
    })
    .await;
}
