//! Making values of the texts.

use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::read::{Found, Origin, Place, Texts};
use super::settings::Key;
use super::{Config, ConfigError, LogFormat, MasterKey, is_loopback};
use crate::db::Engine;
use crate::egress::Limits;
use crate::secret::Secret;
use crate::steps::Step;

const DATABASE_FILE: &str = "evergrant.db";
const MASTER_KEY_FILE: &str = "master.key";

pub(super) fn config(texts: &Texts) -> Result<Config, ConfigError> {
    let data_dir = folder(texts, Key::DataDir)?.unwrap_or_else(|| PathBuf::from("evergrant-data"));
    let data_dir = std::path::absolute(&data_dir).map_err(|error| {
        ConfigError(format!(
            "the data folder {} has no absolute path: {error}",
            data_dir.display()
        ))
    })?;
    let database_url = texts
        .value(Key::DatabaseUrl, database_url)?
        .unwrap_or_else(|| file_url(&data_dir.join(DATABASE_FILE)));
    let engine = Engine::of_url(database_url.expose()).unwrap_or(Engine::Sqlite);
    let config = Config {
        listen: texts
            .value(Key::Listen, |text| text.parse().ok())?
            .unwrap_or(([127, 0, 0, 1], 8080).into()),
        public_url: texts.value(Key::PublicUrl, public_url)?,
        database_pool: texts.value(Key::DatabasePool, |text| {
            text.parse().ok().filter(|size| (2..=500).contains(size))
        })?,
        master_key: master_key(texts)?.unwrap_or_else(|| MasterKey::Own(data_dir.join(MASTER_KEY_FILE))),
        egress_allow: texts.value(Key::EgressAllow, pairs)?.unwrap_or_default(),
        rate_limit: texts
            .value(Key::RateLimit, |text| {
                text.parse().ok().filter(|rate| *rate <= 1_000_000)
            })?
            .unwrap_or(50),
        proxy: proxy(texts)?,
        catalog_dir: folder(texts, Key::CatalogDir)?,
        sandbox: texts.value(Key::Sandbox, switch)?.unwrap_or(false),
        sandbox_public: texts.value(Key::SandboxPublic, switch)?.unwrap_or(false),
        foretell: texts.value(Key::ForetellDays, days)?.unwrap_or(crate::app::FORETELL),
        probe_every: texts.value(Key::ProbeHours, hours)?.unwrap_or(crate::app::PROBE_EVERY),
        log: texts.value(Key::Log, filter)?,
        log_format: texts.value(Key::LogFormat, log_format)?.unwrap_or_default(),
        stop_at: texts.value(Key::DebugStopAt, |text| {
            Step::parse(text).filter(|_| cfg!(debug_assertions))
        })?,
        lease: texts.value(Key::DebugLeaseMs, |text| {
            let millis = text.parse().ok().filter(|_| cfg!(debug_assertions));
            millis.map(Duration::from_millis)
        })?,
        file: texts.file.clone(),
        warnings: texts.warnings.clone(),
        data_dir,
        database_url,
        engine,
    };
    agree(config)
}

/// What holds between settings.
fn agree(mut config: Config) -> Result<Config, ConfigError> {
    let public = config.public_url(config.listen);
    if config.sandbox && !config.sandbox_public && !is_loopback(&public) {
        return Err(ConfigError(format!(
            "EVERGRANT_SANDBOX is on and the public URL is {public}: the sandbox is a provider that hands out access to whoever \
             asks. Turn it off, or insist with EVERGRANT_SANDBOX_PUBLIC=on"
        )));
    }
    if public.scheme() == "http" && !is_loopback(&public) {
        config.warnings.push(format!(
            "the public URL {public} is plain http: codes, keys and tokens travel unprotected. Use https, with a proxy that \
             ends TLS in front of this server"
        ));
    }
    Ok(config)
}

impl Texts {
    /// The value of a setting, if it is set; what `parse` does not understand is an error that never shows the text.
    fn value<T>(&self, key: Key, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let Some(Found { text, origin }) = self.found.get(&key) else {
            return Ok(None);
        };
        let setting = key.setting();
        let wrong = || {
            // These two may hold a secret; the others are shown, so that a typing mistake is seen at once.
            let shown = match key {
                Key::MasterKey | Key::DatabaseUrl => String::new(),
                _ => format!(", not `{}`", text.expose()),
            };
            ConfigError(format!(
                "{} must be {}{shown}",
                Place(setting, origin),
                setting.expected
            ))
        };
        parse(text.expose().trim()).map(Some).ok_or_else(wrong)
    }

