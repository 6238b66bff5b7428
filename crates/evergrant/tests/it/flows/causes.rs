//! The five causes, end to end: noticed, told once, repaired in place. And what only looks like one of them.

use std::time::Duration;

use evergrant::sandbox::Cause;
use serde_json::{Value, json};

use crate::support::{CLIENT, CLIENT_SECRET, CRM, Consent, SMS, Story, run_due, story, timeline};

const HOUR: Duration = Duration::from_hours(1);

/// What a flagged connection must say.
struct Flag {
    slug: &'static str,
    reason: &'static str,
    confidence: &'static str,
    rule: &'static str,
}

/// The application and the connection both say that the customer must come back, why, and since when.
async fn assert_flagged(s: &Story, id: &str, flag: &Flag) -> Value {
    let application = s.application(flag.slug).await;
    assert_eq!(application["reauth_required"], true);
    assert_eq!(application["connected"], true);
    let account = &application["connected_accounts"][0];
    assert_eq!(account["status"], "expired");
    assert_eq!(account["reason"], flag.reason);
    assert_eq!(account["connection_id"], id);
    let connection = s.connection(id).await;
    assert_eq!(connection["status"], "reauth_required");
    assert_eq!(connection["reason"], flag.reason);
    assert_eq!(connection["since"], account["since"]);
    assert_eq!(connection["confidence"], flag.confidence);
    assert_eq!(connection["evidence"]["rule"], flag.rule, "{connection}");
    assert_eq!(connection["trouble"], Value::Null);
    let mut told = connection["timeline"].as_array().unwrap().iter();
    let newest = told.find(|entry| entry["event"] != "observed").unwrap();
    assert_eq!(newest["event"], "flagged", "{connection}");
    assert_eq!(newest["reason"], flag.reason);
    assert_eq!(newest["at"], connection["since"]);
    assert_eq!(newest["evidence"], connection["evidence"]);
    connection
}

/// The team is told once, however often it is looked at afterwards.
async fn assert_told_once(s: &Story, id: &str, flag: &Flag) {
    let since = s.connection(id).await["since"].clone();
    for _ in 0..3 {
        s.live(4, 6 * HOUR).await;
        s.act(id, "check").await;
        s.act(id, "refresh").await;
    }
    let (created, expired) = (
        format!("Connection Created {}", flag.slug),
        format!("Connection Expired {}", flag.slug),
    );
    assert_eq!(s.events().await, [created, expired]);
    assert_eq!(s.connection(id).await["since"], since);
    assert_flagged(s, id, flag).await;
}

/// Connecting again repairs in place: same id, healthy, nothing is told.
async fn assert_repaired(s: &Story, id: &str, slug: &str) {
    let told = s.events().await.len();
    s.pass(HOUR);
    let again = if slug == CRM {
        s.connect().await
    } else {
        s.connect_key().await
    };
    assert_eq!(again, id);
    s.assert_healthy(slug).await;
    let connection = s.connection(id).await;
    for member in ["reason", "since", "confidence", "evidence", "trouble"] {
        assert_eq!(connection[member], Value::Null, "{member}");
    }
    assert_eq!(timeline(&connection).last().unwrap(), "reconnected");
    assert_eq!(connection["connected_at"], s.t.clock_text());
    assert_ne!(connection["connected_at"], connection["created_at"]);
    s.live(8, 6 * HOUR).await;
    s.assert_healthy(slug).await;
    assert_eq!(s.events().await.len(), told);
}

/// A cause strikes; the next sweep, without anybody asking, finds it.
async fn found_by_the_sweep(s: &Story, (consent, cause): (Consent, Cause), flag: Flag) {
    let id = s.connect_with(consent).await;
    s.pass(HOUR / 10);
    s.provider.strike(cause);
    s.live(8, HOUR).await;
    assert_flagged(s, &id, &flag).await;
    assert_told_once(s, &id, &flag).await;
    if cause == Cause::ClientDeleted {
        s.provider.repair(cause);
    }
    assert_repaired(s, &id, flag.slug).await;
}

/// A cause strikes; somebody asks.
async fn found_by_a_check(s: &Story, (consent, cause): (Consent, Cause), flag: Flag) {
    let id = s.connect_with(consent).await;
    s.pass(HOUR / 10);
    s.provider.strike(cause);
    let answer = s.act(&id, "check").await;
    assert_eq!(answer["connection"]["status"], "reauth_required", "{answer}");
    assert_flagged(s, &id, &flag).await;
    assert_told_once(s, &id, &flag).await;
    if cause == Cause::ClientDeleted {
        s.provider.repair(cause);
    }
    assert_repaired(s, &id, flag.slug).await;
}

const fn stated(reason: &'static str, rule: &'static str) -> Flag {
    Flag {
        slug: CRM,
        reason,
        confidence: "stated",
        rule,
    }
}

async fn found_by_both(case: (Consent, Cause), by_sweep: fn() -> Flag, by_check: fn() -> Flag) {
    story(async |s| found_by_the_sweep(&s, case, by_sweep()).await).await;
    story(async |s| found_by_a_check(&s, case, by_check()).await).await;
}

