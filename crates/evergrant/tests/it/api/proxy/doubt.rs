//! Refusals that prove nothing, and calls that prove a key alive.

use std::time::Duration;

use evergrant::connections::{Connection, store};
use evergrant::refresh;
use tokio_util::sync::CancellationToken;

use super::world::{ASKED_GRANT, Reply, Seen, World, on_both, reply, rotating};

const HOUR: Duration = Duration::from_hours(1);

/// How often it was asked who one is.
fn asked(w: &World) -> usize {
    let seen = w.provider.seen();
    seen.iter().filter(|one| one.target == "/base/whoami").count()
}

/// Calls are refused without a word; the question who one is gets `answer`.
fn refusing(status: u16, answer: &'static str) -> impl FnMut(&Seen) -> Reply + Send {
    move |seen: &Seen| match seen.target.as_str() {
        "/base/whoami" => reply(status, answer),
        _ => reply(401, ""),
    }
}

fn refuse_calls(w: &World, status: u16, answer: &'static str) {
    w.provider.answers(refusing(status, answer));
}

async fn observed(w: &World, c: &Connection) -> Vec<String> {
    let mut conn = w.t.app.db.read().await.unwrap();
    let told = store::timeline(&mut conn, &c.tenant, &c.id).await.unwrap();
    let rule = |entry: store::TimelineEntry| entry.evidence.map(|evidence| evidence.rule);
    told.into_iter().filter_map(rule).collect()
}

