//! Reading every file, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rust_embed::RustEmbed;
use url::Url;

use super::file::{self, ProviderFile};
use super::{Catalog, CatalogError, FileError, Inner, SANDBOX_MARK};
use crate::verdict::Rules;

/// The files that come with the binary: `*.toml` are applications, `providers/*.toml` shared rules.
#[derive(RustEmbed)]
#[folder = "../../catalog"]
#[include = "*.toml"]
#[include = "providers/*.toml"]
struct BuiltIn;

impl Catalog {
    /// Reads the built-in applications and those of `custom_dir`.
    ///
    /// Files that speak of `{sandbox}` are left out without `sandbox_origin`. A custom file must not take a built-in
    /// slug; it may add rules to a built-in provider only under its own name.
    pub fn load(custom_dir: Option<&Path>, sandbox_origin: Option<&Url>) -> Result<Self, CatalogError> {
        let mut inner = Inner {
            applications: BTreeMap::new(),
            providers: BTreeMap::new(),
        };
        let (providers, applications): (Vec<_>, Vec<_>) = built_in()?.into_iter().partition(Source::is_provider);
        for one in &providers {
            one.add_provider(&mut inner)?;
        }
        for one in &applications {
            one.add_application(&mut inner, sandbox_origin)?;
        }
        if let Some(folder) = custom_dir {
            let shared = folder.join("providers");
            let shared = if shared.is_dir() {
                read_folder(&shared)?
            } else {
                Vec::new()
            };
            for one in &shared {
                one.add_provider(&mut inner)?;
            }
            for one in &read_folder(folder)? {
                one.add_application(&mut inner, sandbox_origin)?;
            }
        }
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// One file's text.
struct Source {
    path: PathBuf,
    text: String,
    custom: bool,
}

impl Source {
    fn wrong(&self, error: FileError) -> CatalogError {
        CatalogError {
            path: self.path.clone(),
            error,
        }
    }

    fn stem(&self) -> &str {
        self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }

    fn is_provider(&self) -> bool {
        self.path.starts_with("providers")
    }

    fn add_provider(&self, inner: &mut Inner) -> Result<(), CatalogError> {
        let mut read = || -> Result<(), FileError> {
            let file: ProviderFile = toml::from_str(&self.text).map_err(|error| FileError::from_toml(&error))?;
            let stem = self.stem();
            if let Some(rule) = file.rule.iter().find(|rule| rule.name.split('.').next() != Some(stem)) {
                return Err(FileError::at(
                    &format!("rule.{}", rule.name),
                    "its name must begin with the file's name",
                ));
            }
            let rules = Arc::new(Rules(file.rule));
            for name in std::iter::once(stem.to_owned()).chain(file.aliases) {
                if inner.providers.insert(name.clone(), Arc::clone(&rules)).is_some() {
                    return Err(FileError::at(
                        "aliases",
                        &format!("the provider `{name}` exists already"),
                    ));
                }
            }
            Ok(())
        };
        read().map_err(|error| self.wrong(error))
    }

    fn add_application(&self, inner: &mut Inner, sandbox: Option<&Url>) -> Result<(), CatalogError> {
        if self.text.contains(SANDBOX_MARK) && sandbox.is_none() {
            return Ok(());
        }
        let mut app = file::application(&self.text, self.custom).map_err(|error| self.wrong(error))?;
        if app.slug != self.stem() {
            return Err(self.wrong(FileError::at("slug", "the file is named after its slug")));
        }
        if let Some(origin) = sandbox {
            app.fill_sandbox(origin.as_str().trim_end_matches('/'));
        }
        if let Some(provider) = &app.provider {
            let shared = inner.providers.get(provider);
            let shared =
                shared.ok_or_else(|| self.wrong(FileError::at("provider", "there is no such provider file")))?;
            app.rules = app.rules.then(shared);
        }
        if inner.applications.contains_key(&app.slug) {
            return Err(self.wrong(FileError::at("slug", "an application of this slug exists already")));
        }
        inner.applications.insert(app.slug.clone(), Arc::new(app));
        Ok(())
    }
}

fn built_in() -> Result<Vec<Source>, CatalogError> {
    let read = |name: std::borrow::Cow<'static, str>| {
        let bytes = BuiltIn::get(&name)
            .map(|file| file.data.into_owned())
            .unwrap_or_default();
        let path = PathBuf::from(name.as_ref());
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source {
                path,
                text,
                custom: false,
            }),
            Err(_) => Err(CatalogError {
                path,
                error: FileError::Malformed("not UTF-8".to_owned()),
            }),
        }
    };
    BuiltIn::iter().map(read).collect()
}

/// The `*.toml` of a folder, in the order of their names.
fn read_folder(folder: &Path) -> Result<Vec<Source>, CatalogError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| CatalogError {
            path,
            error: FileError::Unreadable(error),
        }
    };
    let entries = std::fs::read_dir(folder).map_err(unreadable(folder))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        Ok(Source {
            path,
            text,
            custom: true,
        })
    };
    paths.into_iter().map(read).collect()
}
