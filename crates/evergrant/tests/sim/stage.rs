//! What a thread's runs share: the database file, its connections, and what never changes in it.

use std::sync::Arc;

use evergrant::accounts::{self, Change, LinkedAccount};
use evergrant::app::{App, FORETELL, Handles};
use evergrant::catalog::Catalog;
use evergrant::clients::{self, NewClient};
use evergrant::clock::{ManualClock, Timestamp};
use evergrant::db::Db;
use evergrant::egress::Egress;
use evergrant::flights::Flights;
use evergrant::pace::Pace;
use evergrant::secret::Secret;
use evergrant::steps::{Step, Steps};
use evergrant::tenants::{self, Environment, Tenant};
use evergrant::vault::Keyring;
use tempfile::TempDir;

use crate::disk::Disk;
use crate::gates::{Gates, NodeClock, TrueClock};
use crate::provider::{MANNERS, Provider};
use crate::rest::Rest;
use crate::wire::Wire;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_704_164_645_678);
pub(crate) const NODES: usize = 3;
/// How many milliseconds each node's clock is ahead of the database's at first.
pub(crate) const AHEAD: [i64; NODES] = [0, 125_000, -110_000];
/// In how many cases of a hundred a node dies when it comes to a point between two effects.
const DIES: usize = 3;

/// The stage of all runs of a thread.
pub(crate) struct Stage {
    pub(crate) dbs: Vec<Db>,
    pub(crate) rest: Rest,
    pub(crate) disk: Disk,
    pub(crate) tenant: Tenant,
    pub(crate) accounts: Vec<LinkedAccount>,
    catalog: Catalog,
    master: Secret,
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn build(rest: Rest) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        for (_, slug) in MANNERS {
            std::fs::write(folder.path().join(format!("{slug}.toml")), file(slug)).unwrap();
        }
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("sim.db").display());
        let mut dbs = Vec::new();
        for _ in 0..NODES {
            dbs.push(connected(&url).await);
        }
        let catalog = Catalog::load(Some(folder.path()), None).unwrap();
        let master = Keyring::generate();
        let app = App::new(handles(
            &dbs[0],
            &master,
            (&catalog, Egress::new([])),
            Box::new(ManualClock::at(START)),
        ));
        app.db.migrate(START).await.unwrap();
        let disk = Disk::of(&url).await;
        tenants::ensure_default(&app).await.unwrap();
        let found =
            tenants::store::find_environment(&mut app.db.read().await.unwrap(), "default", Environment::Test).await;
        let tenant = found.unwrap().unwrap().tenant;
        let mut accounts = Vec::new();
        for (at, (_, slug)) in MANNERS.into_iter().enumerate() {
            let new = NewClient {
                client_id: "client".into(),
                secret: Some(Secret::from("s".to_owned())),
                scopes: None,
            };
            clients::set(&app, &tenant, slug, new).await.unwrap();
            let change = Change::of(&format!("account-{at}")).unwrap();
            accounts.push(accounts::upsert(&app, &tenant, &change).await.unwrap().0.account);
        }
        Self {
            dbs,
            rest,
            disk,
            tenant,
            accounts,
            catalog,
            master,
            _folder: folder,
        }
    }

    /// Forgets what the last run has done.
    pub(crate) async fn clear(&mut self) {
        self.disk.clear().await;
        let mut tx = self.dbs[0].begin().await.unwrap();
        for table in ["deliveries", "events", "timeline", "connections"] {
            let text: &'static str = match table {
                "deliveries" => "DELETE FROM deliveries",
                "events" => "DELETE FROM events",
                "timeline" => "DELETE FROM timeline",
                _ => "DELETE FROM connections",
            };
            sqlx::query(text).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// A node with an empty memory.
    pub(crate) fn node(&self, gates: &Gates, provider: &Provider, (node, life): (usize, u64)) -> App {
        let wire = Wire {
            provider: provider.clone(),
            node,
            life,
        };
        let clock = NodeClock {
            gates: gates.clone(),
            node,
        };
        let egress = Egress::new([]).over(Arc::new(wire));
        // Leases are measured by the database's clock, which all nodes share.
        let db = self.dbs[node].clone().timed_by(Arc::new(TrueClock(gates.clone())));
        let mut handles = handles(&db, &self.master, (&self.catalog, egress), Box::new(clock));
        let gates = gates.clone();
        handles.steps = Steps::default().watched_by(Arc::new(move |step| {
            let gates = gates.clone();
            Box::pin(async move { at(&gates, node, step).await })
        }));
        App::new(handles)
    }
}

/// What happens to a node at a step: it waits, or dies.
async fn at(gates: &Gates, node: usize, step: Step) {
    let what = format!("node {node} {}", step.name());
    if step != Step::RecordBeforeCommit {
        return gates.pass_or_die(node, what, DIES).await;
    }
    // Whoever has the write lock does not wait with it.
    if gates.is_deadly(DIES) {
        gates.note(&format!("   dies: {what}"));
        gates.die(node);
        std::future::pending::<()>().await;
    }
}

fn handles(
    db: &Db,
    master: &Secret,
    (catalog, egress): (&Catalog, Egress),
    clock: Box<dyn evergrant::clock::Clock>,
) -> Handles {
    Handles {
        db: db.clone(),
        keyring: Keyring::parse(master).unwrap(),
        data_keys: std::sync::RwLock::default(),
        key_sets: std::sync::RwLock::default(),
        catalog: catalog.clone(),
        egress,
        clock,
        public_url: "http://127.0.0.1:8080".parse().unwrap(),
        pace: Pace::default(),
        flights: Flights::default(),
        foretell: FORETELL,
        probe_every: evergrant::app::PROBE_EVERY,
        steps: Steps::default(),
    }
}

/// A node's connections. What a process writes outlives its death without a flush; only power cuts need one.
async fn connected(url: &str) -> Db {
    let db = Db::connect(url, Some(2)).await.unwrap();
    let mut both = vec![db.read().await.unwrap(), db.read().await.unwrap()];
    for conn in &mut both {
        // Nobody waits by the machine's clock for a lock: who does not get it, fails.
        sqlx::query("PRAGMA busy_timeout = 0")
            .execute(&mut **conn)
            .await
            .unwrap();
        sqlx::query("PRAGMA synchronous = OFF")
            .execute(&mut **conn)
            .await
            .unwrap();
    }
    db
}

fn file(slug: &str) -> String {
    let lifetimes = match slug {
        "strict" => "rotation = \"always\"",
        "grace" => "rotation = \"always\"\ngrace = \"1m\"",
        _ => "rotation = \"none\"",
    };
    format!(
        r#"
slug = "{slug}"
name = "{slug}"
description = "Modelled"
[api]
base_url = "https://{slug}.example"
[lifetimes]
{lifetimes}
[oauth2]
authorization_url = "https://{slug}.example/authorize"
token_url = "https://{slug}.example/token"
revocation_url = "https://{slug}.example/revoke"
client_authentication = "post"
[oauth2.probe]
url = "/me"
"#
    )
}