#[tokio::test]
async fn cause_1_an_expired_key_is_found_and_replaced() {
    let flag = || Flag {
        slug: SMS,
        ..stated("api_key_invalid", "generic.call.expired")
    };
    story(async |s| {
        let id = s.connect_key().await;
        s.pass(HOUR);
        s.provider.strike(Cause::KeyExpired);
        s.act(&id, "check").await;
        assert_flagged(&s, &id, &flag()).await;
        assert_told_once(&s, &id, &flag()).await;
        assert_repaired(&s, &id, SMS).await;
    })
    .await;
    story(async |s| {
        let id = s.connect_key().await;
        s.provider.strike(Cause::KeyExpired);
        s.live(6, 6 * HOUR).await;
        assert_flagged(&s, &id, &flag()).await;
        assert_told_once(&s, &id, &flag()).await;
        assert_repaired(&s, &id, SMS).await;
    })
    .await;
}

#[tokio::test]
async fn cause_2_a_revoked_grant_is_found_and_given_again() {
    let flag = || stated("token_revoked", "generic.refresh.revoked");
    found_by_both((Consent::YES, Cause::TokenRevoked), flag, flag).await;
}

#[tokio::test]
async fn cause_2_a_revoked_token_that_nothing_can_refresh_is_found() {
    story(async |s| {
        let id = s.connect_with(Consent::ONCE).await;
        s.pass(HOUR / 2);
        s.provider.strike(Cause::TokenRevoked);
        s.act(&id, "check").await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["reason"], "token_revoked", "{connection}");
        assert_eq!(connection["has_refresh_token"], false);
        assert_repaired(&s, &id, CRM).await;
    })
    .await;
}

#[tokio::test]
async fn cause_3_an_expired_refresh_token_is_found() {
    let flag = || stated("refresh_token_expired", "generic.refresh.expired");
    found_by_both((Consent::YES, Cause::RefreshTokenExpired), flag, flag).await;
}

#[tokio::test]
async fn cause_3_an_access_token_without_a_refresh_token_ends_to_the_millisecond() {
    story(async |s| {
        let id = s.connect_with(Consent::ONCE).await;
        s.pass(HOUR.saturating_sub(Duration::from_millis(1)));
        run_due(&s.t.app).await;
        s.assert_healthy(CRM).await;
        s.pass(Duration::from_millis(1));
        run_due(&s.t.app).await;
        // The clock says so, and the provider is asked.
        let flag = stated("access_token_expired", "generic.call.expired");
        assert_flagged(&s, &id, &flag).await;
        assert_told_once(&s, &id, &flag).await;
        assert_repaired(&s, &id, CRM).await;
    })
    .await;
}

#[tokio::test]
async fn cause_3_an_access_token_that_ends_early_is_found_when_somebody_asks() {
    story(async |s| {
        let id = s.connect_with(Consent::ONCE).await;
        s.pass(HOUR / 2);
        s.provider.strike(Cause::AccessTokenExpired);
        s.act(&id, "check").await;
        assert_eq!(s.connection(&id).await["reason"], "access_token_expired");
        assert_repaired(&s, &id, CRM).await;
    })
    .await;
}

#[tokio::test]
async fn an_access_token_that_ends_early_is_merely_refreshed_where_that_can_be() {
    story(async |s| {
        let id = s.connect().await;
        s.pass(HOUR / 2);
        s.provider.strike(Cause::AccessTokenExpired);
        let answer = s.act(&id, "check").await;
        assert_eq!(answer["connection"]["status"], "active", "{answer}");
        assert_eq!(s.provider.refreshes(), 1);
        s.assert_healthy(CRM).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    })
    .await;
}

#[tokio::test]
async fn cause_4_an_uninstalled_app_is_found_and_installed_again() {
    let flag = || stated("app_uninstalled", "generic.app_uninstalled");
    found_by_both((Consent::YES, Cause::AppUninstalled), flag, flag).await;
}

#[tokio::test]
async fn cause_4_an_uninstalled_app_with_a_key_is_found() {
    let flag = Flag {
        slug: SMS,
        ..stated("app_uninstalled", "sandbox.app_uninstalled")
    };
    story(async |s| {
        let id = s.connect_key().await;
        s.pass(HOUR);
        s.provider.strike(Cause::AppUninstalled);
        s.live(6, 6 * HOUR).await;
        assert_flagged(&s, &id, &flag).await;
        assert_told_once(&s, &id, &flag).await;
        assert_repaired(&s, &id, SMS).await;
    })
    .await;
}

#[tokio::test]
async fn cause_5_a_client_that_its_provider_has_deleted_is_found() {
    let flag = || stated("oauth_app_deleted", "sandbox.client_deleted");
    found_by_both((Consent::YES, Cause::ClientDeleted), flag, flag).await;
}

