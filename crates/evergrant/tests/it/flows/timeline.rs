//! "Why was I flagged?": what changed something, and the last few observations that did not.

use std::time::Duration;

use evergrant::connections::KEPT_UNCHANGED;
use evergrant::sandbox::{Cause, Weather};
use serde_json::Value;

use crate::support::{CRM, SMS, Story, story, timeline};

const HOUR: Duration = Duration::from_hours(1);

/// The observations that changed nothing, the oldest first.
fn unchanged(connection: &Value) -> Vec<Value> {
    let entries = connection["timeline"].as_array().unwrap();
    let observed = entries.iter().filter(|entry| entry["event"] == "observed");
    observed.rev().cloned().collect()
}

async fn weather(s: &Story, down: bool) {
    s.provider.weather(Weather {
        down,
        ..Weather::default()
    });
    s.live(12, HOUR).await;
}

#[tokio::test]
async fn the_last_few_observations_that_changed_nothing_stay_with_what_changed() {
    story(async |s| {
        let id = s.connect().await;
        s.live(24, HOUR).await;
        let well = s.connection(&id).await;
        assert!(
            unchanged(&well).is_empty(),
            "refreshes that go well are told by their times: {well}"
        );

        weather(&s, true).await;
        let troubled = s.connection(&id).await;
        assert_eq!(timeline(&troubled), ["connected", "trouble"]);
        let few = unchanged(&troubled);
        assert_eq!(few.len(), KEPT_UNCHANGED as usize, "{troubled}");
        for one in &few {
            assert_eq!(
                (&one["verdict"], &one["reason"]),
                (&"transient".into(), &"provider_outage".into())
            );
            assert_eq!(one["evidence"]["rule"], "generic.outage.status", "{one}");
            assert!(!one["evidence"]["source"].as_str().unwrap().is_empty());
        }
        assert!(
            few.windows(2)
                .all(|pair| pair[0]["at"].as_str() < pair[1]["at"].as_str())
        );

        s.provider.fair();
        s.provider.strike(Cause::TokenRevoked);
        s.live(2, HOUR).await;
        let flagged = s.connection(&id).await;
        assert_eq!(timeline(&flagged), ["connected", "trouble", "flagged"]);
        assert_eq!(unchanged(&flagged), few, "what was seen before stays");
        s.act(&id, "check").await;
        let again = s.connection(&id).await;
        assert_eq!(timeline(&again), ["connected", "trouble", "flagged"]);
        let newest = unchanged(&again).pop().unwrap();
        assert_eq!(newest["verdict"], "reauth", "flagged already: {newest}");
        assert_eq!(unchanged(&again)[..4], few[1..], "and the oldest makes room");

        s.disconnect(CRM, "").await;
        let ended = s.connection(&id).await;
        assert!(unchanged(&ended).iter().all(|one| one["evidence"].is_null()), "{ended}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_asked_about_and_well_says_when() {
    story(async |s| {
        let id = s.connect_key().await;
        s.live(20, 24 * HOUR).await;
        let well = s.connection(&id).await;
        assert_eq!(timeline(&well), ["connected"]);
        let few = unchanged(&well);
        assert_eq!(few.len(), KEPT_UNCHANGED as usize, "{well}");
        assert!(few.iter().all(|one| one["verdict"] == "ok"), "{well}");
        s.assert_healthy(SMS).await;
    })
    .await;
}
