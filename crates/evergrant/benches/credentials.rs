//! How fast credentials are handed out, beside a fixed reply of the same server; and what a million connections cost a server
//! that has nothing to do.

#![expect(clippy::print_stdout, reason = "a measurement is there to be read")]
#![expect(
    clippy::disallowed_methods,
    reason = "it is told of its database by the environment, and measures real time"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use axum::{Json, Router};
use evergrant::app::{App, Handles};
use evergrant::catalog::Catalog;
use evergrant::clock::SystemClock;
use evergrant::connections::{self, Credential, Tokens};
use evergrant::db::{Db, Engine};
use evergrant::egress::Egress;
use evergrant::http::extract::Recipient;
use evergrant::http::{Limits, router_besides};
use evergrant::ids::{AccountId, ConnectionId, random_token};
use evergrant::jobs::Jobs;
use evergrant::secret::Secret;
use evergrant::steps::Steps;
use evergrant::tenants::{self, Environment, Scopes, Tenant};
use evergrant::vault::Keyring;
use serde_json::{Value, json};
use sqlx::Executor as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[path = "credentials/load.rs"]
mod load;

use load::{Load, median};

/// What the program has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const METHOD: &str = "\
Credentials: GET /api/v2/public/connection/{id}/credential of 100,000 stored OAuth connections, each opened from its sealed row,
every hand-out in the audit trail, which is being written meanwhile. Uncached: random ids of all. Cached: random ids of 100, whose
sealed rows are remembered on SQLite for as long as nobody commits; each commit of the audit trail ends that, twice a second. On
PostgreSQL nothing is remembered. Beside them, in the same process, interleaved, with the same script: a fixed JSON reply of about
the same size behind the same layers and the same authentication (API key and scope); and, for whom it interests, the same reply
without authentication. Load: wrk, one thread, keep-alive over loopback, on the same cores as the server. Medians over the
rounds; the ratio is the median of each round's ratio. Log level as in production, written to a file that is thrown away.";

const STORED: usize = 100_000;
const ROUNDS: usize = 3;
const PLENTY: u32 = 1_000_000;

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run())
}

async fn run() -> anyhow::Result<()> {
    // `cargo bench` passes `--bench`; `cargo test --benches` must not measure.
    if !std::env::args().any(|word| word == "--bench") {
        return Ok(());
    }
    let log = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(log)).init();
    println!("{METHOD}\n");
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite://{}?mode=rwc", folder.path().join("credentials.db").display());
    measure(&sqlite, "SQLite", 0.3).await?;
    match std::env::var("TEST_POSTGRES_URL") {
        Ok(url) => measure(&postgres(&url).await?, "PostgreSQL", 0.15).await?,
        Err(_) => println!("PostgreSQL: not measured; run under scripts/with-postgres.sh"),
    }
    idle(folder.path()).await
}

/// A database of its own on the throw-away server.
async fn postgres(server: &str) -> anyhow::Result<String> {
    let admin = Db::connect(server, Some(1)).await?;
    admin
        .read()
        .await?
        .execute("DROP DATABASE IF EXISTS bench_credentials")
        .await?;
    admin.read().await?.execute("CREATE DATABASE bench_credentials").await?;
    admin.close().await;
    let (base, _) = server.rsplit_once('/').context("a database URL ends in a name")?;
    Ok(format!("{base}/bench_credentials"))
}

async fn open(url: &str, master: &Secret) -> anyhow::Result<(App, Tenant)> {
    let public = "http://127.0.0.1:8080".parse()?;
    let app = App::new(Handles {
        db: Db::connect(url, None).await?,
        keyring: Keyring::parse(master)?,
        data_keys: std::sync::RwLock::default(),
        key_sets: std::sync::RwLock::default(),
        catalog: Catalog::load(None, None)?,
        egress: Egress::new(Vec::<String>::new()),
        clock: Box::new(SystemClock),
        public_url: public,
        pace: evergrant::pace::Pace::default(),
        flights: evergrant::flights::Flights::default(),
        foretell: evergrant::app::FORETELL,
        probe_every: evergrant::app::PROBE_EVERY,
        steps: Steps::default(),
    });
    app.db.migrate(app.now()).await?;
    tenants::ensure_default(&app).await?;
    let found = tenants::store::find_environment(&mut *app.db.read().await?, "default", Environment::Test).await?;
    Ok((app, found.context("the first start made it")?.tenant))
}

