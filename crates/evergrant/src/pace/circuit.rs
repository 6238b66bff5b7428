//! A circuit breaker per endpoint.
//!
//! After [`FAILURES`] failures in a row the circuit opens: nothing is sent for a while. Then one request may try; if it
//! works, the circuit closes, else it opens for longer. An endpoint that asks for patience (`Retry-After`) gets it, for as
//! long as it says and at most [`LONGEST`].
//!
//! Requests overlap. What comes of one that was sent before the circuit last opened, or before the answer that came last, says
//! nothing of how things are now: a late success ends no pause, and the failures of one bad moment open the circuit once. So a
//! circuit has generations, and each permission remembers its own. Only being told to wait for longer counts however late.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Timestamp, spread};

/// How many failures in a row open a circuit.
pub(super) const FAILURES: u32 = 5;
/// For how long it opens at first.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// For how long at most.
pub(super) const LONGEST: Duration = Duration::from_mins(5);

/// The endpoints of which there is anything to remember: a request is under way, the last one failed, or a pause is kept.
#[derive(Clone, Debug, Default)]
pub struct Circuits(Arc<Mutex<HashMap<String, Circuit>>>);

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// Nothing is sent before.
    open_until: Option<Timestamp>,
    /// How long it was opened for last.
    pause: Option<Duration>,
    /// One request tries whether it works again.
    trying: bool,
    /// How often it has opened, or the endpoint has answered.
    generation: u64,
    /// The permissions that are held.
    under_way: usize,
}

/// The permission to send one request. What came of it is to be said; if it is not, nothing has been learnt.
#[derive(Debug)]
pub struct Pass {
    circuits: Circuits,
    endpoint: String,
    /// That of the circuit when it was given.
    generation: u64,
    /// Whether this is the one request that tries.
    tries: bool,
}

impl Circuits {
    /// Whether a request may be sent now; else when to ask again.
    pub fn enter(&self, endpoint: &str, now: Timestamp) -> Result<Pass, Timestamp> {
        let mut circuits = self.lock();
        let tries = match circuits.get_mut(endpoint) {
            Some(circuit) => circuit.enter(now)?,
            None => false,
        };
        Ok(self.pass(&mut circuits, (endpoint, tries)))
    }

    /// The same for a request that is sent in any case.
    #[must_use]
    pub fn enter_anyhow(&self, endpoint: &str) -> Pass {
        self.pass(&mut self.lock(), (endpoint, false))
    }

    /// How many requests may be sent now, where that is limited.
    #[must_use]
    pub fn admits(&self, endpoint: &str, now: Timestamp) -> Option<u32> {
        let circuits = self.lock();
        let circuit = circuits.get(endpoint)?;
        let until = circuit.open_until?;
        Some(u32::from(until <= now && !circuit.trying))
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.lock().len()
    }

    fn pass(&self, circuits: &mut HashMap<String, Circuit>, (endpoint, tries): (&str, bool)) -> Pass {
        let circuit = circuits.entry(endpoint.to_owned()).or_default();
        circuit.under_way += 1;
        Pass {
            circuits: self.clone(),
            endpoint: endpoint.to_owned(),
            generation: circuit.generation,
            tries,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    /// Whether the request that enters is the one that tries.
    fn enter(&mut self, now: Timestamp) -> Result<bool, Timestamp> {
        match self.open_until {
            None => Ok(false),
            Some(until) if until > now => Err(until),
            Some(_) if self.trying => Err(now.after(FIRST)),
            Some(_) => {
                self.trying = true;
                Ok(true)
            }
        }
    }

    /// Opens until then, or goes on being open.
    fn open(&mut self, until: Timestamp) {
        self.open_until = Some(until);
        self.begins_anew();
    }

    /// It works.
    fn close(&mut self) {
        self.failures = 0;
        self.pause = None;
        self.open_until = None;
        self.begins_anew();
    }

    /// What is under way was sent before this, the request that tries included.
    fn begins_anew(&mut self) {
        self.generation += 1;
        self.trying = false;
    }

    fn is_forgettable(&self) -> bool {
        self.under_way == 0 && self.failures == 0 && self.open_until.is_none()
    }
}

impl Pass {
    /// The endpoint answered: whatever was wrong is over.
    pub fn answered(self) {
        self.of_now(Circuit::close);
    }

    /// It failed. `jitter` is random in `0.0..1.0`.
    pub fn failed(self, jitter: f64, now: Timestamp) {
        self.of_now(|circuit| {
            circuit.failures = circuit.failures.saturating_add(1);
            if circuit.failures >= FAILURES {
                let pause = spread((FIRST, LONGEST), circuit.pause, jitter);
                circuit.pause = Some(pause);
                let until = now.after(pause);
                circuit.open(circuit.open_until.map_or(until, |known| known.max(until)));
            }
        });
    }

    /// It asked for patience.
    pub fn told_to_wait(self, wait: Duration, now: Timestamp) {
        let until = now.after(wait.min(LONGEST));
        if let Some(circuit) = self.circuits.lock().get_mut(&self.endpoint)
            && circuit.open_until.is_none_or(|known| known < until)
        {
            circuit.open(until);
        }
    }

    /// Learns from what was sent in this generation.
    fn of_now(&self, learn: impl FnOnce(&mut Circuit)) {
        if let Some(circuit) = self.circuits.lock().get_mut(&self.endpoint)
            && circuit.generation == self.generation
        {
            learn(circuit);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut circuits = self.circuits.lock();
        let Some(circuit) = circuits.get_mut(&self.endpoint) else {
            return;
        };
        circuit.under_way = circuit.under_way.saturating_sub(1);
        if self.tries && circuit.generation == self.generation {
            circuit.trying = false;
        }
        if circuit.is_forgettable() {
            circuits.remove(&self.endpoint);
        }
    }
}
