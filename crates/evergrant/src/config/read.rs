//! Finding the texts of the settings, and where each was set.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::settings::{Key, SETTINGS, Setting};
use crate::secret::Secret;

/// The settings file that is read from the working directory, if it is there.
pub const FILE_NAME: &str = "evergrant.toml";
const PREFIX: &str = "EVERGRANT_";
const FILE_VARIABLE: &str = "EVERGRANT_CONFIG";

/// The variables of the process's environment that are ours.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes them from the process. Nobody else does.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    /// An empty variable is one that is not set.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let all = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(
            all.filter(|(name, value): &(String, OsString)| name.starts_with(PREFIX) && !value.is_empty())
                .collect(),
        )
    }
}

/// Where a setting was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    File(PathBuf),
}

/// A setting's text. It may be a secret, so it does not print.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) text: Secret,
    pub(super) origin: Origin,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) found: BTreeMap<Key, Found>,
    pub(super) file: Option<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// A setting and its place, for errors: "`EVERGRANT_LISTEN` (set in the environment)".
pub(super) struct Place<'a>(pub(super) &'static Setting, pub(super) &'a Origin);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Origin::Environment => write!(f, "{} (set in the environment)", self.0.env),
            Origin::File(path) => write!(f, "`{}` (set in {})", self.0.toml, path.display()),
        }
    }
}

/// Reads the file, then the environment over it.
pub(super) fn read(environment: &Environment, file: Option<PathBuf>) -> Result<Texts, ConfigError> {
    let named = file.or_else(|| environment.0.get(FILE_VARIABLE).map(PathBuf::from));
    let path = named.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let mut texts = Texts::default();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            texts.found = of_file(&text, &path)?;
            texts.file = Some(path);
        }
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(ConfigError(format!(
                "the settings file {} cannot be read: {error}",
                path.display()
            )));
        }
    }
    of_environment(environment, &mut texts)?;
    Ok(texts)
}

fn of_environment(environment: &Environment, texts: &mut Texts) -> Result<(), ConfigError> {
    for (name, value) in &environment.0 {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.env == name) else {
            if name != FILE_VARIABLE {
                let near = near(name, SETTINGS.iter().map(|setting| setting.env));
                texts.warnings.push(format!(
                    "the environment variable {name} is not a setting and is ignored{near}"
                ));
            }
            continue;
        };
        let text = value.to_str().ok_or_else(|| {
            ConfigError(format!(
                "{} must be {}; it is no UTF-8 text",
                Place(setting, &Origin::Environment),
                setting.expected
            ))
        })?;
        let found = Found {
            text: Secret::from(text.to_owned()),
            origin: Origin::Environment,
        };
        texts.found.insert(setting.key, found);
    }
    Ok(())
}

fn of_file(text: &str, path: &Path) -> Result<BTreeMap<Key, Found>, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The error's own text would quote the line, which may hold the master key.
        let line = error
            .span()
            .map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        ConfigError(format!(
            "{} is not TOML, in line {line}: {}",
            path.display(),
            error.message()
        ))
    })?;
    let mut found = BTreeMap::new();
    for (name, value) in table {
        let setting = SETTINGS.iter().find(|setting| setting.toml == name).ok_or_else(|| {
            let near = near(&name, SETTINGS.iter().map(|setting| setting.toml));
            ConfigError(format!(
                "{} has an unknown key `{name}`{near}; `evergrant serve --help` lists the settings",
                path.display()
            ))
        })?;
        let origin = Origin::File(path.to_owned());
        let text = as_text(value)
            .ok_or_else(|| ConfigError(format!("{} must be {}", Place(setting, &origin), setting.expected)))?;
        if !text.is_empty() {
            found.insert(
                setting.key,
                Found {
                    text: Secret::from(text),
                    origin,
                },
            );
        }
    }
    Ok(found)
}

/// A value as the environment would spell it.
fn as_text(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(if flag { "on" } else { "off" }.to_owned()),
        toml::Value::Array(list) => {
            let words: Option<Vec<String>> = list
                .into_iter()
                .map(|one| {
                    if let toml::Value::String(text) = one {
                        Some(text)
                    } else {
                        None
                    }
                })
                .collect();
            words.map(|words| words.join(","))
        }
        _ => None,
    }
}

/// `; did you mean …?`, where a known name is near.
fn near(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let mut close: Vec<(usize, &str)> = known
        .map(|known| (distance(name, known), known))
        .filter(|(far, _)| *far <= 3.max(name.len() / 4))
        .collect();
    close.sort_unstable();
    match close.as_slice() {
        [] => String::new(),
        [(_, one)] => format!("; did you mean `{one}`?"),
        [(_, one), (_, other), ..] => format!("; did you mean `{one}` or `{other}`?"),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let here = (corner + usize::from(from != *to)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = here;
        }
    }
    row[b.len()]
}
