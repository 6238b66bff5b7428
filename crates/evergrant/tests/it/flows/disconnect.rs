//! Disconnecting: nothing is left of it here, the provider is told, and it is told once.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use evergrant::accounts;
use evergrant::authorize::{self, Inputs};
use evergrant::connections::{KEPT_AFTER_DISCONNECT, store};
use evergrant::error::Error;
use evergrant::sandbox::{Cause, Weather};
use evergrant::sessions::{self, Wanted};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{CRM, CUSTOMER, Consent, SMS, Story, story, timeline};

const HOUR: Duration = Duration::from_hours(1);

/// How many values of a connection, and of its timeline, could still say something about the customer.
async fn left_of(s: &Story, id: &str) -> i64 {
    const CONNECTION: &str = "SELECT COUNT(sealed_credential) + COUNT(identifier) + COUNT(evidence) + COUNT(trouble_verdict) \
        + COUNT(lease_until) + COUNT(due_at) + COUNT(expires_at) + COUNT(reply_lost_at) FROM connections WHERE id = $1";
    const TIMELINE: &str = "SELECT COUNT(evidence) FROM timeline WHERE connection = $1";
    let mut conn = s.t.app.db.read().await.unwrap();
    let mut left = 0;
    for query in [CONNECTION, TIMELINE] {
        let row = sqlx::query(query).bind(id).fetch_one(&mut *conn).await.unwrap();
        left += row.get::<i64, _>(0);
    }
    left
}

#[tokio::test]
async fn a_disconnect_erases_tells_the_provider_and_is_told_once() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR);
        assert!(left_of(&s, &id).await > 2);
        let document = s.disconnect(CRM, "").await;
        assert_eq!(document["account_id"], CUSTOMER);
        assert_eq!(document["integrations"], json!([]));
        s.assert_never_connected(CRM).await;
        assert_eq!(left_of(&s, &id).await, 0);
        assert_eq!(s.provider.grants(), ["revoked"]);

        let connection = s.connection(&id).await;
        assert_eq!(connection["status"], "disconnected");
        assert_eq!(connection["disconnected_at"], s.t.clock_text());
        assert_eq!(connection["identifier"], "NA");
        assert_eq!(timeline(&connection), ["connected", "disconnected"]);
        for verb in ["check", "refresh", "expire"] {
            let path = format!("/api/v2/public/connection/{id}/{verb}");
            s.t.post(&path, &json!({})).refused(404).await;
        }
        let asked = s.provider.requests();
        s.live(4, 24 * HOUR).await;
        assert_eq!(s.provider.requests(), asked, "nothing is tried any more");
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-oauth", "Connection Deleted sandbox-oauth"]
        );
    })
    .await;
}

