//! The database: connect, begin, migrate.
//!
//! One SQL text runs on SQLite and on PostgreSQL through sqlx's `Any` driver; [`dialect`] is the whole difference.
//! Store functions take `&mut AnyConnection`: the transaction is the caller's, and is never held across the network.

mod dialect;
mod gather;
mod group;
mod memory;
#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor as _, Row as _, Transaction};

pub use dialect::Engine;
use gather::Gather;
pub use gather::LookUp;
use group::{Member, Queue};
pub use memory::Glance;
use memory::Memory;

use crate::clock::{Clock, Timestamp};
use crate::error::Error;

const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_foundation", include_str!("../../migrations/0001_foundation.sql")),
    (
        "0002_credentials",
        include_str!("../../migrations/0002_credentials.sql"),
    ),
    ("0003_engine", include_str!("../../migrations/0003_engine.sql")),
    ("0004_incidents", include_str!("../../migrations/0004_incidents.sql")),
    ("0005_notices", include_str!("../../migrations/0005_notices.sql")),
    (
        "0006_reauth_links",
        include_str!("../../migrations/0006_reauth_links.sql"),
    ),
    ("0008_identity", include_str!("../../migrations/0008_identity.sql")),
];

/// A pool of connections, and the queue of writers where the engine has only one.
#[derive(Clone)]
pub struct Db {
    pool: AnyPool,
    engine: Engine,
    /// SQLite has one writer: whoever waits for it waits here, in order, and shares a commit.
    writers: Option<Arc<Queue>>,
    gather: Arc<Gather>,
    time: Time,
}

/// Whose clock leases are measured by.
#[derive(Clone, Default)]
enum Time {
    /// The asking process's own.
    #[default]
    Asking,
    /// The database's.
    Database,
    /// This one, which all processes of a test share.
    Given(Arc<dyn Clock>),
}

/// A write transaction. Dropped without [`Tx::commit`], it is as if it had never been.
pub struct Tx(Kind);

enum Kind {
    /// A transaction of its own.
    Alone(Transaction<'static, Any>),
    /// A part of one that several share.
    Shared(Member),
}

impl Db {
    /// Connects; an SQLite file is created where there is none.
    pub async fn connect(url: &str, pool_size: Option<u32>) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of_url(url).ok_or_else(|| {
            Error::invalid("the database URL must start with sqlite: or postgres:, for example sqlite:evergrant.db")
        })?;
        let pool_size = pool_size.unwrap_or(engine.pool_size());
        let pool = AnyPoolOptions::new()
            .max_connections(pool_size)
            .acquire_timeout(Duration::from_secs(15))
            .idle_timeout(Duration::from_mins(5))
            .test_before_acquire(false)
            .after_connect(move |conn, _| {
                Box::pin(async move { conn.execute(sqlx::raw_sql(engine.on_connect())).await.map(drop) })
            })
            .connect(url)
            .await?;
        let writers = (engine == Engine::Sqlite).then(Arc::default);
        let file = match engine.file() {
            Some(question) => sqlx::query(question).fetch_one(&pool).await?.try_get(0)?,
            None => String::new(),
        };
        let memory = Memory::new((!file.is_empty()).then(|| file.into()));
        let gather = Arc::new(Gather::new(pool_size, memory));
        Ok(Self {
            pool,
            engine,
            writers,
            gather,
            time: Time::default(),
        })
    }

