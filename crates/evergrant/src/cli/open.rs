//! From settings to handles: the data folder, the master key, the database, the first organisation.

use std::path::Path;

use anyhow::{Context as _, bail};
use url::Url;

use super::{key_file, sandbox};
use crate::app::{App, Handles};
use crate::catalog::Catalog;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, MasterKey};
use crate::db::{Db, Engine};
use crate::egress::Egress;
use crate::secret::Secret;
use crate::steps::Steps;
use crate::tenants;
use crate::vault::Keyring;

/// The check value's name in the database.
pub(super) const CHECK: &str = "master_key_check";

/// What was opened, and what the operator must hear of it.
pub(super) struct Opened {
    pub(super) app: App,
    /// Said aloud, one line each; nothing secret.
    pub(super) news: Vec<String>,
}

/// Opens everything; on an empty database, also makes what a first start needs.
pub(super) async fn open(config: &Config, public_url: Url) -> anyhow::Result<Opened> {
    let mut news = Vec::new();
    require_key(config)?;
    let catalog = catalog(config, &public_url)?;
    make_data_dir(config)?;
    let db = connect(config).await?;
    db.migrate(SystemClock.now())
        .await
        .context("the database's schema cannot be brought up to date")?;
    let keyring = keyring(config, &db, &mut news).await?;
    // The sandbox is this very server, which is private wherever it is tried out.
    let own = config.sandbox.then(|| sandbox::authority(&public_url));
    let app = App::new(Handles {
        db,
        keyring,
        data_keys: std::sync::RwLock::default(),
        key_sets: std::sync::RwLock::default(),
        catalog,
        egress: Egress::new(config.egress_allow.iter().cloned().chain(own)).limited(config.proxy),
        clock: Box::new(SystemClock),
        public_url,
        pace: crate::pace::Pace::default(),
        flights: crate::flights::Flights::default(),
        foretell: config.foretell,
        probe_every: config.probe_every,
        steps: Steps::stopping_at(config.stop_at).leasing(config.lease),
    });
    if tenants::ensure_default(&app).await? {
        news.push(
            "first start: made the organisation `default` with the environments `test` and `production`; \
             make the first API key with `evergrant key create --org default --env test`"
                .to_owned(),
        );
    }
    Ok(Opened { app, news })
}

/// The applications, built in and the operator's own.
pub(super) fn catalog(config: &Config, public_url: &Url) -> anyhow::Result<Catalog> {
    let sandbox = config.sandbox.then(|| sandbox::url(public_url));
    let catalog = Catalog::load(config.catalog_dir.as_deref(), sandbox.as_ref());
    catalog.context("the catalogue cannot be read; mend the file, or see EVERGRANT_CATALOG_DIR")
}

/// Every server on one PostgreSQL needs the same key, so none of them may make its own.
pub(super) fn require_key(config: &Config) -> anyhow::Result<()> {
    if config.engine == Engine::Postgres && matches!(config.master_key, MasterKey::Own(_)) {
        bail!(
            "with PostgreSQL the master key must be given, since every server needs the same one. Make one with \
             `openssl rand -base64 32`, keep it safe, and set EVERGRANT_MASTER_KEY_FILE (or EVERGRANT_MASTER_KEY)"
        );
    }
    Ok(())
}

/// Connects to the database that the settings name.
pub(super) async fn connect(config: &Config) -> anyhow::Result<Db> {
    if config.engine == Engine::Sqlite {
        make_private_file(config.database_url.expose())
            .context("the database file cannot be made; see EVERGRANT_DATABASE_URL")?;
    }
    let db = Db::connect(config.database_url.expose(), config.database_pool).await;
    let db = db.context("the database cannot be opened; see EVERGRANT_DATABASE_URL")?;
    Ok(db.on_its_own_time())
}

