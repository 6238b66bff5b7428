//! What goes wrong when somebody writes: another program has the database locked, or a commit fails.

use std::time::Duration;

use evergrant::clock::Timestamp;
use evergrant::db::Db;
use sqlx::pool::PoolConnection;
use sqlx::{Any, Executor as _};

use crate::gates::Gates;

/// How writing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// `BEGIN IMMEDIATE` does: somebody else has the lock.
    Locked,
    /// `COMMIT` does, after everything before it has succeeded.
    Commit,
}

/// Writes that touch a connection fail to commit while there is a row in `broken`: a reference that is checked then.
const SET_UP: &str = "CREATE TABLE broken (nobody TEXT); \
    CREATE TABLE breaks (nobody TEXT REFERENCES connections (id) DEFERRABLE INITIALLY DEFERRED); \
    CREATE TRIGGER broken_disk AFTER UPDATE ON connections WHEN EXISTS (SELECT 1 FROM broken) \
    BEGIN INSERT INTO breaks VALUES ('nobody'); END";

/// Whoever is in the way of all writers.
pub(crate) struct Disk {
    conn: PoolConnection<Any>,
    fails: Option<(Failure, Timestamp)>,
    /// From when until when writing has failed in this run.
    failed: Vec<(Timestamp, Timestamp)>,
    _db: Db,
}

impl Disk {
    pub(crate) async fn of(url: &str) -> Self {
        let db = Db::connect(url, Some(1)).await.unwrap();
        let mut conn = db.read().await.unwrap();
        conn.execute(sqlx::raw_sql(SET_UP)).await.unwrap();
        Self {
            conn,
            fails: None,
            failed: Vec::new(),
            _db: db,
        }
    }

    /// From now on writing fails, for so long.
    pub(crate) async fn fail(&mut self, how: Failure, gates: &Gates, span: Duration) {
        if self.fails.is_some() {
            return;
        }
        let text = match how {
            Failure::Locked => "BEGIN IMMEDIATE",
            Failure::Commit => "INSERT INTO broken VALUES ('so')",
        };
        self.conn.execute(text).await.unwrap();
        let until = gates.now().after(span);
        self.failed.push((gates.now(), until));
        self.fails = Some((how, until));
    }

    /// Whether writing fails at present.
    pub(crate) fn fails(&self) -> bool {
        self.fails.is_some()
    }

    /// Mends what is over by now.
    pub(crate) async fn mend(&mut self, now: Timestamp) {
        let Some((how, until)) = self.fails else { return };
        if until > now {
            return;
        }
        self.fails = None;
        let text = match how {
            Failure::Locked => "ROLLBACK",
            Failure::Commit => "DELETE FROM broken",
        };
        self.conn.execute(text).await.unwrap();
    }

    /// Mends whatever is left, and forgets the run.
    pub(crate) async fn clear(&mut self) {
        self.mend(Timestamp::MAX).await;
        self.failed.clear();
    }

    /// For how long writing has failed in the time that begins then.
    pub(crate) fn failed(&self, since: Timestamp, span: Duration) -> Duration {
        let overlap =
            |(from, until): &(Timestamp, Timestamp)| (*until).min(since.after(span)).since((*from).max(since));
        self.failed.iter().map(overlap).sum()
    }
}
