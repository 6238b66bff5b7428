//! Hand-outs that wait to be written to the audit trail.
//!
//! A credential is handed out thousands of times a second, and a transaction for each would cost more than the hand-out. So
//! they wait here, at most [`LATE`], and are written together. Repetitions, of one connection by one key, become one entry
//! that counts them. What waits is lost when the process is killed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::{ApiKeyId, ConnectionId, RowId, TenantId};

/// How long an entry may wait. Past that whoever hands something out writes first.
pub const LATE: Duration = Duration::from_secs(1);
/// How many entries may wait; the same holds past that.
const MOST: usize = 20_000;

/// One key was given the credential of one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct HandOut {
    /// Whose environment.
    pub tenant: TenantId,
    /// The key that was given it.
    pub key: ApiKeyId,
    /// Whose credential.
    pub connection: ConnectionId,
}

/// A hand-out, or several alike, as the audit trail has it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Names it, so that writing it twice writes it once.
    pub id: RowId,
    /// What was handed out.
    pub what: HandOut,
    /// When the first of them was.
    pub at: Timestamp,
    /// How many there were.
    pub times: u32,
}

#[derive(Debug, Default)]
struct Waiting {
    fresh: HashMap<(ApiKeyId, ConnectionId), (TenantId, Timestamp, u32)>,
    /// Were to be written already; unchanged since, since that may have happened.
    again: Vec<Entry>,
    oldest: Option<Timestamp>,
}

/// What waits.
#[derive(Debug, Default)]
pub struct Ledger {
    waiting: Mutex<Waiting>,
    /// Held by whoever writes.
    writer: tokio::sync::Mutex<()>,
}

/// Entries on their way into the trail. Dropped before [`Taken::written`], they wait again.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The entries, in no order.
    pub entries: Vec<Entry>,
    ledger: &'a Ledger,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Ledger {
    /// Notes a hand-out. Says whether what waits must be written before it counts: there is too much of it, or it has waited
    /// too long.
    #[must_use]
    pub fn note(&self, what: HandOut, now: Timestamp) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let HandOut {
            tenant,
            key,
            connection,
        } = what;
        let entry = waiting.fresh.entry((key, connection)).or_insert((tenant, now, 0));
        entry.2 = entry.2.saturating_add(1);
        let oldest = *waiting.oldest.get_or_insert(now);
        now.since(oldest) > LATE || waiting.fresh.len() + waiting.again.len() > MOST
    }

    /// Takes everything out, to be written by the caller and nobody else meanwhile.
    pub async fn take(&self) -> Taken<'_> {
        let turn = self.writer.lock().await;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *waiting);
        let mut entries = waiting.again;
        let fresh = waiting.fresh.into_iter();
        entries.extend(fresh.map(|((key, connection), (tenant, at, times))| Entry {
            id: RowId::new(at),
            what: HandOut {
                tenant,
                key,
                connection,
            },
            at,
            times,
        }));
        Taken {
            entries,
            ledger: self,
            _turn: turn,
        }
    }
}

impl Taken<'_> {
    /// They are in the trail.
    pub fn written(mut self) {
        self.entries.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let mut waiting = self.ledger.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = self.entries.iter().map(|entry| entry.at).min();
        waiting.oldest = oldest.into_iter().chain(waiting.oldest).min();
        waiting.again.append(&mut self.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn hand_out(key: &str, connection: &str) -> HandOut {
        HandOut {
            tenant: TenantId::trusted("t".to_owned()),
            key: ApiKeyId::trusted(key.to_owned()),
            connection: ConnectionId::trusted(connection.to_owned()),
        }
    }

    #[tokio::test]
    async fn repetitions_are_counted_and_what_was_not_written_waits_again_unchanged() {
        let ledger = Ledger::default();
        for (key, connection) in [("k", "c"), ("k", "c"), ("k", "d"), ("l", "c")] {
            assert!(!ledger.note(hand_out(key, connection), NOW));
        }
        let taken = ledger.take().await;
        let mut times: Vec<_> = taken.entries.iter().map(|entry| entry.times).collect();
        times.sort_unstable();
        assert_eq!(times, [1, 1, 2]);
        let ids: Vec<_> = taken.entries.iter().map(|entry| entry.id.clone()).collect();
        drop(taken);
        assert!(!ledger.note(hand_out("k", "c"), NOW));
        let taken = ledger.take().await;
        assert_eq!(taken.entries.len(), 4, "the repetition is an entry of its own");
        assert!(ids.iter().all(|id| taken.entries.iter().any(|entry| entry.id == *id)));
        taken.written();
        assert!(ledger.take().await.entries.is_empty());
    }

    #[tokio::test]
    async fn whoever_comes_after_a_second_writes_first() {
        let ledger = Ledger::default();
        assert!(!ledger.note(hand_out("k", "c"), NOW));
        assert!(!ledger.note(hand_out("k", "c"), NOW.after(LATE)));
        let late = NOW.after(LATE + Duration::from_millis(1));
        assert!(ledger.note(hand_out("k", "c"), late));
        drop(ledger.take().await);
        assert!(ledger.note(hand_out("k", "c"), late), "nothing was written");
        ledger.take().await.written();
        assert!(!ledger.note(hand_out("k", "c"), late));
    }

    #[test]
    fn memory_is_bounded() {
        let ledger = Ledger::default();
        for number in 0..MOST {
            assert!(!ledger.note(hand_out("k", &number.to_string()), NOW));
        }
        assert!(ledger.note(hand_out("k", "one more"), NOW));
    }
}