/// An SQLite file that is not there yet is made with mode 0600: what SQLite puts beside it takes the same mode.
fn make_private_file(url: &str) -> std::io::Result<()> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = Path::new(path.split('?').next().unwrap_or_default());
    if path.as_os_str().is_empty() || path.starts_with(":memory:") || path.exists() {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // Another process was first, which is fine; a link that leads nowhere would make a file of somebody's choosing.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && !path.is_symlink() => Ok(()),
        other => other.map(drop),
    }
}

fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    if config.engine == Engine::Postgres {
        return Ok(());
    }
    make_folder(&config.data_dir).with_context(|| {
        format!(
            "the data folder {} cannot be made; see EVERGRANT_DATA_DIR",
            config.data_dir.display()
        )
    })
}

/// Makes a folder that only its owner may enter; one that is there stays as it is.
fn make_folder(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The master keys, which must open the database's check value. Only an SQLite database that has none yet gets a key made.
async fn keyring(config: &Config, db: &Db, news: &mut Vec<String>) -> anyhow::Result<Keyring> {
    let check = tenants::store::get_meta(&mut *db.read().await?, CHECK).await?;
    let (text, from) = match given(config, check.is_some())? {
        Some(given) => given,
        None => make(config, news)?,
    };
    let keyring = Keyring::parse(&text).with_context(|| format!("the master key from {from} cannot be used"))?;
    let check = if let Some(check) = check {
        check
    } else {
        settle(db, &keyring).await?
    };
    if !keyring.opens(&check) {
        bail!(
            "the master key from {from} (id {}) is not the one this database was made with: nothing in it could be opened. \
             Give the right key with EVERGRANT_MASTER_KEY or EVERGRANT_MASTER_KEY_FILE, or name another database",
            keyring.primary()
        );
    }
    Ok(keyring)
}

/// Stores the check value; of several nodes that start at once on an empty database, all get the first one's.
async fn settle(db: &Db, keyring: &Keyring) -> anyhow::Result<Vec<u8>> {
    let mut tx = db.begin().await?;
    tenants::store::insert_meta(&mut tx, CHECK, &keyring.check_value()).await?;
    let check = tenants::store::get_meta(&mut tx, CHECK).await?;
    tx.commit().await?;
    check.context("the database does not keep what is written to it")
}

/// The key that is there, and whence; `None` where one may be made.
pub(super) fn given(config: &Config, is_used: bool) -> anyhow::Result<Option<(Secret, String)>> {
    let path = match &config.master_key {
        MasterKey::Given(key) => return Ok(Some((key.clone(), "EVERGRANT_MASTER_KEY".to_owned()))),
        MasterKey::File(path) => {
            let text = key_file::read(path).with_context(|| {
                format!(
                    "the master key file {} cannot be read; see EVERGRANT_MASTER_KEY_FILE",
                    path.display()
                )
            })?;
            return Ok(Some((text, path.display().to_string())));
        }
        MasterKey::Own(path) => path,
    };
    match key_file::read(path) {
        Ok(text) => Ok(Some((text, path.display().to_string()))),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the master key file {} cannot be read", path.display()))
        }
        Err(_) if is_used => bail!(
            "the master key file {} is not there, but the database was made with a master key: without it nothing in the \
             database can be opened. Put the file back, or give the key with EVERGRANT_MASTER_KEY or EVERGRANT_MASTER_KEY_FILE",
            path.display()
        ),
        Err(_) => Ok(None),
    }
}

fn make(config: &Config, news: &mut Vec<String>) -> anyhow::Result<(Secret, String)> {
    let MasterKey::Own(path) = &config.master_key else {
        bail!("a master key that is given is never made")
    };
    let text = key_file::make(path, &Keyring::generate())
        .with_context(|| format!("the master key file {} cannot be written", path.display()))?;
    news.push(format!(
        "made a master key in {}: keep a copy of it apart from the database's; without it nothing in the database can be opened",
        path.display()
    ));
    Ok((text, path.display().to_string()))
}
