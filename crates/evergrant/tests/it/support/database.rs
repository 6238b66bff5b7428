//! A fresh database for each test, on both engines.

use evergrant::db::Db;
use sqlx::Executor as _;
use tempfile::TempDir;

use super::{Receiver, TestApp};

/// A database that is gone when the test is over.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// The SQLite file's folder.
    pub(crate) folder: Option<TempDir>,
}

impl TestDatabase {
    /// A file in a folder of its own.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("evergrant.db").display());
        Self {
            url,
            folder: Some(folder),
        }
    }

    /// A database of its own on the throw-away server that `make test` starts. Without one the test fails: a
    /// promise that was not tried on both engines is not kept.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are told of their database server by the environment"
    )]
    pub(crate) async fn postgres() -> Self {
        let server = std::env::var("TEST_POSTGRES_URL")
            .expect("TEST_POSTGRES_URL is not set: run the tests with `make test` or under scripts/with-postgres.sh");
        let name = format!(
            "t_{}",
            evergrant::ids::sha256_hex(evergrant::ids::uuid().as_bytes())
                .split_at(16)
                .0
        );
        let admin = Db::connect(&server, Some(1)).await.unwrap();
        let create: &'static str = Box::leak(format!("CREATE DATABASE {name}").into_boxed_str());
        admin.read().await.unwrap().execute(create).await.unwrap();
        admin.close().await;
        let (base, _) = server.rsplit_once('/').unwrap();
        Self {
            url: format!("{base}/{name}"),
            folder: None,
        }
    }
}

/// Runs a story on SQLite and then on PostgreSQL.
pub(crate) async fn on_both<F: Future<Output = ()>>(story: impl Fn(TestApp) -> F) {
    story(TestApp::start(TestDatabase::sqlite()).await).await;
    story(TestApp::start(TestDatabase::postgres().await).await).await;
}

/// The same, with a receiver of webhooks that the service may call.
pub(crate) async fn on_both_with_receiver<F: Future<Output = ()>>(story: impl Fn(TestApp, Receiver) -> F) {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let receiver = Receiver::start().await;
        let app = TestApp::start_allowing(database, vec![receiver.address.clone()]).await;
        story(app, receiver).await;
    }
}
