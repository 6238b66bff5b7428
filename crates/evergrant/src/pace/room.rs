//! Concurrency and rate, per application.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;

/// What an application bears from one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way.
    pub at_once: u32,
    /// Requests begun in a second; as many may be begun in one go after a pause.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 16,
            per_second: 50,
        }
    }
}

/// Who is under way, by application.
#[derive(Clone, Debug, Default)]
pub struct Rooms(Arc<Mutex<HashMap<String, Room>>>);

#[derive(Debug)]
struct Room {
    under_way: u32,
    /// Thousandths of a request that may be begun: refilled by the millisecond.
    credit: u64,
    counted_at: Timestamp,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place {
    rooms: Rooms,
    application: String,
}

impl Room {
    fn full(limits: Limits, now: Timestamp) -> Self {
        Self {
            under_way: 0,
            credit: u64::from(limits.per_second) * 1000,
            counted_at: now,
        }
    }

    fn refill(&mut self, limits: Limits, now: Timestamp) {
        let passed = u64::try_from(now.since(self.counted_at).as_millis()).unwrap_or(u64::MAX);
        let per_second = u64::from(limits.per_second);
        self.credit = passed
            .saturating_mul(per_second)
            .saturating_add(self.credit)
            .min(per_second * 1000);
        self.counted_at = now;
    }

    fn free(&self, limits: Limits) -> u32 {
        let by_rate = u32::try_from(self.credit / 1000).unwrap_or(u32::MAX);
        limits.at_once.saturating_sub(self.under_way).min(by_rate)
    }
}

impl Rooms {
    /// How many requests of an application may be begun now.
    #[must_use]
    pub fn free(&self, application: &str, limits: Limits, now: Timestamp) -> u32 {
        let mut rooms = self.lock();
        match rooms.get_mut(application) {
            Some(room) => {
                room.refill(limits, now);
                room.free(limits)
            }
            None => limits.at_once.min(limits.per_second),
        }
    }

    /// Takes a place, whether or not there is room: who asks for somebody that waits for the answer is counted, not refused.
    #[must_use]
    pub fn take(&self, application: &str, limits: Limits, now: Timestamp) -> Place {
        let mut rooms = self.lock();
        let room = rooms
            .entry(application.to_owned())
            .or_insert_with(|| Room::full(limits, now));
        room.refill(limits, now);
        room.under_way += 1;
        room.credit = room.credit.saturating_sub(1000);
        Place {
            rooms: self.clone(),
            application: application.to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(room) = self.rooms.lock().get_mut(&self.application) {
            room.under_way = room.under_way.saturating_sub(1);
        }
    }
}
