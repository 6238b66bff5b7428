//! Bad weather at the provider: nobody is flagged for it, a token that still lives is kept, and it passes.

use std::time::Duration;

use evergrant::sandbox::Weather;
use serde_json::Value;

use crate::support::{CRM, SMS, Story, run_due, story, story_with, timeline};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const MILLI: Duration = Duration::from_millis(1);
const FAIR: Weather = Weather {
    slow_ms: 0,
    down: false,
    throttle: false,
    lose_replies: 0,
    garbage: false,
};

/// Bad weather over a token that is due, then over one that has ended, for two days; then it clears up.
async fn weathered(s: &Story, weather: Weather, reason: &str) {
    let id = s.connect().await;
    let fresh = s.connection(&id).await;
    s.provider.weather(weather);
    s.pass(51 * MINUTE);
    run_due(&s.t.app).await;
    s.assert_healthy(CRM).await;
    let still_valid = s.connection(&id).await;
    assert_eq!(still_valid["expires_at"], fresh["expires_at"]);
    assert_eq!(still_valid["trouble"]["verdict"], "transient");
    assert_eq!(still_valid["trouble"]["reason"], reason);
    assert_eq!(still_valid["trouble"]["since"], s.t.clock_text());
    let next = still_valid["trouble"]["next_try"].as_str().unwrap();
    assert!(next > s.t.clock_text().as_str(), "{next}");

    s.live(48, HOUR).await;
    s.act(&id, "check").await;
    s.act(&id, "refresh").await;
    s.assert_healthy(CRM).await;
    let ended = s.connection(&id).await;
    assert_eq!(ended["status"], "active");
    assert_eq!(ended["trouble"]["since"], still_valid["trouble"]["since"]);
    assert_eq!(timeline(&ended), ["connected", "trouble"]);

    s.provider.fair();
    s.live(2, HOUR).await;
    let well = s.connection(&id).await;
    assert_eq!(well["trouble"], Value::Null);
    assert!(well["expires_at"].as_str().unwrap() > s.t.clock_text().as_str());
    assert_eq!(timeline(&well), ["connected", "trouble", "recovered"]);
    assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
    assert_eq!(s.provider.grants(), ["living"]);
}

#[tokio::test]
async fn a_provider_that_is_down_flags_nobody_and_everything_recovers() {
    story(async |s| weathered(&s, Weather { down: true, ..FAIR }, "provider_outage").await).await;
}

#[tokio::test]
async fn a_provider_that_throttles_flags_nobody_and_everything_recovers() {
    story(async |s| weathered(&s, Weather { throttle: true, ..FAIR }, "rate_limited").await).await;
}

#[tokio::test]
async fn a_provider_that_talks_garbage_flags_nobody_and_everything_recovers() {
    story(async |s| weathered(&s, Weather { garbage: true, ..FAIR }, "provider_outage").await).await;
}

/// By the connection itself, though the breakers keep to five minutes at most.
#[tokio::test]
async fn a_provider_that_asks_for_patience_gets_it() {
    for status in [429, 503] {
        story(async |s| {
            s.connect().await;
            s.provider.answer_refresh((status, vec![("retry-after", "7200")], ""));
            s.pass(50 * MINUTE);
            run_due(&s.t.app).await;
            assert_eq!(s.provider.refreshes(), 1);
            s.pass((2 * HOUR).saturating_sub(MILLI));
            run_due(&s.t.app).await;
            assert_eq!(s.provider.refreshes(), 1);
            s.pass(MILLI);
            run_due(&s.t.app).await;
            assert_eq!(s.provider.refreshes(), 2);
            s.assert_healthy(CRM).await;
        })
        .await;
    }
}