    fn origin(&self, key: Key) -> Option<&Origin> {
        self.found.get(&key).map(|found| &found.origin)
    }
}

/// A path in the file is taken from where the file stands, one in the environment from the working directory.
fn folder(texts: &Texts, key: Key) -> Result<Option<PathBuf>, ConfigError> {
    let path = texts.value(key, |text| Some(PathBuf::from(text)))?;
    Ok(path.map(|path| match texts.origin(key) {
        Some(Origin::File(file)) => file.parent().map_or_else(|| path.clone(), |parent| parent.join(&path)),
        _ => path,
    }))
}

fn master_key(texts: &Texts) -> Result<Option<MasterKey>, ConfigError> {
    let (given, file) = (texts.origin(Key::MasterKey), texts.origin(Key::MasterKeyFile));
    if given.is_some() && given == file {
        return Err(ConfigError(
            "EVERGRANT_MASTER_KEY and EVERGRANT_MASTER_KEY_FILE are both set; set only one of them".to_owned(),
        ));
    }
    if given == Some(&Origin::Environment) || file.is_none() {
        let text = texts.value(Key::MasterKey, |text| Some(Secret::from(text.to_owned())))?;
        return Ok(text.map(MasterKey::Given));
    }
    Ok(folder(texts, Key::MasterKeyFile)?.map(MasterKey::File))
}

fn proxy(texts: &Texts) -> Result<Limits, ConfigError> {
    let usual = Limits::default();
    let kept = |text: &str| {
        let bytes = size(text).filter(|bytes| *bytes <= 64 << 20)?;
        usize::try_from(bytes).ok()
    };
    Ok(Limits {
        connect: texts.value(Key::ProxyConnectTimeout, seconds)?.unwrap_or(usual.connect),
        head: texts.value(Key::ProxyHeadTimeout, seconds)?.unwrap_or(usual.head),
        idle: texts.value(Key::ProxyIdleTimeout, seconds)?.unwrap_or(usual.idle),
        request: texts.value(Key::ProxyMaxRequest, size)?.unwrap_or(usual.request),
        response: texts.value(Key::ProxyMaxResponse, size)?.unwrap_or(usual.response),
        kept: texts.value(Key::ProxyKeep, kept)?.unwrap_or(usual.kept),
    })
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|seconds| (1..=3600).contains(seconds))?;
    Some(Duration::from_secs(seconds))
}

/// Bytes, or a number with a binary unit.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

fn public_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
}

fn database_url(text: &str) -> Option<Secret> {
    let engine = Engine::of_url(text)?;
    let creates = engine == Engine::Postgres || text.contains(":memory:") || text.contains("mode=");
    Some(Secret::from(match (creates, text.contains('?')) {
        (true, _) => text.to_owned(),
        (false, true) => format!("{text}&mode=rwc"),
        (false, false) => format!("{text}?mode=rwc"),
    }))
}

/// The URL of an SQLite file, which is created where there is none.
fn file_url(path: &std::path::Path) -> Secret {
    use std::fmt::Write as _;
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    Secret::from(url + "?mode=rwc")
}

/// Pairs in the spelling that the egress guard compares: the URL parser's.
fn pairs(text: &str) -> Option<Vec<String>> {
    text.split([',', ' ', '\n'])
        .filter(|pair| !pair.is_empty())
        .map(pair)
        .collect()
}

fn pair(text: &str) -> Option<String> {
    let (_, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let url = Url::parse(&format!("http://{text}/")).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let host = url.host()?;
    (bare && !text.contains(['/', '@', '*', '?', '#'])).then(|| format!("{host}:{port}"))
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "1" | "yes" => Some(true),
        "off" | "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn days(text: &str) -> Option<Duration> {
    let days: u64 = text.parse().ok().filter(|days| (1..=90).contains(days))?;
    Some(Duration::from_hours(24 * days))
}

fn hours(text: &str) -> Option<Duration> {
    let hours: u64 = text.parse().ok().filter(|hours| (1..=720).contains(hours))?;
    Some(Duration::from_hours(hours))
}

fn filter(text: &str) -> Option<String> {
    EnvFilter::try_new(text).ok().map(|_| text.to_owned())
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}