#[tokio::test]
async fn a_refusal_without_a_word_is_looked_into_once_and_alarms_nobody_while_the_key_lives() {
    on_both(async |w| {
        let c = w.keys("asked", &[("key", "k")]).await;
        w.t.clock.advance(HOUR);
        refuse_calls(&w, 200, r#"{"id":"me"}"#);
        for _ in 0..5 {
            let answer = w.get("asked/things").send().await;
            assert_eq!(
                (answer.status.as_u16(), answer.text.as_str()),
                (401, ""),
                "it is the caller's"
            );
        }
        assert_eq!(asked(&w), 1);
        let after = w.find(&c).await;
        assert!(!after.is_flagged() && after.last_ok_at == Some(w.t.app.now()));
        let mut told = observed(&w, &c).await;
        told.sort();
        assert_eq!(
            told,
            ["generic.call.refused", "generic.call.success"],
            "what was seen is kept"
        );
        w.t.clock.advance(Duration::from_mins(1));
        w.get("asked/things").send().await;
        assert_eq!(asked(&w), 2);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_without_a_word_of_a_dead_key_flags_it_after_one_question() {
    on_both(async |w| {
        let c = w.keys("asked", &[("key", "k")]).await;
        refuse_calls(&w, 401, r#"{"error":"invalid_api_key"}"#);
        let answer = w.get("asked/things").send().await;
        assert_eq!((answer.status.as_u16(), asked(&w)), (409, 1), "{}", answer.text);
        let flag = w.find(&c).await.status.flag().cloned().unwrap();
        assert_eq!(flag.evidence.words, "invalid_api_key", "the better witness is quoted");
    })
    .await;
}

#[tokio::test]
async fn while_nobody_can_be_asked_nobody_is_alarmed() {
    let w = World::sqlite().await;
    let c = w.keys("asked", &[("key", "k")]).await;
    refuse_calls(&w, 503, "");
    assert_eq!(w.get("asked/things").send().await.status, 401);
    let after = w.find(&c).await;
    assert!(!after.is_flagged() && after.trouble.is_some());
    // It is asked again soon, by itself.
    refuse_calls(&w, 401, r#"{"error":"invalid_api_key"}"#);
    w.t.clock.advance(Duration::from_mins(2));
    refresh::run_due(&w.t.app, &CancellationToken::new()).await.unwrap();
    assert!(w.find(&c).await.is_flagged());
}

#[tokio::test]
async fn a_refusal_that_says_why_needs_no_question() {
    let w = World::sqlite().await;
    let c = w.keys("asked", &[("key", "k")]).await;
    w.provider.answers(|_| reply(401, r#"{"error":"invalid_api_key"}"#));
    assert_eq!(w.get("asked/things").send().await.status, 409);
    assert!(w.find(&c).await.is_flagged() && asked(&w) == 0);
}

/// Four weeks, with a call every six hours or none; says how often it was asked who one is.
async fn four_weeks(in_use: bool) -> usize {
    let w = World::sqlite().await;
    w.keys("asked", &[("key", "k")]).await;
    for _ in 0..28 * 4 {
        w.t.clock.advance(6 * HOUR);
        if in_use {
            w.get("asked/things").ok().await;
        }
        refresh::run_due(&w.t.app, &CancellationToken::new()).await.unwrap();
    }
    asked(&w)
}

#[tokio::test]
async fn traffic_spares_probes_and_a_key_in_daily_use_is_asked_about_all_the_same() {
    let (idle, busy) = (four_weeks(false).await, four_weeks(true).await);
    assert!((15..=40).contains(&idle), "about once a day: {idle}");
    assert!((2..=10).contains(&busy), "about once a week: {busy}");
}

#[tokio::test]
async fn a_key_that_stops_being_used_is_asked_about_within_a_day_and_a_half() {
    let w = World::sqlite().await;
    w.keys("asked", &[("key", "k")]).await;
    for _ in 0..12 {
        w.t.clock.advance(6 * HOUR);
        w.get("asked/things").ok().await;
        refresh::run_due(&w.t.app, &CancellationToken::new()).await.unwrap();
    }
    let before = asked(&w);
    for _ in 0..6 {
        w.t.clock.advance(6 * HOUR);
        refresh::run_due(&w.t.app, &CancellationToken::new()).await.unwrap();
    }
    assert!(asked(&w) > before);
}

#[tokio::test]
async fn a_token_without_a_refresh_token_refused_without_a_word_is_looked_into_once() {
    on_both(async |w| {
        let c = w.grant_with(ASKED_GRANT, None).await;
        w.t.clock.advance(HOUR);
        refuse_calls(&w, 200, r#"{"id":"me"}"#);
        for _ in 0..5 {
            assert_eq!(
                w.get("asked-grant/things").send().await.status,
                401,
                "it is the caller's"
            );
        }
        assert_eq!(asked(&w), 1);
        let after = w.find(&c).await;
        assert!(!after.is_flagged() && after.last_ok_at == Some(w.t.app.now()));
        w.t.clock.advance(Duration::from_mins(1));
        w.get("asked-grant/things").send().await;
        assert_eq!(asked(&w), 2);
        // It dies: one question, and its answer is quoted.
        w.t.clock.advance(Duration::from_mins(1));
        refuse_calls(&w, 401, r#"{"error":"token_revoked"}"#);
        let answer = w.get("asked-grant/things").send().await;
        assert_eq!((answer.status.as_u16(), asked(&w)), (409, 3), "{}", answer.text);
        let flag = w.find(&c).await.status.flag().cloned().unwrap();
        assert_eq!(flag.evidence.words, "token_revoked", "the better witness is quoted");
    })
    .await;
}

#[tokio::test]
async fn a_fresh_token_refused_without_a_word_is_looked_into_and_alarms_nobody_while_it_lives() {
    on_both(async |w| {
        let c = w.grant(ASKED_GRANT).await;
        w.t.clock.advance(Duration::from_mins(2));
        w.provider.answers(rotating(refusing(200, r#"{"id":"me"}"#)));
        let answer = w.get("asked-grant/things").send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (401, ""),
            "it is the caller's"
        );
        let (after, seen) = (w.find(&c).await, w.provider.seen());
        assert!(!after.is_flagged() && after.version > c.version);
        let question = seen.iter().find(|one| one.target == "/base/whoami").unwrap();
        assert_eq!(
            (asked(&w), question.header("authorization")),
            (1, Some("Bearer at-2")),
            "with the token that was refused"
        );
        w.get("asked-grant/things").send().await;
        assert_eq!(asked(&w), 1, "once a minute");
        assert!(!w.find(&c).await.is_flagged());
    })
    .await;
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_by_the_question_too_is_proof() {
    on_both(async |w| {
        let c = w.grant(ASKED_GRANT).await;
        w.t.clock.advance(Duration::from_mins(2));
        w.provider
            .answers(rotating(refusing(401, r#"{"error":"token_revoked"}"#)));
        let answer = w.get("asked-grant/things").send().await;
        assert_eq!((answer.status.as_u16(), asked(&w)), (409, 1), "{}", answer.text);
        let flag = w.find(&c).await.status.flag().cloned().unwrap();
        assert_eq!(flag.evidence.words, "token_revoked", "the better witness is quoted");
    })
    .await;
}

#[tokio::test]
async fn a_token_without_an_end_is_asked_about_by_the_sweep_and_flagged_when_it_has_died() {
    on_both(async |w| {
        let c = w.grant_with(ASKED_GRANT, None).await;
        let live = async || {
            for _ in 0..6 {
                w.t.clock.advance(6 * HOUR);
                refresh::run_due(&w.t.app, &CancellationToken::new()).await.unwrap();
            }
        };
        live().await;
        let before = asked(&w);
        assert!((1..=2).contains(&before), "about once a day: {before}");
        assert!(w.find(&c).await.last_ok_at.is_some());
        refuse_calls(&w, 401, r#"{"error":"token_revoked"}"#);
        live().await;
        let flag = w.find(&c).await.status.flag().cloned().unwrap();
        assert_eq!((flag.reason.as_str(), asked(&w)), ("token_revoked", before + 1));
    })
    .await;
}
