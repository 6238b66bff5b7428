//! The table of settings: the one place that names them. Help texts, `docs/OPERATING.md` and the errors are made of it.

use std::fmt::Write as _;

/// A setting, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Where to listen.
    Listen,
    /// Where the world reaches this server.
    PublicUrl,
    /// The server's folder.
    DataDir,
    /// Which database.
    DatabaseUrl,
    /// How many connections to it.
    DatabasePool,
    /// The master key itself.
    MasterKey,
    /// The file that holds it.
    MasterKeyFile,
    /// Private addresses that may be called.
    EgressAllow,
    /// How much one credential may ask.
    RateLimit,
    /// How long connecting to a provider may take.
    ProxyConnectTimeout,
    /// How long a provider's answer may take to begin.
    ProxyHeadTimeout,
    /// How long a body may stand still.
    ProxyIdleTimeout,
    /// The longest request body.
    ProxyMaxRequest,
    /// The longest answer.
    ProxyMaxResponse,
    /// How much of a request body is kept.
    ProxyKeep,
    /// The operator's own applications.
    CatalogDir,
    /// The built-in provider for tests.
    Sandbox,
    /// Insists on it in public.
    SandboxPublic,
    /// How early an end is told of.
    ForetellDays,
    /// How often keys are probed.
    ProbeHours,
    /// What is logged.
    Log,
    /// In which form.
    LogFormat,
    /// Where a debug build stands still.
    DebugStopAt,
    /// How long a debug build holds its leases.
    DebugLeaseMs,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Which one.
    pub key: Key,
    /// Its environment variable.
    pub env: &'static str,
    /// Its key in `evergrant.toml`.
    pub toml: &'static str,
    /// What holds when it is not set, for people.
    pub default: &'static str,
    /// What a value must be, as it stands in an error: "`x` must be …".
    pub expected: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: Key::Listen,
        env: "EVERGRANT_LISTEN",
        toml: "listen",
        default: "127.0.0.1:8080",
        expected: "an IP address and a port, for example 0.0.0.0:8080 or [::1]:8080",
        doc: "Address and port on which the server listens; port 0 takes a free one.",
    },
    Setting {
        key: Key::PublicUrl,
        env: "EVERGRANT_PUBLIC_URL",
        toml: "public_url",
        default: "http://<listen>",
        expected: "an http or https URL without user, query and fragment, for example https://connect.example.com",
        doc: "Where browsers and providers reach the server; redirect URIs are made of it.",
    },
    Setting {
        key: Key::DataDir,
        env: "EVERGRANT_DATA_DIR",
        toml: "data_dir",
        default: "./evergrant-data",
        expected: "a folder",
        doc: "Folder of the SQLite database and of the generated master key; created with mode 0700.",
    },
    Setting {
        key: Key::DatabaseUrl,
        env: "EVERGRANT_DATABASE_URL",
        toml: "database_url",
        default: "evergrant.db in the data folder",
        expected: "postgres://user:password@host:5432/name or sqlite:path/to/file.db",
        doc: "The database. Any number of servers may share one PostgreSQL.",
    },
    Setting {
        key: Key::DatabasePool,
        env: "EVERGRANT_DATABASE_POOL",
        toml: "database_pool",
        default: "8 (SQLite), 16 (PostgreSQL)",
        expected: "a number from 2 to 500",
        doc: "How many connections to the database one process holds at most.",
    },
    Setting {
        key: Key::MasterKey,
        env: "EVERGRANT_MASTER_KEY",
        toml: "master_key",
        default: "SQLite: generated into master.key in the data folder; PostgreSQL: must be given",
        expected: "32 random bytes in base64, as `openssl rand -base64 32` prints; several are separated by commas, the newest first",
        doc: "The key that wraps all others. Prefer the file: an environment is easily seen.",
    },
    Setting {
        key: Key::MasterKeyFile,
        env: "EVERGRANT_MASTER_KEY_FILE",
        toml: "master_key_file",
        default: "none",
        expected: "a file that holds what EVERGRANT_MASTER_KEY would",
        doc: "File with the master key, instead of the key itself.",
    },
    Setting {
        key: Key::EgressAllow,
        env: "EVERGRANT_EGRESS_ALLOW",
        toml: "egress_allow",
        default: "none",
        expected: "exact host:port pairs separated by commas, for example 127.0.0.1:9000,crm.internal:443",
        doc: "Exact host:port pairs that may be called although their addresses are private.",
    },
    Setting {
        key: Key::RateLimit,
        env: "EVERGRANT_RATE_LIMIT",
        toml: "rate_limit",
        default: "50",
        expected: "a number of requests a second, or 0 for no limit",
        doc: "How many requests a second one credential may make in the long run, and twice as many at once; 0 for no limit.",
    },
    Setting {
        key: Key::ProxyConnectTimeout,
        env: "EVERGRANT_PROXY_CONNECT_TIMEOUT",
        toml: "proxy_connect_timeout",
        default: "5",
        expected: "a number of seconds from 1 to 3600",
        doc: "How long the proxy tries to reach a provider's host, in seconds.",
    },
    Setting {
        key: Key::ProxyHeadTimeout,
        env: "EVERGRANT_PROXY_HEAD_TIMEOUT",
        toml: "proxy_head_timeout",
        default: "60",
        expected: "a number of seconds from 1 to 3600",
        doc: "How long the proxy waits for the beginning of a provider's answer, in seconds, counted from the last piece of the request.",
    },
    Setting {
        key: Key::ProxyIdleTimeout,
        env: "EVERGRANT_PROXY_IDLE_TIMEOUT",
        toml: "proxy_idle_timeout",
        default: "60",
        expected: "a number of seconds from 1 to 3600",
        doc: "How long a body may stand still on its way through the proxy, in seconds.",
    },
    Setting {
        key: Key::ProxyMaxRequest,
        env: "EVERGRANT_PROXY_MAX_REQUEST",
        toml: "proxy_max_request",
        default: "128MiB",
        expected: "a size such as 64KiB, 128MiB or 2GiB",
        doc: "The longest request body that the proxy passes on.",
    },
    Setting {
        key: Key::ProxyMaxResponse,
        env: "EVERGRANT_PROXY_MAX_RESPONSE",
        toml: "proxy_max_response",
        default: "1GiB",
        expected: "a size such as 64KiB, 128MiB or 2GiB",
        doc: "The longest answer that the proxy passes on.",
    },
    Setting {
        key: Key::ProxyKeep,
        env: "EVERGRANT_PROXY_KEEP",
        toml: "proxy_keep",
        default: "256KiB",
        expected: "a size from 0 to 64MiB, such as 64KiB",
        doc: "How much of a request body is kept in memory, so that a call whose access token was refused can be repeated.",
    },
    Setting {
        key: Key::CatalogDir,
        env: "EVERGRANT_CATALOG_DIR",
        toml: "catalog_dir",
        default: "none",
        expected: "a folder of TOML files",
        doc: "Folder of your own applications, one TOML file each.",
    },
    Setting {
        key: Key::Sandbox,
        env: "EVERGRANT_SANDBOX",
        toml: "sandbox",
        default: "off",
        expected: "on or off",
        doc: "Serves the built-in provider that can be broken on purpose, for demos and staging.",
    },
    Setting {
        key: Key::SandboxPublic,
        env: "EVERGRANT_SANDBOX_PUBLIC",
        toml: "sandbox_public",
        default: "off",
        expected: "on or off",
        doc: "Insists on the sandbox where the public URL is not loopback.",
    },
    Setting {
        key: Key::ForetellDays,
        env: "EVERGRANT_FORETELL_DAYS",
        toml: "foretell_days",
        default: "7",
        expected: "a number of days from 1 to 90",
        doc: "How long before a connection's expected end `Connection Expiring` is sent.",
    },
    Setting {
        key: Key::ProbeHours,
        env: "EVERGRANT_PROBE_HOURS",
        toml: "probe_hours",
        default: "24",
        expected: "a number of hours from 1 to 720",
        doc: "How often a key, or a token without an end, is probed: so many hours, give or take a quarter.",
    },
    Setting {
        key: Key::Log,
        env: "EVERGRANT_LOG",
        toml: "log",
        default: "info (server), warn (other commands)",
        expected: "a level (error, warn, info, debug, trace) or a filter such as info,evergrant::refresh=debug",
        doc: "What is logged, to standard error.",
    },
    Setting {
        key: Key::LogFormat,
        env: "EVERGRANT_LOG_FORMAT",
        toml: "log_format",
        default: "text",
        expected: "text or json",
        doc: "The form of the log; json writes one object per line.",
    },
    Setting {
        key: Key::DebugStopAt,
        env: "EVERGRANT_DEBUG_STOP_AT",
        toml: "debug_stop_at",
        default: "none",
        expected: "the name of a step, for example refresh.sent, in a debug build",
        doc: "Debug builds only: the step at which the process stands still, for tests of crashes.",
    },
    Setting {
        key: Key::DebugLeaseMs,
        env: "EVERGRANT_DEBUG_LEASE_MS",
        toml: "debug_lease_ms",
        default: "a minute",
        expected: "a number of milliseconds, in a debug build",
        doc: "Debug builds only: how long refreshes and deliveries are held, for tests of crashes.",
    },
];

impl Key {
    /// Its row.
    #[must_use]
    pub fn setting(self) -> &'static Setting {
        SETTINGS
            .iter()
            .find(|setting| setting.key == self)
            .unwrap_or(&SETTINGS[0])
    }
}

/// The table for a terminal, as `evergrant serve --help` shows it.
#[must_use]
pub fn help() -> String {
    let mut text =
        "Settings, by environment variable or in evergrant.toml (in the working directory, or the file that \
                    --config or EVERGRANT_CONFIG names); the environment wins:\n"
            .to_owned();
    for setting in SETTINGS {
        let _ = write!(
            text,
            "\n  {} (evergrant.toml: {})\n      {}\n      Default: {}\n",
            setting.env, setting.toml, setting.doc, setting.default
        );
    }
    text
}

/// The table for `docs/OPERATING.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text =
        "| Environment variable | `evergrant.toml` | Default | What it does |\n|---|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {} |",
            setting.env, setting.toml, setting.default, setting.doc
        );
    }
    text
}
