//! A database that fails at the worst moment: the provider has rotated, and the new token is not stored yet.

use std::io::Write;
use std::sync::{Arc, Mutex};

use evergrant::app::App;
use evergrant::connections::{Guard, Writer, store};
use evergrant::db::{Db, Engine};
use evergrant::ids::ConnectionId;
use evergrant::refresh::{self, Did, Why};

use crate::support::{CRM, story, timeline, until};

/// What this thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn times(&self, words: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(words).count()
    }
}

/// From now on what would wait for another's lock fails, on every connection of the pool.
async fn do_not_wait_for_locks(app: &App) {
    let statement = match app.db.engine() {
        Engine::Sqlite => "PRAGMA busy_timeout = 0",
        Engine::Postgres => "SET lock_timeout = '20ms'",
    };
    let mut all = Vec::new();
    // One of the four is kept for look-ups, which wait for nobody.
    for _ in 0..3 {
        all.push(app.db.read().await.unwrap());
    }
    for conn in &mut all {
        sqlx::query(statement).execute(&mut **conn).await.unwrap();
    }
}

#[tokio::test]
async fn a_rotated_token_that_cannot_be_stored_at_once_is_stored_later_and_not_asked_for_again() {
    const FAILED: &str = "a rotated token could not be stored";
    story(async |s| {
        let log = Log::default();
        let _listening = log.listen();
        let id = s.connect().await;
        let key: ConnectionId = id.parse().unwrap();
        let held = s.provider.hold_refreshes();
        let locked = async {
            held.arrived().await;
            do_not_wait_for_locks(&s.t.app).await;
            let other = Db::connect(&s.t.database.url, Some(1)).await.unwrap();
            let mut tx = other.begin().await.unwrap();
            let guard = Guard {
                version: 1,
                writer: Writer::Beside,
            };
            let row = store::hold(&mut tx, &s.tenant().id, &key, (guard, s.t.app.now())).await;
            assert!(row.unwrap().is_some());
            held.release();
            until("a try to store it has failed", async || {
                (log.times(FAILED) > 0).then_some(())
            })
            .await;
            assert_eq!(s.find(&id).await.version, 1);
            drop(tx);
            other.close().await;
        };
        let (renewed, ()) = tokio::join!(refresh::renew(&s.t.app, s.tenant(), &key, Why::Forced), locked);
        let renewed = renewed.unwrap();
        assert_eq!((renewed.did, renewed.connection.version), (Did::Renewed, 2));
        assert_eq!(s.find(&id).await.version, 2);
        assert_eq!(s.provider.refreshes(), 1);
        assert!(log.times(FAILED) > 0);

        // What is stored is the provider's newest: a strict one would end the grant for any other.
        assert_eq!(s.act(&id, "refresh").await["outcome"], "renewed");
        assert_eq!(s.provider.grants(), ["living"]);
        s.assert_healthy(CRM).await;
        assert_eq!(timeline(&s.connection(&id).await), ["connected"]);
    })
    .await;
}
