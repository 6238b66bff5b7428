//! Concurrency and rate, per application.
//!
//! Whoever wants a place takes a turn in its application's queue, a caller and the sweep alike, and as many from its head go in
//! as there are places. So nobody overtakes, and who does not come for his place holds up nobody but himself. Callers wait; the
//! sweep, which has other things to do, comes again.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};

/// What one request costs of the credit that the rate refills.
const ONE: u64 = 1000;

/// What an application bears from one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way.
    pub at_once: u32,
    /// Requests begun in a second; as many may be begun in one go after a pause.
    pub per_second: u32,
}

impl Limits {
    /// The most that one application may have under way: half of what a process has of all, so that one that hangs leaves the
    /// other half to the others.
    pub const MOST_AT_ONCE: u32 = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 16,
            per_second: 50,
        }
    }
}

/// Who is under way and who waits, by application.
#[derive(Clone, Debug, Default)]
pub struct Rooms(Arc<Mutex<HashMap<String, Room>>>);

#[derive(Debug)]
struct Room {
    limits: Limits,
    under_way: u32,
    /// Thousandths of a request that may be begun: refilled by the millisecond.
    credit: u64,
    counted_at: Timestamp,
    /// In the order of their numbers.
    queue: VecDeque<Waiting>,
    turns: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    wake: Arc<Notify>,
}

/// A turn in the queue, until it is taken or dropped.
#[derive(Debug)]
pub struct Turn {
    rooms: Rooms,
    application: String,
    number: u64,
    wake: Arc<Notify>,
}

/// Why a turn has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotYet {
    /// Others are under way or before it.
    Full,
    /// Too many were begun just now: so long at least.
    TooFast(Duration),
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    rooms: Rooms,
    application: String,
    begun: AtomicBool,
}

impl Room {
    fn full(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            under_way: 0,
            credit: u64::from(limits.per_second) * ONE,
            counted_at: now,
            queue: VecDeque::new(),
            turns: 0,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = u64::try_from(now.since(self.counted_at).as_millis()).unwrap_or(u64::MAX);
        self.earn(passed.saturating_mul(u64::from(self.limits.per_second)));
        self.counted_at = now;
    }

    fn earn(&mut self, credit: u64) {
        let most = u64::from(self.limits.per_second) * ONE;
        self.credit = self.credit.saturating_add(credit).min(most);
    }

    fn free(&self) -> u32 {
        self.limits.at_once.saturating_sub(self.under_way)
    }

    fn place_of(&self, number: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&number, |one| one.number).ok()
    }

    /// Whether the one that has so many before it may begin.
    fn admits(&self, before: usize) -> Result<(), NotYet> {
        let nth = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        if nth > self.free() {
            return Err(NotYet::Full);
        }
        let missing = (u64::from(nth) * ONE).saturating_sub(self.credit);
        if missing > 0 {
            let wait = missing.div_ceil(u64::from(self.limits.per_second).max(1));
            return Err(NotYet::TooFast(Duration::from_millis(wait)));
        }
        Ok(())
    }

    /// Tells those whose turn has come.
    fn call(&self) {
        let free = usize::try_from(self.free()).unwrap_or(usize::MAX);
        for one in self.queue.iter().take(free) {
            one.wake.notify_one();
        }
    }
}

impl Rooms {
    /// Takes a turn in an application's queue.
    #[must_use]
    pub fn queue_up(&self, application: &str, limits: Limits, now: Timestamp) -> Turn {
        let mut rooms = self.lock();
        let room = rooms
            .entry(application.to_owned())
            .or_insert_with(|| Room::full(limits, now));
        room.limits = limits;
        room.turns += 1;
        let (number, wake) = (room.turns, Arc::new(Notify::new()));
        room.queue.push_back(Waiting {
            number,
            wake: Arc::clone(&wake),
        });
        Turn {
            rooms: self.clone(),
            application: application.to_owned(),
            number,
            wake,
        }
    }

    /// Waits for a place; whoever gives up waiting leaves the queue.
    pub async fn place(&self, application: &str, limits: Limits, clock: &dyn Clock) -> Place {
        let mut turn = self.queue_up(application, limits, clock.now());
        loop {
            match turn.take(clock.now()) {
                Ok(place) => return place,
                Err(NotYet::Full) => turn.wake.notified().await,
                Err(NotYet::TooFast(wait)) => tokio::select! {
                    biased;
                    () = turn.wake.notified() => {}
                    () = clock.sleep(wait) => {}
                },
            }
        }
    }

    /// How many wait for a place.
    #[must_use]
    pub fn waiting(&self, application: &str) -> usize {
        self.lock().get(application).map_or(0, |room| room.queue.len())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The place, if the turn has come.
    pub fn take(&mut self, now: Timestamp) -> Result<Place, NotYet> {
        let mut rooms = self.rooms.lock();
        let room = rooms.get_mut(&self.application).ok_or(NotYet::Full)?;
        let at = room.place_of(self.number).ok_or(NotYet::Full)?;
        room.refill(now);
        room.admits(at)?;
        room.queue.remove(at);
        room.under_way += 1;
        room.credit = room.credit.saturating_sub(ONE);
        Ok(Place {
            rooms: self.rooms.clone(),
            application: self.application.clone(),
            begun: AtomicBool::new(false),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(room) = self.rooms.lock().get_mut(&self.application)
            && let Some(at) = room.place_of(self.number)
        {
            room.queue.remove(at);
            room.call();
        }
    }
}

impl Place {
    /// Something is sent: until then nothing counts as begun.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(room) = self.rooms.lock().get_mut(&self.application) {
            room.under_way = room.under_way.saturating_sub(1);
            if !self.begun.load(Ordering::Relaxed) {
                room.earn(ONE);
            }
            room.call();
        }
    }
}
