//! Finding the next 500 due of 1,000, 100,000 and 1,000,000 connections, on SQLite and on PostgreSQL.
//!
//! The query is the sweep's own (`refresh::store::due_of_all_tenants`). Half of the connections are due, so that the backlog is as
//! large as the table allows. Median and worst of 50 calls on a warm cache.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints its figures, and ends where anything fails"
)]

use std::time::Instant;

use evergrant::clock::Timestamp;
use evergrant::db::{Db, Engine};
use evergrant::refresh::store::{Lane, Times, due_of_all_tenants};
use sqlx::Executor as _;

/// What the program has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: i64 = 1_704_164_645_678;
const WANTED: i64 = 500;
const CALLS: usize = 50;

const TENANT: &str = "INSERT INTO organisations (id, name, created_at) VALUES ('o', 'bench', 0)";
const ENVIRONMENTS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 19) \
    INSERT INTO environments (id, org, name, return_origins, frame_origins, created_at) \
    SELECT 't' || CAST(i AS TEXT), 'o', 'e' || CAST(i AS TEXT), '[]', '[]', 0 FROM n";
/// 20 tenants with 10 applications each; every second connection fell due at some time in the last half hour.
const CONNECTIONS: &str = "WITH RECURSIVE n (i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
    INSERT INTO connections (id, tenant, account, slug, auth_type, status, failures, version, has_refresh_token, fence, \
        due_at, connected_at, created_at, updated_at) \
    SELECT 'c' || CAST(100000000 + (i * 7919) % 100000007 AS TEXT), 't' || CAST(i % 20 AS TEXT), 'a' || CAST(i AS TEXT), \
        'app-' || CAST((i / 20) % 10 AS TEXT), 'oauth2', 'active', 0, 1, 1, 1, \
        $3 + ((i * 104729) % 1800000) * (CASE WHEN i % 2 = 0 THEN -1 ELSE 1 END), 0, 0, 0 FROM n";
const REST: &str = "UPDATE connections SET due_at = due_at + 7200000 WHERE due_at < $1 - 900000";

async fn fill(db: &Db, from: i64, to: i64) {
    let mut at = from;
    while at < to {
        let end = (at + 50_000).min(to);
        let mut tx = db.begin().await.unwrap();
        let insert = sqlx::query(CONNECTIONS).bind(at).bind(end - 1).bind(NOW);
        insert.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        at = end;
    }
    settle(db).await;
}

/// As the database is a while after so much was written: on PostgreSQL autovacuum has been there. Until then the first call after
/// a mass update walks over the index entries of old row versions, once.
async fn settle(db: &Db) {
    let settle = match db.engine() {
        Engine::Sqlite => "ANALYZE",
        Engine::Postgres => "VACUUM (ANALYZE)",
    };
    let mut conn = db.read().await.unwrap();
    conn.execute("SET statement_timeout = 0").await.ok();
    conn.execute(settle).await.unwrap();
}

/// Median and worst, in milliseconds, and how many were found.
async fn measure(db: &Db) -> (f64, f64, usize) {
    let now = Timestamp::from_millis(NOW);
    let times = Times { now, lease: now };
    let (mut from, mut took, mut found) = (Lane::default(), Vec::new(), 0);
    let mut conn = db.read().await.unwrap();
    for _ in 0..CALLS {
        let began = Instant::now();
        found = due_of_all_tenants(&mut conn, times, (WANTED, &mut from))
            .await
            .unwrap()
            .len();
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    (took[CALLS / 2], took[CALLS - 1], found)
}

async fn engine(name: &str, db: Db) {
    db.migrate(Timestamp::from_millis(NOW)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute(TENANT).await.unwrap();
    tx.execute(ENVIRONMENTS).await.unwrap();
    tx.commit().await.unwrap();
    let mut stored = 0;
    for size in [1_000, 100_000, 1_000_000] {
        fill(&db, stored, size).await;
        stored = size;
        let (median, worst, found) = measure(&db).await;
        println!(
            "{name:10} {size:9} connections, half of them due: {found} found in {median:6.2} ms (worst {worst:6.2})   goal < 10 ms"
        );
    }
    let mut tx = db.begin().await.unwrap();
    sqlx::query(REST).bind(NOW).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    settle(&db).await;
    let (median, worst, found) = measure(&db).await;
    println!(
        "{name:10} {stored:9} connections, a quarter due:      {found} found in {median:6.2} ms (worst {worst:6.2})   goal < 10 ms"
    );
    db.close().await;
}

#[tokio::main]
async fn main() {
    println!(
        "due: the sweep's own query for the next {WANTED} due, of 200 lanes (20 tenants, 10 applications); the debt is up to half an hour \
         old; median and worst of {CALLS} calls in a row, which visit the lanes in turn."
    );
    let folder = tempfile::tempdir_in(".").unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("due.db").display());
    engine("SQLite", Db::connect(&url, Some(4)).await.unwrap()).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "the bench is told of its database server by the environment"
    )]
    match std::env::var("TEST_POSTGRES_URL") {
        Ok(server) => {
            let admin = Db::connect(&server, Some(1)).await.unwrap();
            admin
                .read()
                .await
                .unwrap()
                .execute("CREATE DATABASE bench_due")
                .await
                .unwrap();
            admin.close().await;
            let (base, _) = server.rsplit_once('/').unwrap();
            engine(
                "PostgreSQL",
                Db::connect(&format!("{base}/bench_due"), Some(4)).await.unwrap(),
            )
            .await;
        }
        Err(_) => println!("PostgreSQL: not measured; run it under scripts/with-postgres.sh"),
    }
}
