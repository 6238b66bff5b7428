//! Work that must not be begun twice in this process: whoever comes while it is under way waits for its end.
//!
//! A flight is named by a text. Nobody polls: those who wait are woken when the first one ends, however it ends. Between
//! processes a lease in the database does the same (`refresh/lease.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The flights under way.
#[derive(Clone, Debug, Default)]
pub struct Flights(Arc<Mutex<HashMap<String, watch::Receiver<()>>>>);

/// The right to do the work. Its end wakes those who wait.
#[derive(Debug)]
pub struct Flight {
    all: Flights,
    name: String,
    /// Closed by being dropped.
    _end: watch::Sender<()>,
}

/// Somebody else's flight.
#[derive(Debug)]
pub struct Landing(watch::Receiver<()>);

impl Flights {
    /// Begins a flight, or finds the one that is under way.
    pub fn begin(&self, name: &str) -> Result<Flight, Landing> {
        let mut all = self.lock();
        if let Some(end) = all.get(name) {
            return Err(Landing(end.clone()));
        }
        let (sender, end) = watch::channel(());
        all.insert(name.to_owned(), end);
        Ok(Flight {
            all: self.clone(),
            name: name.to_owned(),
            _end: sender,
        })
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
    }
}

impl Landing {
    /// Waits for the flight's end.
    pub async fn landed(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_second_waits_for_the_first_and_may_then_begin() {
        let flights = Flights::default();
        let first = flights.begin("a").unwrap();
        assert!(flights.begin("b").is_ok(), "another one is nobody's business");
        let waits = flights.begin("a").unwrap_err();
        let (mut waiting, landed) = (Box::pin(waits.landed()), std::task::Waker::noop());
        let mut context = std::task::Context::from_waker(landed);
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(first);
        waiting.await;
        assert!(flights.begin("a").is_ok());
        assert!(flights.is_empty());
    }
}
