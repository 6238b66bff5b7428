//! The handles that all work shares: one struct, cheap to clone. It knows no subject.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use url::Url;

use crate::catalog::Catalog;
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::egress::Egress;
use crate::flights::Flights;
use crate::ids::OrgId;
use crate::ledger::Ledger;
use crate::pace::Pace;
use crate::steps::Steps;
use crate::tasks::Tasks;
use crate::vault::{DataKey, Keyring};

/// The handles; cloning shares them.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    handles: Handles,
    ledger: Ledger,
    tasks: Tasks,
}

/// How long ahead the team is told of an end, unless the operator says otherwise.
pub const FORETELL: Duration = Duration::from_hours(7 * 24);
/// How often a key, or a token without an end, is probed unless the operator says otherwise.
pub const PROBE_EVERY: Duration = Duration::from_hours(24);

/// An issuer's key set, as far as it could be had.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// When it was last asked for, whether or not it came.
    pub asked_at: Timestamp,
    /// When it last came, and what it held then.
    pub read: Option<(Timestamp, Arc<serde_json::Value>)>,
}

/// What an [`App`] holds.
pub struct Handles {
    /// The database.
    pub db: Db,
    /// The master keys.
    pub keyring: Keyring,
    /// Data keys that have been unwrapped, by organisation.
    pub data_keys: RwLock<HashMap<OrgId, Arc<Vec<DataKey>>>>,
    /// Key sets of issuers whose signatures are checked, by address.
    pub key_sets: RwLock<HashMap<String, KeySet>>,
    /// Which applications exist.
    pub catalog: Catalog,
    /// The only way out.
    pub egress: Egress,
    /// What time it is.
    pub clock: Box<dyn Clock>,
    /// Where browsers and providers reach this server; no trailing slash.
    pub public_url: Url,
    /// How fast providers may be asked.
    pub pace: Pace,
    /// Refreshes under way in this process.
    pub flights: Flights,
    /// How long before a connection's expected end the team is told of it.
    pub foretell: Duration,
    /// How often a key, or a token without an end, is probed.
    pub probe_every: Duration,
    /// Where tests may kill the process.
    pub steps: Steps,
}

impl App {
    /// Puts the handles together.
    #[must_use]
    pub fn new(handles: Handles) -> Self {
        Self(Arc::new(Shared {
            handles,
            ledger: Ledger::default(),
            tasks: Tasks::default(),
        }))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Hand-outs that wait for the audit trail.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// What goes on when its caller has gone.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// An absolute URL of this server; `path` starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}

impl Deref for App {
    type Target = Handles;
    fn deref(&self) -> &Handles {
        &self.0.handles
    }
}