    /// Which database this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<PoolConnection<Any>, Error> {
        Ok(self.pool.acquire().await?)
    }

    /// The answer to a question that is asked all the time, as it is now: together with whoever asks the same, or as it is
    /// remembered where nothing has been committed since.
    pub async fn look_up<T>(&self, question: &'static LookUp<T>, values: &[&str]) -> Result<Arc<T>, Error>
    where
        T: Send + Sync + 'static,
    {
        self.look_up_since(self.glance(), question, values).await
    }

    /// What has been committed by now, for the look-ups of one request.
    #[must_use]
    pub fn glance(&self) -> Glance {
        self.gather.memory.glance()
    }

    /// The same as of a moment of this request, or later.
    pub async fn look_up_since<T>(
        &self,
        glance: Glance,
        question: &'static LookUp<T>,
        values: &[&str],
    ) -> Result<Arc<T>, Error>
    where
        T: Send + Sync + 'static,
    {
        // Nothing stored holds a NUL, and PostgreSQL refuses to look for one: others' questions must not fail with it.
        if values.iter().any(|value| value.contains('\0')) {
            return Ok(Arc::new((question.read)(&[])?));
        }
        let name = values.join("\0");
        if let Some(known) = self.gather.memory.recall(glance, question.statement.number(), &name)
            && let Ok(known) = known.downcast()
        {
            return Ok(known);
        }
        // Boxed, so that whoever is answered from memory does not carry the room for this along.
        Box::pin(self.ask(question, values, name)).await
    }

    async fn ask<T>(&self, question: &'static LookUp<T>, values: &[&str], name: String) -> Result<Arc<T>, Error>
    where
        T: Send + Sync + 'static,
    {
        let (gather, statement) = (&self.gather, &question.statement);
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let answer = gather.ask(&self.pool, statement, values).await?;
        let read = Arc::new((question.read)(&answer.rows)?);
        if let Some(mark) = answer.mark {
            gather.memory.remember(mark, (statement.number(), name), read.clone());
        }
        Ok(read)
    }

    /// How many statements look-ups have needed.
    #[must_use]
    pub fn statements_of_look_ups(&self) -> u64 {
        self.gather.asked()
    }

    /// A write transaction. On SQLite those that queue share a commit (see `group`); the server of PostgreSQL sees to that
    /// itself.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx(match &self.writers {
            Some(writers) => Kind::Shared(Member::join(writers, &self.pool, self.engine.begin()).await?),
            None => Kind::Alone(self.pool.begin_with(self.engine.begin()).await?),
        }))
    }

    /// Whether no connection is in use.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let resting = self.pool.num_idle() + self.gather.resting();
        usize::try_from(self.pool.size()).is_ok_and(|open| open == resting)
    }

    /// How many commits this process has made, where it counts them: on SQLite.
    #[must_use]
    pub fn commits(&self) -> Option<u64> {
        self.writers.as_ref().map(|writers| writers.commits())
    }

    /// Measures leases by the database's own clock, which is the same for all nodes, however far theirs are apart. On SQLite all
    /// processes share the machine's clock anyway.
    #[must_use]
    pub fn on_its_own_time(self) -> Self {
        let time = match self.engine {
            Engine::Sqlite => Time::Asking,
            Engine::Postgres => Time::Database,
        };
        Self { time, ..self }
    }

    /// Measures leases by this clock: for tests, in which the nodes' own are wrong on purpose.
    #[must_use]
    pub fn timed_by(self, clock: Arc<dyn Clock>) -> Self {
        let time = Time::Given(clock);
        Self { time, ..self }
    }

    /// The time by which leases are taken and compared; `now` is the asking process's.
    pub async fn lease_time(&self, conn: &mut AnyConnection, now: Timestamp) -> Result<Timestamp, Error> {
        match &self.time {
            Time::Asking => Ok(now),
            Time::Given(clock) => Ok(clock.now()),
            Time::Database => {
                let row = sqlx::query(self.engine.now()).fetch_one(conn).await?;
                Ok(Timestamp::from_millis(row.try_get(0)?))
            }
        }
    }

    /// Brings the schema up to this program's, once, whichever node comes first.
    pub async fn migrate(&self, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        tx.execute(self.engine.migration_lock()).await?;
        tx.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)")
            .await?;
        for (name, text) in MIGRATIONS {
            let done = sqlx::query("SELECT name FROM migrations WHERE name = $1")
                .bind(*name)
                .fetch_optional(&mut *tx)
                .await?;
            if done.is_none() {
                tx.execute(sqlx::raw_sql(*text)).await?;
                sqlx::query("INSERT INTO migrations (name, applied_at) VALUES ($1, $2)")
                    .bind(*name)
                    .bind(now.as_millis())
                    .execute(&mut *tx)
                    .await?;
                tracing::info!(migration = name, "schema migrated");
            }
        }
        tx.commit().await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let mut conn = self.read().await?;
        conn.execute("SELECT 1").await?;
        Ok(())
    }

    /// Closes the pool; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        self.gather.close();
        self.pool.close().await;
    }
}

impl Tx {
    /// Makes it so, and comes back once it is.
    pub async fn commit(self) -> Result<(), Error> {
        match self.0 {
            Kind::Alone(tx) => Ok(tx.commit().await?),
            Kind::Shared(member) => member.commit().await,
        }
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        match &self.0 {
            Kind::Alone(tx) => tx,
            Kind::Shared(member) => member.transaction(),
        }
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.0 {
            Kind::Alone(tx) => tx,
            Kind::Shared(member) => member.transaction_mut(),
        }
    }
}

/// SQL with a list of rows of placeholders between `head` and `tail`: `($1, $2), ($3, $4)`. It is kept for ever: call it once
/// for each text.
#[must_use]
pub fn repeated(head: &str, (rows, columns): (usize, usize), tail: &str) -> &'static str {
    use std::fmt::Write as _;
    let mut text = head.to_owned();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            let _ = write!(text, "{comma}${}", row * columns + column);
        }
        text.push(')');
    }
    text.push_str(tail);
    text.leak()
}