#[tokio::test]
async fn no_odd_answer_to_a_refresh_is_an_alarm() {
    story_with(
        // Some of these leave us in doubt whether the provider has rotated.
        |settings| settings.reuse_leeway = HOUR,
        async |s| {
            let id = s.connect().await;
            let html = vec![("content-type", "text/html")];
            let json = vec![("content-type", "application/json")];
            for answer in [
                (500, json.clone(), r#"{"error":"server_error"}"#),
                (502, html.clone(), "<h1>Bad Gateway</h1>"),
                (504, vec![], ""),
                (200, vec![], ""),
                (200, json.clone(), "{"),
                (200, json.clone(), r#"{"token_type":"Bearer","expires_in":3600}"#),
                (200, json.clone(), r#"{"access_token":"","expires_in":3600}"#),
                (200, html.clone(), "<form action=/login>"),
                (302, vec![("location", "https://login.example/")], ""),
                (403, html.clone(), "<h1>Attention required! One more step</h1>"),
                (404, html, "<h1>Not Found</h1>"),
                (
                    400,
                    json.clone(),
                    r#"{"error":"invalid_request","error_description":"grant_type is missing"}"#,
                ),
                (400, json.clone(), r#"{"error":"temporarily_unavailable"}"#),
                (401, json, r#"{"error":"invalid_client"}"#),
            ] {
                s.pass(MINUTE);
                s.provider.answer_refresh(answer.clone());
                let done = s.act(&id, "refresh").await;
                assert_eq!(done["outcome"], "failed", "{answer:?}: {done}");
                assert_eq!(done["connection"]["status"], "active", "{answer:?}: {done}");
            }
            s.live(2, HOUR).await;
            let connection = s.connection(&id).await;
            assert_eq!(connection["trouble"], Value::Null, "{connection}");
            assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
        },
    )
    .await;
}

#[tokio::test]
async fn bad_weather_over_a_key_flags_nobody() {
    story(async |s| {
        let id = s.connect_key().await;
        for weather in [
            Weather { down: true, ..FAIR },
            Weather { throttle: true, ..FAIR },
            Weather { garbage: true, ..FAIR },
            Weather {
                lose_replies: 1,
                ..FAIR
            },
        ] {
            s.pass(HOUR);
            s.provider.weather(weather);
            let done = s.act(&id, "check").await;
            assert_eq!(done["outcome"], "asked");
            assert_eq!(done["connection"]["status"], "active", "{weather:?}: {done}");
            assert_eq!(done["connection"]["trouble"]["verdict"], "transient", "{weather:?}");
            s.provider.fair();
            s.pass(HOUR);
            run_due(&s.t.app).await;
            assert_eq!(s.connection(&id).await["trouble"], Value::Null, "{weather:?}");
        }
        s.assert_healthy(SMS).await;
        assert_eq!(s.events().await, ["Connection Created sandbox-key"]);
    })
    .await;
}

const ONE_LOST: Weather = Weather {
    lose_replies: 1,
    ..FAIR
};

/// The provider rotates, and its reply is lost.
async fn lose_a_reply(s: &Story) -> String {
    let id = s.connect().await;
    s.pass(50 * MINUTE);
    s.provider.weather(ONE_LOST);
    run_due(&s.t.app).await;
    assert_eq!(s.provider.refreshes(), 1);
    let connection = s.connection(&id).await;
    assert_eq!(connection["status"], "active");
    assert_eq!(connection["trouble"]["reason"], "network");
    assert_eq!(s.find(&id).await.reply_lost_at, Some(s.t.app.now()));
    id
}

#[tokio::test]
async fn after_a_lost_reply_a_strict_provider_ends_the_grant_and_the_evidence_says_why() {
    story(async |s| {
        let id = lose_a_reply(&s).await;
        s.pass(MINUTE);
        run_due(&s.t.app).await;
        let connection = s.connection(&id).await;
        assert_eq!(connection["reason"], "token_revoked", "{connection}");
        let words = connection["evidence"]["words"].as_str().unwrap();
        assert!(words.contains("our previous refresh's reply was lost"), "{words}");
        assert_eq!(timeline(&connection), ["connected", "trouble", "flagged"]);
        assert_eq!(s.provider.grants(), ["revoked"]);
        assert_eq!(
            s.events().await,
            ["Connection Created sandbox-oauth", "Connection Expired sandbox-oauth"]
        );
        s.pass(MINUTE);
        assert_eq!(s.connect().await, id);
        assert_eq!(s.find(&id).await.reply_lost_at, None);
        // A later death is not blamed on it.
        s.provider.strike(evergrant::sandbox::Cause::TokenRevoked);
        s.live(1, HOUR).await;
        let evidence = &s.connection(&id).await["evidence"];
        assert_eq!(evidence["rule"], "generic.refresh.revoked");
        assert_eq!(
            (&evidence["words"], &evidence["status"]),
            (&"invalid_grant".into(), &400.into())
        );
    })
    .await;
}

#[tokio::test]
async fn after_a_lost_reply_a_forgiving_provider_lets_us_go_on() {
    story_with(
        |settings| settings.reuse_leeway = 5 * MINUTE,
        async |s| {
            let id = lose_a_reply(&s).await;
            s.pass(MINUTE);
            run_due(&s.t.app).await;
            let connection = s.connection(&id).await;
            assert_eq!(connection["trouble"], Value::Null);
            assert_eq!(timeline(&connection), ["connected", "trouble", "recovered"]);
            assert_eq!(s.find(&id).await.reply_lost_at, None);
            assert_eq!(s.provider.grants(), ["living"]);
            s.live(24, HOUR).await;
            s.assert_healthy(CRM).await;
            assert_eq!(s.events().await, ["Connection Created sandbox-oauth"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_grant_in_fair_weather_is_kept_alive_for_weeks_without_using_a_token_twice() {
    story(async |s| {
        let id = s.connect().await;
        s.live(14 * 48, HOUR / 2).await;
        s.assert_healthy(CRM).await;
        assert_eq!(timeline(&s.connection(&id).await), ["connected"]);
        // The strict sandbox would have ended the grant at the first second use.
        assert_eq!(s.provider.grants(), ["living"]);
        assert!(s.provider.refreshes() >= 14 * 24, "{}", s.provider.refreshes());
    })
    .await;
}