#[tokio::test]
async fn the_browser_disconnects_the_same_way() {
    story(async |s| {
        let id = s.connect_key().await;
        let token = s.t.session(CUSTOMER).await;
        let path = format!("/api/v1/linked-acc/integration/{SMS}");
        let document = s.t.by_session(Method::DELETE, &path, &token).ok().await;
        assert_eq!(document["integrations"], json!([]));
        s.assert_never_connected(SMS).await;
        assert_eq!(left_of(&s, &id).await, 0);
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-key", "Connection Deleted sandbox-key"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_flagged_connection_loses_its_evidence_too() {
    story(async |s| {
        let id = s.connect().await;
        s.provider.strike(Cause::AppUninstalled);
        s.live(1, HOUR).await;
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
        s.pass(HOUR);
        s.disconnect(CRM, "").await;
        s.assert_never_connected(CRM).await;
        assert_eq!(left_of(&s, &id).await, 0);
        let connection = s.connection(&id).await;
        assert_eq!(timeline(&connection), ["connected", "flagged", "disconnected"]);
        let flagged = &connection["timeline"][1];
        assert_eq!(flagged["reason"], "app_uninstalled", "times and reasons stay");
        assert_eq!(flagged["evidence"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_consent_under_way_ends_with_the_disconnect() {
    story(async |s| {
        let id = s.connect().await;
        let (callback, cookie) = s.consent(Consent::YES).await;
        let link = s.integrate().await;
        s.disconnect(CRM, "").await;
        let page = s.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        let page = s.visit(&link, None).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        s.assert_never_connected(CRM).await;
        assert_eq!(s.connection(&id).await["status"], "disconnected");
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_while_the_code_is_exchanged_has_the_last_word() {
    story(async |s| {
        let id = s.connect().await;
        let (callback, cookie) = s.consent(Consent::YES).await;
        let held = s.provider.hold_exchanges();
        let (page, ()) = tokio::join!(s.visit(&callback, Some(&cookie)), async {
            held.arrived().await;
            s.disconnect(CRM, "").await;
            held.release();
        });
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        s.assert_never_connected(CRM).await;
        assert_eq!(s.connection(&id).await["status"], "disconnected");
        assert_eq!(
            s.provider.grants(),
            ["revoked", "revoked"],
            "the new grant is given back"
        );
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-oauth", "Connection Deleted sandbox-oauth"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_repair_of_what_has_been_connected_anew_meanwhile_changes_nothing() {
    story(async |s| {
        let ended = s.connect().await;
        let (late, late_cookie) = s.consent(Consent::YES).await;
        let held = s.provider.hold_exchanges();
        let (page, anew) = tokio::join!(s.visit(&late, Some(&late_cookie)), async {
            held.arrived().await;
            held.no_more();
            s.disconnect(CRM, "").await;
            let anew = s.connect().await;
            held.release();
            anew
        });
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        assert_ne!(anew, ended);
        assert_eq!(s.id_of(CRM).await, anew);
        assert_eq!(timeline(&s.connection(&anew).await), ["connected"]);
        assert_eq!(s.act(&anew, "refresh").await["outcome"], "renewed");
        s.assert_healthy(CRM).await;
    })
    .await;
}

#[tokio::test]
async fn of_several_auth_types_only_the_named_one_is_disconnected() {
    story(async |s| {
        s.connect().await;
        let before = s.application(CRM).await;
        s.disconnect(CRM, "?auth_type=keybased").await;
        assert_eq!(s.application(CRM).await, before);
        let path = format!("/api/v2/public/linked-account/integration/{CRM}?auth_type=nonsense");
        let wrong = s.t.delete(&path).header("linked_account_id", CUSTOMER);
        assert!(wrong.refused(400).await.contains("oauth2 or keybased"));
        s.disconnect(CRM, "?auth_type=oauth2").await;
        s.assert_never_connected(CRM).await;
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-oauth", "Connection Deleted sandbox-oauth"]
        );
    })
    .await;
}

#[tokio::test]
async fn where_nothing_is_connected_nothing_happens() {
    story(async |s| {
        let id = s.connect_key().await;
        let first = s.disconnect(CRM, "").await;
        assert_eq!(s.disconnect(CRM, "").await, first);
        assert_eq!(first["integrations"].as_array().unwrap().len(), 1);
        s.disconnect("slack", "").await;
        assert_eq!(s.connection(&id).await["status"], "active");
        let unknown = s.t.delete("/api/v2/public/linked-account/integration/nothing-at-all");
        unknown.header("linked_account_id", CUSTOMER).refused(404).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-key"]);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_down_does_not_hinder_a_disconnect() {
    story(async |s| {
        for weather in [
            Weather {
                down: true,
                ..Weather::default()
            },
            Weather {
                lose_replies: 1,
                ..Weather::default()
            },
        ] {
            let id = s.connect().await;
            s.provider.weather(weather);
            s.disconnect(CRM, "").await;
            s.provider.fair();
            s.assert_never_connected(CRM).await;
            assert_eq!(left_of(&s, &id).await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn without_an_oauth_client_the_provider_is_not_told_and_the_rest_is_done() {
    story(async |s| {
        let id = s.connect().await;
        let path = format!("/api/v2/public/application/{CRM}/oauth-client?confirm=true");
        s.t.delete(&path).ok().await;
        s.disconnect(CRM, "").await;
        s.assert_never_connected(CRM).await;
        assert_eq!(left_of(&s, &id).await, 0);
        assert_eq!(s.provider.grants(), ["living"]);
    })
    .await;
}

#[tokio::test]
async fn deleting_the_linked_account_disconnects_everything() {
    story(async |s| {
        let (oauth, key) = (s.connect().await, s.connect_key().await);
        let (callback, cookie) = s.consent(Consent::YES).await;
        s.t.delete(&format!("/api/v2/public/linked-account/{CUSTOMER}"))
            .ok()
            .await;
        for id in [&oauth, &key] {
            assert_eq!(left_of(&s, id).await, 0);
        }
        assert_eq!(s.provider.grants(), ["revoked"]);
        let page = s.visit(&callback, Some(&cookie)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
        assert_eq!(
            s.events().await,
            [
                "Connection Created sandbox-key",
                "Connection Created sandbox-oauth",
                "Connection Deleted sandbox-key",
                "Connection Deleted sandbox-oauth"
            ]
        );
        // A new customer of the same name begins anew.
        s.t.link(CUSTOMER).await;
        s.assert_never_connected(CRM).await;
        s.assert_never_connected(SMS).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_asked_for_an_account_that_was_just_deleted_finds_none() {
    story(async |s| {
        let (app, tenant) = (&s.t.app, &s.t.environment.tenant);
        let account = accounts::find(app, tenant, CUSTOMER).await.unwrap();
        let crm = app.catalog.get(CRM).unwrap();
        authorize::delete_account(app, tenant, &account, "test").await.unwrap();
        let token = sessions::issue(app, tenant, &account, Wanted::default())
            .await
            .unwrap_err();
        assert!(matches!(token, Error::AccountNotFound { .. }), "{token}");
        let consent = authorize::begin(app, tenant, &account, (crm, Inputs::new())).await;
        assert!(matches!(consent, Err(Error::AccountNotFound { .. })), "{consent:?}");
    })
    .await;
}

#[tokio::test]
async fn connecting_after_a_disconnect_is_a_new_connection() {
    story(async |s| {
        let first = s.connect().await;
        s.disconnect(CRM, "").await;
        s.pass(HOUR);
        let second = s.connect().await;
        assert_ne!(first, second);
        s.assert_healthy(CRM).await;
        assert_eq!(timeline(&s.connection(&second).await), ["connected"]);
        assert_eq!(s.connection(&first).await["status"], "disconnected");
        assert_eq!(
            s.events().await,
            [
                "Connection Created sandbox-oauth",
                "Connection Created sandbox-oauth",
                "Connection Deleted sandbox-oauth"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_left_of_it_is_gone_after_thirty_days() {
    story(async |s| {
        let (gone, kept) = (s.connect().await, s.connect_key().await);
        s.disconnect(CRM, "").await;
        let purge = async || {
            let before = s.t.app.now().before(KEPT_AFTER_DISCONNECT);
            let mut tx = s.t.app.db.begin().await.unwrap();
            let purged = store::purge_of_all_tenants(&mut tx, before).await.unwrap();
            tx.commit().await.unwrap();
            purged
        };
        s.pass(KEPT_AFTER_DISCONNECT);
        assert_eq!(purge().await, 0);
        s.pass(Duration::from_millis(1));
        assert_eq!(purge().await, 1);
        s.t.get(&format!("/api/v2/public/connection/{gone}")).refused(404).await;
        assert_eq!(s.connection(&kept).await["status"], "active");
    })
    .await;
}

/// Every byte of the database's files.
fn files(s: &Story) -> Vec<u8> {
    let folder = s.t.database.folder.as_ref().unwrap();
    let paths = std::fs::read_dir(folder.path()).unwrap();
    paths
        .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[tokio::test]
async fn after_a_disconnect_no_byte_of_the_credential_is_left_in_the_file() {
    story(async |s| {
        if s.t.database.folder.is_none() {
            return;
        }
        let (oauth, key) = (s.connect().await, s.connect_key().await);
        let sealed = [s.find(&oauth).await.sealed, s.find(&key).await.sealed].map(Option::unwrap);
        let holds = |part: &[u8]| files(&s).windows(part.len()).any(|window| window == part);
        assert!(sealed.iter().all(|one| holds(one.as_bytes())));
        s.disconnect(CRM, "").await;
        s.disconnect(SMS, "").await;
        let mut conn = s.t.app.db.read().await.unwrap();
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(statement).execute(&mut *conn).await.unwrap();
        }
        for one in &sealed {
            let bytes = one.as_bytes();
            assert!(bytes.len() > 64);
            assert!(!bytes.chunks_exact(16).any(holds), "a part of it is left");
        }
    })
    .await;
}
