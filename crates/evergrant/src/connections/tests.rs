use std::time::Duration;

use super::predict::{self, tell_at};
use super::schedule::{next_due, retry_wait};
use super::*;
use crate::catalog::{AuthType, Catalog, Lifetimes, Rotation};
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

/// Many connections as they are right after a refresh.
fn many(like: &Connection) -> Vec<Connection> {
    let many = (0..200).map(|_| Connection {
        id: ConnectionId::new(NOW),
        ..like.clone()
    });
    many.collect()
}

fn application(slug: &str) -> std::sync::Arc<crate::catalog::Application> {
    Catalog::load(None, None).unwrap().get(slug).unwrap().clone()
}

#[test]
fn a_grant_is_due_ahead_of_its_end_and_never_all_at_once() {
    let slack = application("slack");
    let end = NOW.after(Duration::from_hours(1));
    let (latest, earliest) = (end.before(Duration::from_mins(10)), end.before(Duration::from_mins(20)));
    let mut due: Vec<_> = many(&active())
        .iter()
        .map(|one| {
            let due = next_due(one, &slack, (NOW, DAY)).unwrap();
            assert!(due <= latest && due > earliest);
            assert_eq!(
                next_due(one, &slack, (NOW, DAY)),
                Some(due),
                "each has its own place, and keeps it"
            );
            due
        })
        .collect();
    due.sort();
    due.dedup();
    assert!(due.len() > 190, "{} different times", due.len());
    assert!(due[0] < end.before(Duration::from_mins(18)) && due[due.len() - 1] > end.before(Duration::from_mins(12)));
}

#[test]
fn a_very_short_life_is_not_refreshed_in_a_loop() {
    let slack = application("slack");
    let mut brief = active();
    brief.schedule.expires_at = Some(NOW.after(Duration::from_secs(10)));
    for one in many(&brief) {
        assert!(next_due(&one, &slack, (NOW, DAY)).unwrap() >= NOW.after(Duration::from_secs(5)));
    }
}

#[test]
fn where_a_valid_token_is_not_refreshed_it_is_due_just_after_its_end() {
    let mut strict = (*application("slack")).clone();
    strict.refreshing.early = false;
    let end = active().schedule.expires_at.unwrap();
    let mut troubled = active();
    troubled.trouble = Some(Trouble {
        verdict: Verdict::Transient,
        reason: None,
        since: NOW,
    });
    let mut idle = active();
    idle.schedule.expected = Expected {
        end: Some(NOW.after(Duration::from_mins(10))),
        basis: EndBasis::IdleLimit,
        moves: true,
    };
    for like in [active(), troubled, idle] {
        for one in many(&like) {
            let due = next_due(&one, &strict, (NOW, DAY)).unwrap();
            assert!(
                due > end && due <= end.after(Duration::from_secs(10)),
                "{:?}",
                one.trouble
            );
        }
    }
}

#[test]
fn a_grant_that_would_die_of_disuse_is_used_before() {
    let mut application = (*application("google-drive")).clone();
    application.lifetimes.idle_limit = Some(Duration::from_hours(10 * 24));
    application.lifetimes.access_token = None;
    let mut idle = active();
    idle.schedule.expires_at = None;
    idle.schedule.refresh_issued_at = Some(NOW);
    application.oauth2.as_mut().unwrap().probe = None;
    assert_eq!(
        next_due(&idle, &application, (NOW, DAY)),
        None,
        "nothing is known of its end"
    );
    idle.schedule.expected = predict::expected(&idle, &application.lifetimes, None);
    for one in many(&idle) {
        let due = next_due(&one, &application, (NOW, DAY)).unwrap();
        assert!(due >= NOW.after(Duration::from_hours(6 * 24)) && due <= NOW.after(Duration::from_hours(8 * 24)));
        let end = one.schedule.expected.end.unwrap();
        assert_eq!(
            next_due(&one, &application, (end, DAY)),
            None,
            "it works beyond what is known: no loop"
        );
    }
}

#[test]
fn a_grant_that_cannot_be_refreshed_is_looked_at_when_it_ends() {
    let slack = application("slack");
    let mut without = active();
    without.schedule.has_refresh_token = false;
    assert_eq!(next_due(&without, &slack, (NOW, DAY)), without.schedule.expires_at);
    without.schedule.expires_at = None;
    probed_apart(&without, &slack);
}

#[test]
fn a_key_is_asked_about_as_often_as_is_set() {
    let mut key = active();
    key.auth_type = AuthType::Keybased;
    key.schedule = Schedule::default();
    probed_apart(&key, &application("copper"));
}

/// Asserts that connections like this one are probed at the interval that is set, give or take a quarter, and not all at once.
fn probed_apart(like: &Connection, application: &crate::catalog::Application) {
    for every in [DAY, DAY / 4] {
        let mut due: Vec<_> = many(like)
            .iter()
            .map(|one| {
                let due = next_due(one, application, (NOW, every)).unwrap();
                assert!(due >= NOW.after(every * 3 / 4) && due <= NOW.after(every * 5 / 4));
                due
            })
            .collect();
        due.sort();
        due.dedup();
        assert!(due.len() > 190, "{} different times", due.len());
        let (first, last) = (due[0], due[due.len() - 1]);
        assert!(last.since(first) > every * 2 / 5, "they fill their room");
    }
}