async fn measure(url: &str, engine: &str, goal: f64) -> anyhow::Result<()> {
    let (app, tenant) = open(url, &Keyring::generate()).await?;
    let found = tenants::store::get_environment(&mut *app.db.read().await?, &tenant.id).await?;
    let key = tenants::create_key(&app, &found, "bench", Scopes::parse("credentials")?).await?;
    let ids = store(&app, &tenant).await?;
    let stop = CancellationToken::new();
    let jobs = Jobs::start(&app, stop.clone());
    let address = serve(&app, &jobs).await?;
    let folder = tempfile::tempdir()?;
    let load = Load::new(folder.path(), &ids, (address, key.value.expose()))?;
    println!("{engine}, {STORED} connections");
    let cached = (app.db.engine() == Engine::Sqlite).then_some(0.6);
    load.compare(32, (ROUNDS, goal, cached))?;
    load.compare(1, (1, goal, cached))?;
    jobs.stop(Duration::from_secs(30)).await;
    let waiting = tenants::audit::write_hand_outs(&app).await?;
    println!("  hand-outs not yet in the audit trail at the end: {waiting} entries\n");
    app.db.close().await;
    Ok(())
}

/// Serves as `evergrant serve` does: each request is run to its end by a task of its own.
async fn serve(app: &App, jobs: &Jobs) -> anyhow::Result<SocketAddr> {
    let fixed: Value = json!({ "values": { "access_token": "x".repeat(180) }, "headers": { "authorization": "x".repeat(187) },
        "connection_id": "65aa000000000000000000c1", "linked_account_id": "acct-000001", "slug": "hubspot",
        "auth_type": "oauth2", "expires_at": "2024-01-02T03:04:05.678Z", "base_url": "https://api.example.com/", "query": {} });
    let open = fixed.clone();
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let besides = Router::new()
        .route(
            "/bench/fixed/{id}",
            get(move |_: Recipient| std::future::ready((no_store, Json(fixed.clone())))),
        )
        .route(
            "/bench/open/{id}",
            get(move || std::future::ready(([(header::CACHE_CONTROL, "no-store")], Json(open.clone())))),
        );
    let limits = Limits {
        every: Duration::from_nanos(100),
        burst: 1_000_000,
    };
    let jobs = jobs.clone();
    let to_the_end = move |request: Request, next: Next| {
        let jobs = jobs.clone();
        async move { jobs.finish(next.run(request)).await }
    };
    let service = Router::new()
        .fallback_service(router_besides(app.clone(), limits, besides))
        .layer(from_fn(to_the_end));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Jobs::watch(async move {
        let _ = axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>()).await;
    });
    Ok(address)
}

/// Stores the connections; returns their ids.
async fn store(app: &App, tenant: &Tenant) -> anyhow::Result<Vec<ConnectionId>> {
    let sealer = tenants::sealer(app, tenant).await?;
    let now = app.now();
    let mut ids = Vec::with_capacity(STORED);
    for batch in 0..STORED / 10_000 {
        let mut tx = app.db.begin().await?;
        for number in 0..10_000 {
            let (id, account) = (ConnectionId::new(now), AccountId::new(now));
            let credential = Credential::OAuth2(Tokens {
                access_token: Secret::from(random_token("at_").expose().repeat(4)),
                refresh_token: Some(random_token("rt_")),
                scope: Some(vec!["crm.read".to_owned(), "crm.write".to_owned()]),
                client_id: "client".to_owned(),
                inputs: BTreeMap::new(),
                extras: Secret::from("{}".to_owned()),
            });
            let sealed = connections::seal(&sealer, &id, &credential);
            sqlx::query("INSERT INTO linked_accounts (id, tenant, account_id, version, created_at, updated_at) VALUES ($1, $2, $3, 1, $4, $4)")
                .bind(account.as_str()).bind(tenant.id.as_str()).bind(format!("acct-{batch}-{number}")).bind(now.as_millis())
                .execute(&mut *tx).await?;
            sqlx::query("INSERT INTO connections (id, tenant, account, slug, auth_type, status, failures, version, sealed_credential, \
                has_refresh_token, issued_at, expires_at, fence, due_at, connected_at, created_at, updated_at) \
                VALUES ($1, $2, $3, 'hubspot', 'oauth2', 'active', 0, 1, $4, 1, $5, $6, 0, $6, $5, $5, $5)")
                .bind(id.as_str()).bind(tenant.id.as_str()).bind(account.as_str()).bind(sealed.as_bytes()).bind(now.as_millis())
                .bind(now.after(Duration::from_hours(12)).as_millis())
                .execute(&mut *tx).await?;
            ids.push(id);
        }
        tx.commit().await?;
    }
    let settle = if app.db.engine() == Engine::Sqlite {
        "PRAGMA wal_checkpoint(TRUNCATE)"
    } else {
        "VACUUM ANALYZE"
    };
    app.db.read().await?.execute(settle).await?;
    Ok(ids)
}

