use std::time::Duration;

use super::circuit::{FAILURES, FIRST, LONGEST};
use super::*;
use crate::clock::{Clock, ManualClock, Sleep, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const BEARS: Limits = Limits {
    at_once: 2,
    per_second: 5,
};

fn turn(rooms: &Rooms, application: &str) -> Turn {
    rooms.queue_up(application, BEARS, NOW)
}

fn take(rooms: &Rooms, application: &str, now: Timestamp) -> Result<Place, NotYet> {
    turn(rooms, application).take(now)
}

#[test]
fn an_application_has_no_more_under_way_than_it_bears() {
    let rooms = Rooms::default();
    let one = take(&rooms, "a", NOW).unwrap();
    let _two = take(&rooms, "a", NOW).unwrap();
    assert_eq!(take(&rooms, "a", NOW).unwrap_err(), NotYet::Full);
    assert!(take(&rooms, "b", NOW).is_ok(), "its neighbour is not concerned");
    drop(one);
    let _three = take(&rooms, "a", NOW).unwrap();
    assert_eq!(take(&rooms, "a", NOW).unwrap_err(), NotYet::Full);
}

#[test]
fn no_more_are_begun_in_a_second_than_the_application_bears() {
    let rooms = Rooms::default();
    let begin = |now| take(&rooms, "a", now).map(|place| place.begin());
    for _ in 0..5 {
        begin(NOW).unwrap();
    }
    assert_eq!(begin(NOW), Err(NotYet::TooFast(200 * MILLI)));
    let almost = NOW.after(200 * MILLI).before(MILLI);
    assert_eq!(begin(almost), Err(NotYet::TooFast(MILLI)));
    begin(NOW.after(200 * MILLI)).unwrap();
    assert!(begin(NOW.after(200 * MILLI)).is_err());
    for _ in 0..5 {
        begin(NOW.after(10 * SECOND)).unwrap();
    }
    assert!(begin(NOW.after(10 * SECOND)).is_err());
}

#[test]
fn a_place_with_which_nothing_was_sent_is_not_counted_as_begun() {
    let rooms = Rooms::default();
    for _ in 0..50 {
        drop(take(&rooms, "a", NOW).unwrap());
    }
    for _ in 0..5 {
        take(&rooms, "a", NOW).unwrap().begin();
    }
    assert!(take(&rooms, "a", NOW).is_err());
}

#[test]
fn nobody_overtakes_and_who_does_not_come_holds_up_only_himself() {
    let rooms = Rooms::default();
    let (one, two) = (take(&rooms, "a", NOW).unwrap(), take(&rooms, "a", NOW).unwrap());
    let [mut third, mut fourth, mut fifth] = [(); 3].map(|()| turn(&rooms, "a"));
    drop(one);
    assert_eq!(fourth.take(NOW).unwrap_err(), NotYet::Full, "the place is the third's");
    drop(two);
    let _fourth = fourth.take(NOW).unwrap();
    assert_eq!(fifth.take(NOW).unwrap_err(), NotYet::Full, "one is kept for the third");
    let third_place = third.take(NOW).unwrap();
    assert_eq!(rooms.waiting("a"), 1);
    drop(third_place);
    let _fifth = fifth.take(NOW).unwrap();
    assert_eq!(rooms.waiting("a"), 0);
}

/// What a future has come to.
fn poll<T>(waiting: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match waiting.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn callers_wait_for_their_turn_and_one_that_goes_away_leaves_the_queue() {
    let (rooms, clock) = (Rooms::default(), ManualClock::at(NOW));
    let (one, two) = (take(&rooms, "a", NOW).unwrap(), take(&rooms, "a", NOW).unwrap());
    let [mut third, mut fourth, mut fifth] = [(); 3].map(|()| Box::pin(rooms.place("a", BEARS, &clock)));
    for waiting in [&mut third, &mut fourth, &mut fifth] {
        assert!(poll(waiting).is_none());
    }
    drop(one);
    assert!(poll(&mut fourth).is_none());
    drop(third);
    let _fourth = poll(&mut fourth).expect("the third has gone away");
    assert!(poll(&mut fifth).is_none());
    drop(two);
    assert!(poll(&mut fifth).is_some());
}

/// A clock whose waits end when the test says so.
struct Bell(ManualClock, std::sync::Arc<tokio::sync::Notify>);

impl Clock for Bell {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, wait: Duration) -> Sleep {
        let (until, clock, bell) = (self.now().after(wait), self.0.clone(), self.1.clone());
        Box::pin(async move {
            while clock.now() < until {
                bell.notified().await;
            }
        })
    }
}

#[test]
fn callers_wait_by_the_clock_for_what_the_rate_allows() {
    let rooms = Rooms::default();
    let clock = Bell(ManualClock::at(NOW), std::sync::Arc::default());
    for _ in 0..5 {
        take(&rooms, "a", NOW).unwrap().begin();
    }
    let mut waiting = Box::pin(rooms.place("a", BEARS, &clock));
    assert!(poll(&mut waiting).is_none());
    clock.0.advance(199 * MILLI);
    clock.1.notify_one();
    assert!(poll(&mut waiting).is_none());
    clock.0.advance(MILLI);
    clock.1.notify_one();
    assert!(poll(&mut waiting).is_some());
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
