use std::time::Duration;

use super::*;
use crate::catalog::AuthType;
use crate::clock::Timestamp;
use crate::connections::{Connection, ConnectionStatus, Schedule};
use crate::ids::{AccountId, ConnectionId, TenantId};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn connection(auth_type: AuthType, schedule: Schedule) -> Connection {
    Connection {
        id: ConnectionId::new(NOW),
        tenant: TenantId::new(NOW),
        account: AccountId::new(NOW),
        slug: "slack".into(),
        auth_type,
        status: ConnectionStatus::Active,
        trouble: None,
        failures: 0,
        identifier: None,
        version: 1,
        fence: 1,
        sealed: None,
        schedule,
        last_ok_at: None,
        reply_lost_at: None,
        connected_at: NOW,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn grant(refreshable: bool) -> Connection {
    let schedule = Schedule {
        has_refresh_token: refreshable,
        issued_at: Some(NOW),
        expires_at: Some(NOW.after(HOUR)),
        due_at: Some(NOW.after(HOUR / 2)),
        ..Schedule::default()
    };
    connection(AuthType::OAuth2, schedule)
}

/// The plan where the provider lets valid tokens be refreshed.
fn at(c: &Connection, why: Why, now: Timestamp) -> Plan {
    plan(c, why, (true, now))
}

#[test]
fn a_grant_is_renewed_when_it_is_due_and_not_before() {
    let due = NOW.after(HOUR / 2);
    assert_eq!(
        at(&grant(true), Why::Due, due.before(Duration::from_millis(1))),
        Plan::UseAsIs
    );
    assert_eq!(at(&grant(true), Why::Due, due), Plan::Renew);
}

#[test]
fn a_forced_renewal_does_not_ask_how_old_the_token_is() {
    assert_eq!(at(&grant(true), Why::Forced, NOW), Plan::Renew);
}

#[test]
fn a_refused_token_is_renewed_unless_a_newer_one_is_stored() {
    let held = grant(true);
    let refused = |version| at(&held, Why::Refused { version }, NOW);
    assert_eq!(refused(held.version), Plan::Renew);
    assert_eq!(refused(held.version - 1), Plan::UseAsIs);
    let key = connection(AuthType::Keybased, Schedule::default());
    assert_eq!(at(&key, Why::Refused { version: 1 }, NOW), Plan::UseAsIs);
    let checked = |version| at(&held, Why::Checked { version }, NOW);
    assert_eq!(checked(held.version), Plan::Renew);
    assert_eq!(
        checked(held.version - 1),
        Plan::UseAsIs,
        "somebody has renewed it meanwhile"
    );
}

#[test]
fn a_use_renews_just_inside_what_it_needs() {
    let why = Why::Use {
        need: Duration::from_mins(20),
    };
    // Twenty minutes, and five for clocks that are apart.
    assert_eq!(at(&grant(true), why, NOW.after(Duration::from_mins(34))), Plan::UseAsIs);
    assert_eq!(at(&grant(true), why, NOW.after(Duration::from_mins(35))), Plan::Renew);
}

#[test]
fn a_use_finds_what_it_needs_though_the_clock_that_wrote_the_end_was_ahead() {
    let need = Duration::from_secs(30);
    let now = NOW.after(HOUR).before(need);
    // By a clock five minutes behind there is more left than there is.
    assert_eq!(at(&grant(true), Why::Use { need }, now.before(CLOCKS)), Plan::Renew);
}

#[test]
fn a_use_that_needs_longer_than_tokens_live_does_not_renew_every_time() {
    let why = Why::Use {
        need: Duration::from_hours(24),
    };
    let ten = Duration::from_mins(10);
    assert_eq!(
        at(&grant(true), why, NOW.after(ten).before(Duration::from_millis(1))),
        Plan::UseAsIs
    );
    assert_eq!(
        at(&grant(true), why, NOW.after(ten)),
        Plan::Renew,
        "fifty minutes are what a new one has left for sure"
    );
}

#[test]
fn an_ended_token_without_a_refresh_token_needs_the_customer() {
    let end = NOW.after(HOUR);
    for why in [Why::Due, Why::Forced, Why::Use { need: HOUR }] {
        // By our clock it has ended: the provider is asked, until no clock can say otherwise.
        assert_eq!(at(&grant(false), why, end), Plan::Ask, "{why:?}");
        let certain = end.after(CLOCKS);
        assert_eq!(
            at(&grant(false), why, certain.before(Duration::from_millis(1))),
            Plan::Ask
        );
        assert_eq!(at(&grant(false), why, certain), Plan::Reauthorize, "{why:?}");
    }
    assert_eq!(at(&grant(false), Why::Due, end.before(HOUR)), Plan::UseAsIs);
    assert_eq!(at(&grant(false), Why::Forced, end.before(HOUR)), Plan::Ask);
}

#[test]
fn a_token_without_an_end_and_nothing_to_refresh_it_with_is_asked_about_when_due() {
    let mut endless = grant(false);
    endless.schedule.expires_at = None;
    let due = NOW.after(HOUR / 2);
    assert_eq!(
        at(&endless, Why::Due, due.before(Duration::from_millis(1))),
        Plan::UseAsIs
    );
    assert_eq!(at(&endless, Why::Due, due), Plan::Ask);
    // A call does not wait for that.
    for why in [Why::Use { need: HOUR }, Why::Refused { version: 1 }] {
        assert_eq!(at(&endless, why, due), Plan::UseAsIs, "{why:?}");
    }
}

#[test]
fn a_token_that_its_provider_would_not_refresh_yet_is_left_until_it_has_ended() {
    let (before, end) = (NOW.after(HOUR).before(Duration::from_millis(1)), NOW.after(HOUR));
    let refused = Why::Refused { version: 1 };
    for why in [Why::Forced, Why::Use { need: HOUR }] {
        assert_eq!(plan(&grant(true), why, (false, before)), Plan::UseAsIs, "{why:?}");
        assert_eq!(plan(&grant(true), why, (false, end)), Plan::Renew, "{why:?}");
    }
    assert_eq!(
        plan(&grant(true), refused, (false, before)),
        Plan::Renew,
        "its own word that it has ended"
    );
}

#[test]
fn a_key_is_asked_about_when_due_or_demanded() {
    let key = connection(
        AuthType::Keybased,
        Schedule {
            due_at: Some(NOW.after(HOUR)),
            ..Schedule::default()
        },
    );
    assert_eq!(at(&key, Why::Due, NOW), Plan::UseAsIs);
    assert_eq!(at(&key, Why::Due, NOW.after(HOUR)), Plan::Ask);
    assert_eq!(at(&key, Why::Forced, NOW), Plan::Ask);
}