#[tokio::test]
async fn cause_5_a_client_that_the_team_removes_flags_its_connections_once_it_confirms() {
    story(async |s| {
        let id = s.connect().await;
        let path = format!("/api/v2/public/application/{CRM}/oauth-client");
        s.pass(HOUR / 10);
        let message = s.t.delete(&path).refused(409).await;
        assert!(message.contains("1 connections"), "{message}");
        s.assert_healthy(CRM).await;
        let answer = s.t.delete(&format!("{path}?confirm=true")).ok().await;
        assert_eq!(answer, json!({ "flagged": 1 }));
        let flag = stated("oauth_app_deleted", "client.removed");
        assert_flagged(&s, &id, &flag).await;
        assert_told_once(&s, &id, &flag).await;
        let told = s.provider.requests();
        s.live(4, 24 * HOUR).await;
        assert_eq!(s.provider.requests(), told, "without a client nothing is tried");
        s.t.delete(&format!("{path}?confirm=true")).refused(404).await;

        // The same client again: the grant was never touched, so it heals by itself.
        s.set_client(CLIENT, CLIENT_SECRET).await;
        run_due(&s.t.app).await;
        s.assert_healthy(CRM).await;
        assert_eq!(timeline(&s.connection(&id).await).last().unwrap(), "healed");
        assert_repaired(&s, &id, CRM).await;
    })
    .await;
}

#[tokio::test]
async fn a_changed_client_secret_flags_nobody_and_recovers_once_the_right_one_is_set() {
    story(async |s| {
        let id = s.connect().await;
        s.provider.register(CLIENT, "the new one");
        s.live(48, HOUR).await;
        s.assert_healthy(CRM).await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["status"], "active");
        assert_eq!(connection["trouble"]["verdict"], "app_broken");
        assert_eq!(connection["trouble"]["reason"], "oauth_client_secret_invalid");
        assert_eq!(timeline(&connection), ["connected", "trouble"]);

        s.pass(Duration::from_secs(1));
        s.set_client(CLIENT, "the new one").await;
        run_due(&s.t.app).await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["trouble"], Value::Null);
        assert_eq!(timeline(&connection), ["connected", "trouble", "recovered"]);
        assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
        assert_eq!(s.provider.grants(), ["living"]);
    })
    .await;
}

#[tokio::test]
async fn expired_by_hand_is_said_to_be_so_and_is_repaired_like_any_other() {
    story(async |s| {
        let id = s.connect_key().await;
        s.pass(HOUR / 10);
        let answer = s.act(&id, "expire").await;
        assert_eq!(answer["status"], "reauth_required");
        s.act(&id, "expire").await;
        let flag = Flag {
            slug: SMS,
            ..stated("token_revoked", "manual")
        };
        assert_flagged(&s, &id, &flag).await;
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-key", "Connection Expired sandbox-key"]
        );
        assert_repaired(&s, &id, SMS).await;
    })
    .await;
}

#[tokio::test]
async fn a_flagged_grant_that_works_again_is_healed_by_the_daily_try() {
    story(async |s| {
        let id = s.connect().await;
        s.provider.strike(Cause::AppUninstalled);
        s.live(2, HOUR).await;
        assert_eq!(s.application(CRM).await["reauth_required"], true);
        s.provider.repair(Cause::AppUninstalled);
        s.live(6, 6 * HOUR).await;
        s.assert_healthy(CRM).await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["reason"], Value::Null);
        assert!(timeline(&connection).contains(&"healed".to_owned()), "{connection}");
        // The edge is told again when it comes again, and only then.
        s.provider.strike(Cause::TokenRevoked);
        s.live(2, HOUR).await;
        assert_eq!(
            s.events().await,
            [
                "Connection Created sandbox-oauth",
                "Connection Expired sandbox-oauth",
                "Connection Expired sandbox-oauth"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_dead_grant_is_not_tried_for_ever() {
    story(async |s| {
        s.connect().await;
        s.provider.strike(Cause::TokenRevoked);
        s.live(66, 12 * HOUR).await;
        let tried = s.provider.refreshes();
        assert!((18..=42).contains(&tried), "{tried}");
        s.live(10, 24 * HOUR).await;
        assert_eq!(s.provider.refreshes(), tried);
        assert_eq!(s.application(CRM).await["reauth_required"], true);
    })
    .await;
}

#[tokio::test]
async fn of_several_customers_only_the_struck_one_is_flagged() {
    story(async |s| {
        let id = s.connect().await;
        s.t.link("other").await;
        let struck = s.provider.grants().len();
        assert_eq!(struck, 1);
        s.provider.strike(Cause::TokenRevoked);
        let key = s.connect_key().await;
        s.live(2, HOUR).await;
        assert_eq!(s.connection(&id).await["status"], "reauth_required");
        assert_eq!(s.connection(&key).await["status"], "active");
        let other = s.t.get(&format!("/api/v2/public/application/{CRM}"));
        let other = other.header("linked_account_id", "other").ok().await;
        assert_eq!(other["reauth_required"], false);
    })
    .await;
}
