use std::time::Duration;

use super::circuit::{FAILURES, FIRST, LONGEST};
use super::*;
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const BEARS: Limits = Limits {
    at_once: 2,
    per_second: 5,
};

#[test]
fn an_application_has_no_more_under_way_than_it_bears() {
    let rooms = Rooms::default();
    assert_eq!(rooms.free("a", BEARS, NOW), 2);
    let one = rooms.take("a", BEARS, NOW);
    let _two = rooms.take("a", BEARS, NOW);
    assert_eq!(rooms.free("a", BEARS, NOW), 0);
    assert_eq!(rooms.free("b", BEARS, NOW), 2, "its neighbour is not concerned");
    drop(one);
    assert_eq!(rooms.free("a", BEARS, NOW), 1);
}

#[test]
fn no_more_are_begun_in_a_second_than_the_application_bears() {
    let rooms = Rooms::default();
    for _ in 0..5 {
        drop(rooms.take("a", BEARS, NOW));
    }
    assert_eq!(rooms.free("a", BEARS, NOW), 0);
    assert_eq!(rooms.free("a", BEARS, NOW.after(200 * MILLI).before(MILLI)), 0);
    assert_eq!(rooms.free("a", BEARS, NOW.after(200 * MILLI)), 1);
    drop(rooms.take("a", BEARS, NOW.after(200 * MILLI)));
    assert_eq!(rooms.free("a", BEARS, NOW.after(10 * SECOND)), 2);
}

/// A circuit that has just opened, and until when.
fn opened(circuits: &Circuits) -> Timestamp {
    for _ in 0..FAILURES {
        circuits.enter("e", NOW).unwrap().failed(0.0, NOW);
    }
    circuits.enter("e", NOW).unwrap_err()
}

#[test]
fn failures_in_a_row_open_the_circuit_and_an_answer_in_between_does_not() {
    let circuits = Circuits::default();
    for _ in 1..FAILURES {
        circuits.enter("e", NOW).unwrap().failed(0.0, NOW);
    }
    circuits.enter("e", NOW).unwrap().answered();
    for _ in 1..FAILURES {
        circuits.enter("e", NOW).unwrap().failed(0.0, NOW);
    }
    let last = circuits.enter("e", NOW).unwrap();
    last.failed(0.0, NOW);
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), NOW.after(FIRST));
    assert_eq!(circuits.admits("e", NOW), Some(0));
    assert!(circuits.enter("other", NOW).is_ok());
    assert_eq!(circuits.admits("other", NOW), None);
}

#[test]
fn one_request_tries_whether_it_works_again() {
    let circuits = Circuits::default();
    let until = opened(&circuits);
    assert!(circuits.enter("e", until.before(MILLI)).is_err());
    assert_eq!(circuits.admits("e", until), Some(1));
    let tries = circuits.enter("e", until).unwrap();
    assert!(circuits.enter("e", until).is_err(), "one at a time");
    assert_eq!(circuits.admits("e", until), Some(0));
    drop(tries);
    let tries = circuits.enter("e", until).expect("the one that tried has gone away");
    tries.failed(0.9, until);
    let longer = circuits.enter("e", until).unwrap_err();
    assert!(longer > until.after(FIRST), "it fails again: left alone for longer");
    circuits.enter("e", longer).unwrap().answered();
    assert!(circuits.enter("e", longer).is_ok() && circuits.enter("e", longer).is_ok());
}

#[test]
fn who_is_asked_in_any_case_counts_too() {
    let circuits = Circuits::default();
    opened(&circuits);
    circuits.enter_anyhow("e").answered();
    assert!(circuits.enter("e", NOW).is_ok());
}

#[test]
fn an_endpoint_that_asks_for_patience_gets_it_and_not_for_ever() {
    let circuits = Circuits::default();
    circuits.enter("e", NOW).unwrap().told_to_wait(SECOND, NOW);
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), NOW.after(SECOND));
    circuits
        .enter("e", NOW.after(SECOND))
        .unwrap()
        .told_to_wait(24 * 60 * LONGEST, NOW);
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), NOW.after(LONGEST));
}

#[test]
fn what_was_sent_before_the_wait_was_asked_for_does_not_end_it() {
    let circuits = Circuits::default();
    let [told, late, longer, shorter] = [(); 4].map(|()| circuits.enter("e", NOW).unwrap());
    told.told_to_wait(10 * SECOND, NOW);
    late.answered();
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), NOW.after(10 * SECOND));
    longer.told_to_wait(20 * SECOND, NOW);
    shorter.told_to_wait(SECOND, NOW);
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), NOW.after(20 * SECOND));
    // One that is sent all the same shows how things are.
    circuits.enter_anyhow("e").answered();
    assert!(circuits.enter("e", NOW).is_ok());
}

#[test]
fn the_failures_of_one_moment_open_the_circuit_once_and_late_successes_do_not_close_it() {
    let circuits = Circuits::default();
    let mut under_way: Vec<_> = (0..16).map(|_| circuits.enter("e", NOW).unwrap()).collect();
    let late = under_way.split_off(14);
    for pass in under_way {
        pass.failed(0.9, NOW);
    }
    let until = circuits.enter("e", NOW).unwrap_err();
    assert!(until <= NOW.after(3 * FIRST), "as long as the first time");
    for pass in late {
        pass.answered();
    }
    assert_eq!(circuits.enter("e", NOW).unwrap_err(), until);
}

#[test]
fn failures_of_what_was_sent_before_the_last_answer_do_not_open_the_circuit() {
    let circuits = Circuits::default();
    let hanging: Vec<_> = (0..16).map(|_| circuits.enter("e", NOW).unwrap()).collect();
    let until = opened(&circuits);
    circuits.enter("e", until).unwrap().answered();
    for pass in hanging {
        pass.failed(0.9, until);
    }
    assert!(circuits.enter("e", until).is_ok());
    let hanging: Vec<_> = (0..16).map(|_| circuits.enter("e", until).unwrap()).collect();
    circuits.enter("e", until).unwrap().answered();
    for pass in hanging {
        pass.failed(0.9, until);
    }
    assert!(circuits.enter("e", until).is_ok());
}

#[test]
fn one_that_tries_for_an_earlier_pause_gives_no_second_one_the_right_to_try() {
    let circuits = Circuits::default();
    let until = opened(&circuits);
    let earlier = circuits.enter("e", until).unwrap();
    circuits.enter_anyhow("e").failed(0.0, until);
    let again = circuits.enter("e", until).unwrap_err();
    let _tries = circuits.enter("e", again).unwrap();
    drop(earlier);
    assert!(circuits.enter("e", again).is_err(), "one at a time");
}

#[test]
fn of_an_endpoint_that_works_nothing_is_remembered() {
    let circuits = Circuits::default();
    let (one, two) = (circuits.enter("e", NOW).unwrap(), circuits.enter_anyhow("e"));
    one.answered();
    assert_eq!(circuits.remembered(), 1);
    drop(two);
    assert_eq!(circuits.remembered(), 0);
    opened(&circuits);
    assert_eq!(circuits.remembered(), 1);
}
