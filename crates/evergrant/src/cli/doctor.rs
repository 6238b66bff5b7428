//! `evergrant doctor`: looks, and changes nothing.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::open::{self, CHECK};
use super::out::{Out, print, printable};
use crate::app::{App, Handles};
use crate::catalog::Catalog;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::{Config, ConfigError, MasterKey};
use crate::db::{Db, Engine};
use crate::egress::{Egress, Method, Request};
use crate::refresh::store::{Lane, Times};
use crate::secret::Secret;
use crate::steps::Steps;
use crate::tenants::{self, Environment};
use crate::vault::Keyring;
use crate::{refresh, webhooks};

pub(super) const EXAMPLES: &str = "\
Examples:
  evergrant doctor
  evergrant doctor --json        for monitoring; the exit code is 1 when something is wrong";

/// How long something may be due before that is worth a word.
const LATE: Duration = Duration::from_mins(5);
const MOST_SHOWN: i64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Odd,
    Wrong,
}

struct Finding {
    name: &'static str,
    state: State,
    detail: String,
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.0.push(Finding {
            name,
            state: State::Ok,
            detail: detail.into(),
        });
    }

    fn odd(&mut self, name: &'static str, detail: impl Into<String>) {
        self.0.push(Finding {
            name,
            state: State::Odd,
            detail: detail.into(),
        });
    }

    fn wrong(&mut self, name: &'static str, detail: impl Into<String>) {
        self.0.push(Finding {
            name,
            state: State::Wrong,
            detail: detail.into(),
        });
    }

    /// Keeps what worked; what did not is written down.
    fn worked<T>(&mut self, name: &'static str, result: anyhow::Result<T>) -> Option<T> {
        result.map_err(|error| self.wrong(name, super::explain(&error))).ok()
    }

    fn show(&self, out: Out) -> anyhow::Result<ExitCode> {
        let healthy = self.0.iter().all(|finding| finding.state != State::Wrong);
        if out.json {
            let checks: Vec<Value> = self.0.iter().map(Finding::view).collect();
            print(&format!("{:#}", json!({ "healthy": healthy, "checks": checks })))?;
        } else {
            for finding in &self.0 {
                let (tick, _) = finding.state.signs();
                print(&format!("{tick} {:<12} {}", finding.name, printable(&finding.detail)))?;
            }
        }
        Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl State {
    const fn signs(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("✓", "ok"),
            Self::Odd => ("!", "warning"),
            Self::Wrong => ("✗", "wrong"),
        }
    }
}

impl Finding {
    fn view(&self) -> Value {
        json!({ "name": self.name, "state": self.state.signs().1, "detail": self.detail })
    }
}

pub(super) async fn run(config: Result<Config, ConfigError>, out: Out) -> anyhow::Result<ExitCode> {
    let mut found = Findings::default();
    if let Some(config) = found.worked("settings", config.map_err(anyhow::Error::from)) {
        look(&config, &mut found).await;
    }
    found.show(out)
}

async fn look(config: &Config, found: &mut Findings) {
    let file = config
        .file
        .as_ref()
        .map_or_else(String::new, |path| format!(" and {}", path.display()));
    found.ok("settings", format!("read from the environment{file}"));
    for warning in &config.warnings {
        found.odd("settings", warning);
    }
    let public_url = config.public_url(config.listen);
    let catalog = found.worked("catalogue", open::catalog(config, &public_url));
    if let Some(catalog) = &catalog {
        found.ok("catalogue", format!("{} applications", catalog.all().len()));
    }
    folder(config, found);
    let reached = public(config, &public_url).await;
    match reached {
        Ok(detail) => found.ok("public URL", detail),
        Err(detail) => found.odd("public URL", detail),
    }
    let Some(db) = database(config, found).await else {
        return;
    };
    if let (Some(keyring), Some(catalog)) = (master_key(config, &db, found).await, catalog) {
        let app = App::new(handles(config, public_url, (db.clone(), keyring, catalog)));
        let inside = inside(&app, found).await;
        found.worked("database", inside.map_err(anyhow::Error::from));
    }
    db.close().await;
}

fn handles(config: &Config, public_url: Url, (db, keyring, catalog): (Db, Keyring, Catalog)) -> Handles {
    Handles {
        db,
        keyring,
        data_keys: std::sync::RwLock::default(),
        key_sets: std::sync::RwLock::default(),
        catalog,
        egress: Egress::new(config.egress_allow.iter().cloned()),
        clock: Box::new(SystemClock),
        public_url,
        pace: crate::pace::Pace::default(),
        flights: crate::flights::Flights::default(),
        foretell: config.foretell,
        probe_every: config.probe_every,
        steps: Steps::default(),
    }
}

/// The folder and the key file belong to one user.
fn folder(config: &Config, found: &mut Findings) {
    let key_file = match &config.master_key {
        MasterKey::Own(path) | MasterKey::File(path) => Some(path),
        MasterKey::Given(_) => None,
    };
    if config.engine == Engine::Sqlite {
        private("data folder", &config.data_dir, found);
    }
    if let Some(path) = key_file.filter(|path| path.exists()) {
        private("key file", path, found);
    }
}

