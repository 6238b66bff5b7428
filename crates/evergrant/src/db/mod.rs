//! The database: connect, begin, migrate.
//!
//! One SQL text runs on SQLite and on PostgreSQL through sqlx's `Any` driver; [`dialect`] is the whole difference.
//! Store functions take `&mut AnyConnection`: the transaction is the caller's, and is never held across the network.

mod dialect;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor as _, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use dialect::Engine;

use crate::clock::Timestamp;
use crate::error::Error;

const MIGRATIONS: &[(&str, &str)] = &[("0001_foundation", include_str!("../../migrations/0001_foundation.sql"))];

/// A pool of connections, and the queue of writers where the engine has only one.
#[derive(Clone)]
pub struct Db {
    pool: AnyPool,
    engine: Engine,
    /// SQLite has one writer; waiting here is fair and wakes at once, its busy handler polls.
    turns: Option<Arc<Semaphore>>,
}

/// A write transaction. Dropped without [`Tx::commit`], it is as if it had never been.
pub struct Tx {
    inner: Transaction<'static, Any>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Db {
    /// Connects; an SQLite file is created where there is none.
    pub async fn connect(url: &str, pool_size: Option<u32>) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of_url(url).ok_or_else(|| {
            Error::invalid("the database URL must start with sqlite: or postgres:, for example sqlite:evergrant.db")
        })?;
        let pool = AnyPoolOptions::new()
            .max_connections(pool_size.unwrap_or(engine.pool_size()))
            .acquire_timeout(Duration::from_secs(15))
            .idle_timeout(Duration::from_mins(5))
            .test_before_acquire(false)
            .after_connect(move |conn, _| {
                Box::pin(async move { conn.execute(sqlx::raw_sql(engine.on_connect())).await.map(drop) })
            })
            .connect(url)
            .await?;
        let turns = (engine == Engine::Sqlite).then(|| Arc::new(Semaphore::new(1)));
        Ok(Self { pool, engine, turns })
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

    /// A write transaction.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let turn = match &self.turns {
            Some(turns) => Some(
                turns
                    .clone()
                    .acquire_owned()
                    .await
                    .map_err(|_| Error::Internal("the writers' queue is closed"))?,
            ),
            None => None,
        };
        Ok(Tx {
            inner: self.pool.begin_with(self.engine.begin()).await?,
            _turn: turn,
        })
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
        self.pool.close().await;
    }
}

impl Tx {
    /// Makes it so.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}
