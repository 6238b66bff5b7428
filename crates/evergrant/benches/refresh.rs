//! Whole refresh cycles beside the database's bare batched commit rate, on SQLite with `synchronous=FULL`.
//!
//! A cycle is what production does, and all of it: the due query, claim and intent, opening the credential, the request over
//! loopback to a token endpoint in this process, judging the reply, sealing the rotated tokens, and the outcome. Beside it, in
//! the same run, on the same file and in turn: the same three statements per connection (claim, hold, save) and nothing else,
//! from one writer, 64 connections to a transaction.
//!
//! Flushes are counted, not guessed: one per commit, which `Db::commits` counts where it commits, and three for each time the
//! write-ahead log began anew (the checkpoint's two and the new header's), which the log's own header counts.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints its figures, and ends where anything fails"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use evergrant::app::{App, FORETELL, Handles};
use evergrant::catalog::{AuthType, Catalog};
use evergrant::clock::{Clock as _, ManualClock, Timestamp};
use evergrant::connections::{self, Connection, Fresh, Given, Guard, Writer};
use evergrant::db::Db;
use evergrant::egress::Egress;
use evergrant::refresh::store::{Due, Times};
use evergrant::secret::Secret;
use evergrant::tenants::{self, Environment, Tenant};
use evergrant::vault::Keyring;
use evergrant::{accounts, clients, refresh};
use tokio_util::sync::CancellationToken;

/// What the program has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 4000;
const ROUNDS: usize = 3;
const BATCH: usize = 64;
/// Two applications, since one may fill no more than half of the sweep.
const SLUGS: [&str; 2] = ["bench-one", "bench-two"];

/// A token endpoint that rotates.
async fn token(State(issued): State<Arc<AtomicUsize>>) -> ([(&'static str, &'static str); 1], String) {
    let n = issued.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        r#"{{"access_token":"access-token-{n:032}","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-token-{n:032}"}}"#
    );
    ([("content-type", "application/json")], body)
}

struct Bench {
    app: App,
    tenant: Tenant,
    clock: ManualClock,
    all: Vec<Connection>,
    wal: std::path::PathBuf,
}