fn private(name: &'static str, path: &Path, found: &mut Findings) {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let others_may = |meta: &std::fs::Metadata| meta.permissions().mode() & 0o077;
    match std::fs::metadata(path) {
        Err(error) => found.wrong(name, format!("{shown}: {error}; the first `evergrant serve` makes it")),
        Ok(meta) if others_may(&meta) == 0 => found.ok(name, format!("{shown}, for its owner alone")),
        Ok(_) => found.odd(
            name,
            format!("{shown} is open to others of this machine; close it with chmod go= {shown}"),
        ),
    }
}

/// Asks the server's own health route, as the world would. No server is no fault: it may be stopped.
async fn public(config: &Config, url: &Url) -> Result<String, String> {
    let host = url.host_str().unwrap_or_default();
    let own = format!("{host}:{}", url.port_or_known_default().unwrap_or(0));
    let health = format!("{}/healthz", url.as_str().trim_end_matches('/'));
    let request = health.parse().map(|health| Request {
        timeout: LATE.min(Duration::from_secs(5)),
        ..Request::new(Method::GET, health)
    });
    let Ok(request) = request else {
        return Err(format!("{health} is no URL"));
    };
    match Egress::new(config.egress_allow.iter().cloned().chain([own]))
        .send(request)
        .await
    {
        Ok(reply) if reply.status == 200 && reply.json().is_some_and(|body| body["status"] == "ok") => {
            Ok(format!("{url} answers"))
        }
        Ok(reply) => Err(format!(
            "{health} answers {}, and not as this server would",
            reply.status
        )),
        Err(error) => Err(format!(
            "{health}: {error}; is the server running, and reachable from here?"
        )),
    }
}

/// Connects without making a database.
async fn database(config: &Config, found: &mut Findings) -> Option<Db> {
    let url = config.database_url.expose().replace("mode=rwc", "mode=rw");
    let config = Config {
        database_url: Secret::from(url),
        ..config.clone()
    };
    let db = found.worked("database", open::connect(&config).await)?;
    let schema = async {
        let mut conn = db.read().await?;
        tenants::store::organisations(&mut conn).await
    };
    match schema.await {
        Ok(organisations) => {
            found.ok(
                "database",
                format!("{:?}, {} organisations", db.engine(), organisations.len()),
            );
            clock(
                &organisations.iter().map(|org| org.created_at).collect::<Vec<_>>(),
                found,
            );
            Some(db)
        }
        Err(error) => {
            let why = super::explain(&error.into());
            found.wrong(
                "database",
                format!("it has no schema, or another one; `evergrant serve` makes it: {why}"),
            );
            None
        }
    }
}

/// A clock that has gone back makes tokens live for ever.
fn clock(created: &[Timestamp], found: &mut Findings) {
    let now = SystemClock.now();
    match created.iter().max() {
        Some(latest) if *latest > now => {
            found.wrong(
                "clock",
                format!(
                    "it says {}, yet an organisation was made at {}",
                    now.iso(),
                    latest.iso()
                ),
            );
        }
        _ => found.ok("clock", now.iso()),
    }
}

async fn master_key(config: &Config, db: &Db, found: &mut Findings) -> Option<Keyring> {
    let opens = async {
        open::require_key(config)?;
        let check = tenants::store::get_meta(&mut *db.read().await?, CHECK).await?;
        let Some(check) = check else {
            anyhow::bail!("the database has no check value yet; `evergrant serve` makes it")
        };
        let Some((text, from)) = open::given(config, true)? else {
            anyhow::bail!("there is none")
        };
        let keyring = Keyring::parse(&text)?;
        anyhow::ensure!(
            keyring.opens(&check),
            "the one from {from} (id {}) does not open this database",
            keyring.primary()
        );
        Ok((keyring, from))
    };
    let (keyring, from) = found.worked("master key", opens.await)?;
    found.ok(
        "master key",
        format!("{} from {from} opens the database", keyring.primary()),
    );
    Some(keyring)
}

/// What stands in the database.
async fn inside(app: &App, found: &mut Findings) -> Result<(), crate::error::Error> {
    let organisations = tenants::store::organisations(&mut *app.db.read().await?).await?;
    for org in &organisations {
        for environment in Environment::ALL {
            let row = tenants::store::find_environment(&mut *app.db.read().await?, &org.name, environment).await?;
            let Some(row) = row else { continue };
            let place = format!("{} / {environment}", org.name);
            let signed = tenants::signing_key(app, &row.tenant).await?.is_some();
            let webhooks = webhooks::list(app, &row.tenant).await?.len();
            match (signed, webhooks) {
                (true, _) => found.ok("signing key", format!("{place}: named, {webhooks} webhooks")),
                (false, 0) => found.ok("signing key", format!("{place}: none, and no webhook needs one")),
                (false, _) => found.wrong(
                    "signing key",
                    format!("{place}: none, so its {webhooks} webhooks wait; make one with `evergrant key create --scopes sign`"),
                ),
            }
        }
    }
    let late = app.now().before(LATE);
    let mut conn = app.db.read().await?;
    let times = Times {
        now: late,
        lease: app.db.lease_time(&mut conn, app.now()).await?,
    };
    let due = refresh::store::due_of_all_tenants(&mut conn, times, (MOST_SHOWN, &mut Lane::default()))
        .await?
        .len();
    let waiting = webhooks::outbox::overdue_of_all_tenants(&mut conn, late).await?;
    if due == 0 && waiting == 0 {
        found.ok("backlog", "nothing has been due for more than five minutes");
    } else {
        found.odd(
            "backlog",
            format!("{due} connections and {waiting} deliveries have been due for more than five minutes; is a server running?"),
        );
    }
    Ok(())
}