/// The real binary on a database of a million connections.
async fn idle(folder: &Path) -> anyhow::Result<()> {
    let data = folder.join("data");
    std::fs::create_dir(&data)?;
    let url = format!("sqlite://{}?mode=rwc", data.join("evergrant.db").display());
    let master = Keyring::generate();
    let (app, tenant) = open(&url, &master).await?;
    let check = app.keyring.check_value();
    let mut tx = app.db.begin().await?;
    tenants::store::insert_meta(&mut tx, "master_key_check", &check).await?;
    tx.commit().await?;
    let now = app.now();
    let mut conn = app.db.read().await?;
    let began = Instant::now();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $5) \
        INSERT INTO connections (id, tenant, account, slug, auth_type, status, failures, version, sealed_credential, \
            has_refresh_token, issued_at, expires_at, fence, due_at, connected_at, created_at, updated_at) \
        SELECT printf('65aa%020x', i), $1, printf('65ab%020x', i / 8), 'app-' || (i % 8), 'oauth2', 'active', 0, 1, \
            randomblob(478), 1, $2, $3, 0, $3 + i, $2, $2, $2 FROM n LIMIT $4",
    )
    .bind(tenant.id.as_str())
    .bind(now.as_millis())
    .bind(now.after(Duration::from_hours(24 * 30)).as_millis())
    .bind(i64::from(PLENTY))
    .bind(i64::from(PLENTY))
    .execute(&mut *conn)
    .await?;
    drop(conn);
    app.db.close().await;
    println!(
        "{PLENTY} connections on SQLite (stored by SQL in {:.0} s), the release binary in EVERGRANT_BIN:",
        began.elapsed().as_secs_f64()
    );
    let Ok(binary) = std::env::var("EVERGRANT_BIN") else {
        println!("  not measured: EVERGRANT_BIN is not set");
        return Ok(());
    };
    let starts: Vec<(f64, f64)> = (0..3)
        .map(|_| start(&binary, &data, &master))
        .collect::<anyhow::Result<_>>()?;
    let (took, memory) = (
        median(starts.iter().map(|one| one.0)),
        median(starts.iter().map(|one| one.1)),
    );
    let met = |good: bool| if good { "met" } else { "MISSED" };
    println!(
        "  start-up to the first 200 of /readyz {took:.0} ms   goal under 1000: {}",
        met(took < 1000.0)
    );
    println!(
        "  resident memory 5 s after it         {memory:.0} MB   goal under 150: {}",
        met(memory < 150.0)
    );
    Ok(())
}

/// Milliseconds to ready, and megabytes after five seconds.
fn start(binary: &str, data: &Path, master: &Secret) -> anyhow::Result<(f64, f64)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let began = Instant::now();
    let mut child = Command::new(binary)
        .arg("serve")
        .current_dir(data)
        .env_clear()
        .env("EVERGRANT_DATA_DIR", data)
        .env("EVERGRANT_MASTER_KEY", master.expose())
        .env("EVERGRANT_LISTEN", format!("127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()?;
    while !is_ready(port) {
        if began.elapsed() > Duration::from_secs(30) || child.try_wait()?.is_some() {
            bail!("the server did not become ready");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed().as_secs_f64() * 1000.0;
    std::thread::sleep(Duration::from_secs(5));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let resident = status
        .split("VmRSS:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    let kib: f64 = resident.context("VmRSS")?.parse()?;
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    child.wait()?;
    Ok((took, kib * 1024.0 / 1e6))
}

fn is_ready(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}
