//! Everything that differs between the two databases, on one page.

use sqlx::AnyConnection;

/// Which database stands behind the one SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file beside the server.
    Sqlite,
    /// A server, shared by any number of nodes.
    Postgres,
}

impl Engine {
    /// The engine that a database URL names.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// The engine behind a connection.
    #[must_use]
    pub fn of(conn: &AnyConnection) -> Self {
        match conn.backend_name() {
            "PostgreSQL" => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    /// Of one statement in two texts, of which the second takes the rows that it reads (`FOR UPDATE`). SQLite has no such words
    /// and needs none: there a write transaction has the database to itself.
    pub(crate) const fn locking(self, (plain, taking): (&'static str, &'static str)) -> &'static str {
        match self {
            Self::Sqlite => plain,
            Self::Postgres => taking,
        }
    }

    /// How a write transaction opens. SQLite takes the write lock at once, so that no reader is ever upgraded
    /// half-way (which would end in `SQLITE_BUSY` however long the time-out).
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// What every new connection is told first. `synchronous=FULL`: a rotated refresh token that a power cut takes
    /// back is a dead connection. `secure_delete`: what is erased is overwritten.
    pub(super) const fn on_connect(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; \
                 PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA mmap_size = 0"
            }
            Self::Postgres => {
                "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'"
            }
        }
    }

    /// What time it is for the database, in milliseconds: the clock that all nodes share.
    pub(super) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// Asks for the path of the database's file, where it is one on this machine; empty for one in memory.
    pub(super) const fn file(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("SELECT file FROM pragma_database_list WHERE name = 'main'"),
            Self::Postgres => None,
        }
    }

    /// Held for the length of a migration, so that nodes which start together take turns.
    pub(super) const fn migration_lock(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT 1",
            Self::Postgres => "SELECT pg_advisory_xact_lock(7305804402)",
        }
    }

    /// Connections worth having unless the operator says otherwise.
    pub(super) const fn pool_size(self) -> u32 {
        match self {
            Self::Sqlite => 8,
            Self::Postgres => 16,
        }
    }
}
