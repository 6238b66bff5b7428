//! The settings: read once at start from the environment and from `evergrant.toml`, checked, and handed down as values.
//!
//! [`settings`] is the table of what exists; `read` finds the texts and remembers where each was set; `parse` makes
//! values of them. An unknown key, an unreadable value or a contradiction is an error that names the setting, the place
//! where it was set and what is expected. Nobody else looks at the environment.

mod parse;
mod read;
pub mod settings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use crate::db::Engine;
use crate::egress;
use crate::secret::Secret;
use crate::steps::Step;

pub use read::{Environment, FILE_NAME};

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The public URL, where one is set.
    pub public_url: Option<Url>,
    /// The server's folder, absolute.
    pub data_dir: PathBuf,
    /// The database; it may hold a password.
    pub database_url: Secret,
    /// Which kind of database that is.
    pub engine: Engine,
    /// The most connections to it.
    pub database_pool: Option<u32>,
    /// Where the master key comes from.
    pub master_key: MasterKey,
    /// Exact `host:port` pairs that may be private.
    pub egress_allow: Vec<String>,
    /// Requests a second for each credential; 0: no limit.
    pub rate_limit: u32,
    /// What limits calls that pass through.
    pub proxy: egress::Limits,
    /// The operator's own applications.
    pub catalog_dir: Option<PathBuf>,
    /// Whether the built-in provider is served.
    pub sandbox: bool,
    /// Whether it is insisted on in public.
    pub sandbox_public: bool,
    /// How long before a connection's expected end the team is told.
    pub foretell: Duration,
    /// How often keys are probed.
    pub probe_every: Duration,
    /// What is logged, where that is set.
    pub log: Option<String>,
    /// In which form.
    pub log_format: LogFormat,
    /// Where a debug build stands still.
    pub stop_at: Option<Step>,
    /// How long a debug build holds its leases.
    pub lease: Option<Duration>,
    /// The settings file that was read.
    pub file: Option<PathBuf>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum MasterKey {
    /// It was given.
    Given(Secret),
    /// It stands in a file that the operator looks after.
    File(PathBuf),
    /// It stands in this file of the data folder, into which the server may generate it.
    Own(PathBuf),
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// Settings that cannot be used. The operator must mend them; the text says how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads and checks the settings. `file` is the file that the command line names.
    pub fn load(environment: &Environment, file: Option<PathBuf>) -> Result<Self, ConfigError> {
        parse::config(&read::read(environment, file)?)
    }

    /// Where the world reaches a server that listens on `bound`.
    #[expect(clippy::missing_panics_doc, reason = "an address always makes a URL")]
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> Url {
        self.public_url.clone().unwrap_or_else(|| {
            let host = match (bound.ip().is_unspecified(), bound.is_ipv6()) {
                (true, false) => "127.0.0.1".to_owned(),
                (true, true) => "[::1]".to_owned(),
                (false, false) => bound.ip().to_string(),
                (false, true) => format!("[{}]", bound.ip()),
            };
            Url::parse(&format!("http://{host}:{}", bound.port())).expect("an address and a port make a URL")
        })
    }
}

/// Whether a URL leads to this very machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
