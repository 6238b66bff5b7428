use std::time::Duration;

use super::schedule::next_due;
use super::*;
use crate::catalog::{AuthType, Catalog};
use crate::clock::Timestamp;
use crate::ids::{AccountId, ConnectionId, TenantId};
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::{Evidence, Judgement};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn active() -> Connection {
    Connection {
        id: ConnectionId::new(NOW),
        tenant: TenantId::new(NOW),
        account: AccountId::new(NOW),
        slug: "slack".into(),
        auth_type: AuthType::OAuth2,
        status: ConnectionStatus::Active,
        trouble: None,
        failures: 0,
        identifier: None,
        version: 1,
        fence: 1,
        sealed: None,
        schedule: Schedule {
            has_refresh_token: true,
            issued_at: Some(NOW),
            expires_at: Some(NOW.after(Duration::from_hours(1))),
            ..Schedule::default()
        },
        last_ok_at: Some(NOW),
        reply_lost_at: None,
        connected_at: NOW,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn judged(verdict: Verdict, reason: Option<Reason>, confidence: Confidence) -> Judgement {
    let evidence = Evidence {
        rule: "test".into(),
        words: String::new(),
        status: 400,
    };
    Judgement {
        verdict,
        reason,
        confidence,
        evidence,
    }
}

fn flagged() -> Connection {
    let judgement = judged(Verdict::Reauth, Some(Reason::TokenRevoked), Confidence::Stated);
    let Change::Flagged(flag) = transition(&active(), &judgement, NOW) else {
        panic!("not flagged")
    };
    Connection {
        status: ConnectionStatus::ReauthRequired(flag),
        ..active()
    }
}

#[test]
fn only_proof_flags_an_active_connection() {
    use Confidence::{Inferred, Stated};
    for verdict in Verdict::ALL {
        for reason in Reason::ALL {
            for confidence in [Stated, Inferred] {
                let change = transition(&active(), &judged(*verdict, Some(*reason), confidence), NOW);
                let proof = match verdict {
                    Verdict::Reauth => reason.may_flag(),
                    Verdict::AppBroken => *reason == Reason::OauthAppDeleted && confidence == Stated,
                    _ => false,
                };
                assert_eq!(
                    matches!(change, Change::Flagged(_)),
                    proof,
                    "{verdict} {reason} {confidence}"
                );
            }
        }
    }
}

#[test]
fn a_flagged_connection_keeps_its_first_reason_and_heals_when_it_works() {
    let again = judged(Verdict::Reauth, Some(Reason::UserDisabled), Confidence::Stated);
    assert_eq!(transition(&flagged(), &again, NOW), Change::Nothing);
    let passing = judged(Verdict::Transient, Some(Reason::ProviderOutage), Confidence::Inferred);
    assert_eq!(transition(&flagged(), &passing, NOW), Change::Nothing);
    let works = judged(Verdict::Ok, None, Confidence::Stated);
    assert_eq!(transition(&flagged(), &works, NOW), Change::Healed);
}

#[test]
fn trouble_keeps_its_beginning_and_ends_when_it_works() {
    let passing = judged(Verdict::Transient, Some(Reason::ProviderOutage), Confidence::Inferred);
    let Change::Troubled(first) = transition(&active(), &passing, NOW) else {
        panic!("no trouble")
    };
    let troubled = Connection {
        trouble: Some(first),
        failures: 1,
        ..active()
    };
    let later = NOW.after(Duration::from_mins(5));
    let Change::Troubled(second) = transition(&troubled, &passing, later) else {
        panic!("no trouble")
    };
    assert_eq!(second.since, NOW);
    let works = judged(Verdict::Ok, None, Confidence::Stated);
    assert_eq!(transition(&troubled, &works, later), Change::Recovered);
    assert_eq!(transition(&active(), &works, later), Change::Nothing);
}

#[test]
fn nothing_happens_to_a_connection_that_has_ended() {
    let ended = Connection {
        status: ConnectionStatus::Disconnected { at: NOW },
        ..active()
    };
    for verdict in Verdict::ALL {
        let judgement = judged(*verdict, Some(Reason::TokenRevoked), Confidence::Stated);
        assert_eq!(transition(&ended, &judgement, NOW), Change::Nothing);
    }
}

#[test]
fn a_grant_is_due_ahead_of_its_end_and_never_all_at_once() {
    let catalog = Catalog::load(None, None).unwrap();
    let slack = catalog.get("slack").unwrap();
    let end = NOW.after(Duration::from_hours(1));
    let due = |jitter: f64| next_due(&active(), slack, jitter, NOW).unwrap();
    assert_eq!(due(0.0), end.before(Duration::from_mins(10)));
    assert!(due(0.999) < due(0.0) && due(0.999) >= end.before(Duration::from_mins(20)));
}

#[test]
fn a_very_short_life_is_not_refreshed_in_a_loop() {
    let catalog = Catalog::load(None, None).unwrap();
    let slack = catalog.get("slack").unwrap();
    let mut brief = active();
    brief.schedule.expires_at = Some(NOW.after(Duration::from_secs(10)));
    assert!(next_due(&brief, slack, 0.9, NOW).unwrap() >= NOW.after(Duration::from_secs(5)));
}

#[test]
fn a_grant_that_cannot_be_refreshed_is_looked_at_when_it_ends() {
    let catalog = Catalog::load(None, None).unwrap();
    let slack = catalog.get("slack").unwrap();
    let mut without = active();
    without.schedule.has_refresh_token = false;
    assert_eq!(next_due(&without, slack, 0.5, NOW), without.schedule.expires_at);
    without.schedule.expires_at = None;
    let about_a_day = next_due(&without, slack, 0.5, NOW).unwrap();
    assert_eq!(about_a_day, NOW.after(Duration::from_hours(24)));
}

#[test]
fn trouble_is_retried_later_each_time_and_at_most_hourly() {
    let waits: Vec<_> = (1..10)
        .map(|failures| retry_after_failures(failures, 0.5).as_secs())
        .collect();
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    assert!(retry_after_failures(u32::MAX, 0.99) <= Duration::from_mins(75));
}

#[test]
fn a_flagged_grant_is_tried_daily_for_a_month() {
    let catalog = Catalog::load(None, None).unwrap();
    let slack = catalog.get("slack").unwrap();
    let day = |n: u64| NOW.after(Duration::from_hours(24 * n));
    assert_eq!(next_due(&flagged(), slack, 0.5, NOW), Some(day(1)));
    assert_eq!(next_due(&flagged(), slack, 0.5, day(30)), None);
}