#[test]
fn trouble_is_retried_at_random_later_and_later_and_at_most_hourly() {
    let (first, hour) = (Duration::from_secs(20), Duration::from_hours(1));
    assert_eq!(retry_wait(None, 0.0), first);
    assert_eq!(retry_wait(None, 1.0), 3 * first);
    assert_eq!(retry_wait(Some(10 * first), 1.0), 30 * first);
    assert_eq!(retry_wait(Some(10 * first), 0.0), first);
    assert_eq!(retry_wait(Some(hour), 1.0), hour);
    let mut troubled = active();
    troubled.trouble = Some(Trouble {
        verdict: Verdict::Transient,
        reason: None,
        since: NOW,
    });
    troubled.schedule.retry_wait = Some(hour / 2);
    assert_eq!(
        next_due(&troubled, &application("slack"), (NOW, DAY)),
        Some(NOW.after(hour / 2))
    );
}

const WEEK: Duration = Duration::from_hours(7 * 24);
const DAY: Duration = Duration::from_hours(24);

fn lifetimes(change: impl FnOnce(&mut Lifetimes)) -> Lifetimes {
    let mut lifetimes = Lifetimes {
        rotation: Rotation::Always,
        ..Lifetimes::default()
    };
    change(&mut lifetimes);
    lifetimes
}

#[test]
fn the_first_end_that_is_known_is_the_expected_one_and_says_how_it_is_known() {
    let mut c = active();
    c.schedule.refresh_issued_at = Some(NOW);
    let expected = |c: &Connection, known: &Lifetimes| predict::expected(c, known, None);
    let nothing = expected(&c, &lifetimes(|_| {}));
    assert_eq!((nothing.end, nothing.basis), (None, EndBasis::Unknown));
    let known = lifetimes(|known| {
        known.refresh_token = Some(30 * DAY);
        known.idle_limit = Some(60 * DAY);
    });
    let by_lifetime = expected(&c, &known);
    assert_eq!(
        (by_lifetime.end, by_lifetime.basis),
        (Some(NOW.after(30 * DAY)), EndBasis::KnownLifetime)
    );
    c.schedule.refresh_expires_at = Some(NOW.after(90 * DAY));
    let by_disuse = expected(&c, &known);
    assert_eq!(
        (by_disuse.end, by_disuse.basis, by_disuse.moves),
        (Some(NOW.after(60 * DAY)), EndBasis::IdleLimit, true)
    );
    c.schedule.refresh_expires_at = Some(NOW.after(DAY));
    let stated = expected(&c, &known);
    assert_eq!((stated.end, stated.basis), (Some(NOW.after(DAY)), EndBasis::Stated));
    let grant = lifetimes(|known| known.grant = Some(DAY / 2));
    let of_grant = expected(&c, &grant);
    assert_eq!(
        (of_grant.end, of_grant.moves),
        (Some(NOW.after(DAY / 2)), false),
        "whatever is refreshed"
    );
    c.schedule.has_refresh_token = false;
    assert_eq!(
        expected(&c, &known),
        c.schedule.expected,
        "it ends with its access token"
    );
}

#[test]
fn an_end_that_a_refresh_has_moved_moves_and_one_that_stayed_stays() {
    let mut c = active();
    let before = |end| Schedule {
        refresh_expires_at: Some(end),
        ..Schedule::default()
    };
    let end = NOW.after(3 * DAY);
    c.schedule.refresh_expires_at = Some(end);
    let moves = |rotation: Rotation, before: Option<&Schedule>| {
        let known = lifetimes(|known| known.rotation = rotation);
        predict::expected(&c, &known, before).moves
    };
    assert!(
        !moves(Rotation::None, None),
        "the same token goes on living, and ends when it said"
    );
    assert!(moves(Rotation::Always, None));
    assert!(
        !moves(Rotation::Always, Some(&before(end))),
        "a new token with the same end"
    );
    assert!(moves(Rotation::None, Some(&before(NOW.after(2 * DAY)))));
}

#[test]
fn the_team_is_told_once_of_an_end_that_will_come_and_of_a_moving_one_only_in_trouble() {
    let mut c = active();
    let end = NOW.after(30 * DAY);
    c.schedule.expected = Expected {
        end: Some(end),
        basis: EndBasis::Stated,
        moves: false,
    };
    assert_eq!(tell_at(&c, WEEK), Some(end.before(WEEK)));
    assert!(!expires_soon(&c));
    c.schedule.told_end = Some(end);
    assert_eq!(tell_at(&c, WEEK), None);
    assert!(expires_soon(&c));
    c.schedule.told_end = Some(end.before(DAY));
    assert!(tell_at(&c, WEEK).is_some(), "another end");
    c.schedule.expected.moves = true;
    assert_eq!(tell_at(&c, WEEK), None);
    c.schedule.told_end = Some(end);
    assert!(!expires_soon(&c));
    c.schedule.told_end = None;
    c.trouble = Some(Trouble {
        verdict: Verdict::Transient,
        reason: None,
        since: NOW,
    });
    assert!(tell_at(&c, WEEK).is_some());
    c.schedule.told_end = Some(end);
    assert!(expires_soon(&c));
    c.schedule.told_end = None;
    let flagged = Connection {
        status: flagged().status,
        ..c
    };
    assert_eq!(tell_at(&flagged, WEEK), None, "worse has happened");
}

#[test]
fn a_flagged_grant_is_tried_daily_for_a_month() {
    let slack = application("slack");
    let due = next_due(&flagged(), &slack, (NOW, DAY)).unwrap();
    assert!(due >= NOW.after(DAY.mul_f64(0.75)) && due <= NOW.after(DAY.mul_f64(1.25)));
    assert!(
        next_due(
            &flagged(),
            &slack,
            (NOW.after(30 * DAY).before(Duration::from_millis(1)), DAY)
        )
        .is_some()
    );
    assert_eq!(next_due(&flagged(), &slack, (NOW.after(30 * DAY), DAY)), None);
}
