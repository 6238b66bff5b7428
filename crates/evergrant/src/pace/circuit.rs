//! A circuit breaker per endpoint.
//!
//! After [`FAILURES`] failures in a row the circuit opens: nothing is sent for a while. Then one request may try; if it
//! works, the circuit closes, else it opens for longer. An endpoint that asks for patience (`Retry-After`) gets it, for as
//! long as it says and at most [`LONGEST`].

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

/// The endpoints of which there is anything to remember.
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
}

/// The permission to send one request. What came of it is to be said; if it is not, nothing has been learnt.
#[derive(Debug)]
pub struct Pass {
    circuits: Circuits,
    endpoint: String,
    /// Whether this is the one request that tries.
    tries: bool,
}

impl Circuits {
    /// Whether a request may be sent now; else when to ask again.
    pub fn enter(&self, endpoint: &str, now: Timestamp) -> Result<Pass, Timestamp> {
        let tries = match self.lock().get_mut(endpoint) {
            Some(circuit) => circuit.enter(now)?,
            None => false,
        };
        Ok(self.pass(endpoint, tries))
    }

    /// The same for a request that is sent in any case.
    #[must_use]
    pub fn enter_anyhow(&self, endpoint: &str) -> Pass {
        self.pass(endpoint, false)
    }

    /// How many requests may be sent now, where that is limited.
    #[must_use]
    pub fn admits(&self, endpoint: &str, now: Timestamp) -> Option<u32> {
        let circuits = self.lock();
        let circuit = circuits.get(endpoint)?;
        let until = circuit.open_until?;
        Some(u32::from(until <= now && !circuit.trying))
    }

    fn pass(&self, endpoint: &str, tries: bool) -> Pass {
        Pass {
            circuits: self.clone(),
            endpoint: endpoint.to_owned(),
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
}

impl Pass {
    /// The endpoint answered: whatever was wrong is over.
    pub fn answered(self) {
        self.circuits.lock().remove(&self.endpoint);
    }

    /// It failed. `jitter` is random in `0.0..1.0`.
    pub fn failed(self, jitter: f64, now: Timestamp) {
        let mut circuits = self.circuits.lock();
        let circuit = circuits.entry(self.endpoint.clone()).or_default();
        circuit.failures = circuit.failures.saturating_add(1);
        if circuit.failures >= FAILURES {
            let pause = spread((FIRST, LONGEST), circuit.pause, jitter);
            circuit.pause = Some(pause);
            circuit.open_until = Some(now.after(pause));
        }
    }

    /// It asked for patience.
    pub fn told_to_wait(self, wait: Duration, now: Timestamp) {
        let mut circuits = self.circuits.lock();
        let circuit = circuits.entry(self.endpoint.clone()).or_default();
        let until = now.after(wait.min(LONGEST));
        circuit.open_until = Some(circuit.open_until.map_or(until, |known| known.max(until)));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.tries
            && let Some(circuit) = self.circuits.lock().get_mut(&self.endpoint)
        {
            circuit.trying = false;
        }
    }
}