impl Bench {
    async fn start(folder: &Path) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let routes = Router::new().route("/token", post(token)).with_state(Arc::default());
        evergrant::jobs::Jobs::watch(async move { axum::serve(listener, routes).await.unwrap() });
        for slug in SLUGS {
            let file = format!(
                "slug = '{slug}'\nname = 'Bench'\ndescription = 'For the bench.'\n[api]\nbase_url = 'http://{address}'\n\
             [lifetimes]\nrotation = 'always'\n[refresh]\nat_once = 128\nper_second = 1000000\n[oauth2]\n\
             authorization_url = 'http://{address}/authorize'\ntoken_url = 'http://{address}/token'\n"
            );
            std::fs::write(folder.join(format!("{slug}.toml")), file).unwrap();
        }
        let clock = ManualClock::at(Timestamp::from_millis(1_704_164_645_678));
        let database = folder.join("bench.db");
        let app = App::new(Handles {
            db: Db::connect(&format!("sqlite://{}?mode=rwc", database.display()), None)
                .await
                .unwrap(),
            keyring: Keyring::parse(&Keyring::generate()).unwrap(),
            data_keys: std::sync::RwLock::default(),
            key_sets: std::sync::RwLock::default(),
            catalog: Catalog::load(Some(folder), None).unwrap(),
            egress: Egress::new([address]),
            clock: Box::new(clock.clone()),
            public_url: "http://127.0.0.1:8080".parse().unwrap(),
            pace: evergrant::pace::Pace::default(),
            flights: evergrant::flights::Flights::default(),
            foretell: FORETELL,
            probe_every: evergrant::app::PROBE_EVERY,
            steps: evergrant::steps::Steps::default(),
        });
        app.db.migrate(app.now()).await.unwrap();
        tenants::ensure_default(&app).await.unwrap();
        let mut conn = app.db.read().await.unwrap();
        let found = tenants::store::find_environment(&mut conn, "default", Environment::Test)
            .await
            .unwrap();
        drop(conn);
        let tenant = found.unwrap().tenant;
        for slug in SLUGS {
            let client = clients::NewClient {
                client_id: "bench".to_owned(),
                secret: Some(Secret::from("secret".to_owned())),
                scopes: None,
            };
            clients::set(&app, &tenant, slug, client).await.unwrap();
        }
        let mut bench = Self {
            app,
            tenant,
            clock,
            all: Vec::new(),
            wal: folder.join("bench.db-wal"),
        };
        bench.connect().await;
        bench
    }

    async fn connect(&mut self) {
        let (app, tenant) = (&self.app, &self.tenant);
        for n in 0..CONNECTIONS {
            let application = app.catalog.get(SLUGS[n % SLUGS.len()]).unwrap().clone();
            let shape = application.oauth2.as_ref().unwrap().reply_shape();
            let change = accounts::Change::of(&format!("account-{n}")).unwrap();
            accounts::upsert(app, tenant, &change).await.unwrap();
            let account = accounts::find(app, tenant, &format!("account-{n}")).await.unwrap();
            let body = br#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}"#;
            let set = evergrant_oauth::reply::read(200, body, &shape, &[]).unwrap();
            let known = (&application.lifetimes, app.now());
            let given = Given {
                account: &account,
                application: &application,
                auth_type: AuthType::OAuth2,
                fresh: Fresh::granted(set, "bench".to_owned(), BTreeMap::new(), known),
                identifier: None,
                proved: false,
                switch: connections::Switch::Refused,
            };
            let mut tx = app.db.begin().await.unwrap();
            self.all
                .push(connections::activate(app, &mut tx, tenant, given).await.unwrap().0);
            tx.commit().await.unwrap();
        }
    }

    /// The first salt of the write-ahead log's header, which counts up each time the log begins anew (SQLite's file format, 4.1).
    fn log_began(&self) -> u32 {
        let header = std::fs::read(&self.wal).unwrap_or_default();
        header
            .get(16..20)
            .map_or(0, |four| u32::from_be_bytes(four.try_into().unwrap()))
    }

    /// Commits, and how often the log has begun anew.
    fn counters(&self) -> (u64, u32) {
        (self.app.db.commits().unwrap(), self.log_began())
    }

    /// Whole cycles in a second, and flushes per refresh.
    async fn cycles(&self) -> (f64, f64) {
        self.clock.advance(Duration::from_mins(59));
        let ((commits, logs), began) = (self.counters(), Instant::now());
        let done = refresh::run_due(&self.app, &CancellationToken::new()).await.unwrap();
        let took = began.elapsed().as_secs_f64();
        assert_eq!(done, CONNECTIONS, "every connection was due");
        let (commits_now, logs_now) = self.counters();
        let flushes = float(commits_now - commits + 3 * u64::from(logs_now.wrapping_sub(logs)));
        (float(CONNECTIONS as u64) / took, flushes / float(CONNECTIONS as u64))
    }

    /// The same statements in batches, and nothing else.
    async fn bare(&self) -> f64 {
        self.clock.advance(Duration::from_mins(59));
        let now = self.clock.now();
        let times = Times { now, lease: now };
        let began = Instant::now();
        for batch in self.all.chunks(BATCH) {
            let mut claimed = Vec::new();
            let mut tx = self.app.db.begin().await.unwrap();
            for one in batch {
                let due = Due {
                    slug: one.slug.clone(),
                    tenant: one.tenant.clone(),
                    id: one.id.clone(),
                };
                let lease = refresh::claim_due(&mut tx, &due, (times, now.after(refresh::LEASE)))
                    .await
                    .unwrap();
                claimed.push(lease.expect("every connection was due").connection);
            }
            tx.commit().await.unwrap();
            let mut tx = self.app.db.begin().await.unwrap();
            for one in claimed {
                let guard = Guard {
                    version: one.version,
                    writer: Writer::Holder(one.fence),
                };
                let held = connections::store::hold(&mut tx, &one.tenant, &one.id, (guard, now))
                    .await
                    .unwrap();
                let mut held = held.expect("nobody else writes");
                held.version += 1;
                held.schedule.due_at = Some(now.after(Duration::from_mins(45)));
                connections::store::save(&mut tx, &held).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        float(CONNECTIONS as u64) / began.elapsed().as_secs_f64()
    }
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::main]
async fn main() {
    println!("{METHOD}");
    let folder = tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or_else(|| ".".into())).unwrap();
    let bench = Bench::start(folder.path()).await;
    let (mut cycles, mut flushes, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    bench.cycles().await;
    for _ in 0..ROUNDS {
        bare.push(bench.bare().await);
        let (rate, flushed) = bench.cycles().await;
        cycles.push(rate);
        flushes.push(flushed);
    }
    let (cycles, flushes, bare) = (median(cycles), median(flushes), median(bare));
    println!("bare batched commits   {bare:8.0} connections/s");
    println!(
        "whole refresh cycles   {cycles:8.0} connections/s  -> {:.2} of that        goal >= 0.70",
        cycles / bare
    );
    println!("disk flushes           {flushes:8.3} per refresh                    goal <= 0.20");
    bench.app.db.close().await;
}

const METHOD: &str = "refresh: whole cycles (due query, claim, open, request over loopback, judge, seal, outcome) of 4,000 connections, \
in turn with the same three statements per connection (claim, hold, save) from one writer, 64 to a transaction; SQLite, \
synchronous=FULL, file in the working directory (BENCH_DIR names another); median of 3 rounds. Flushes: one a commit, three each time \
the write-ahead log begins anew.";
