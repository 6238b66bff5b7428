//! Which applications exist, how each authenticates, how its replies read.
//!
//! One TOML file each: the built-in ones are embedded in the binary, an operator's own come from a folder. Everything
//! is read and checked once, at start; a mistake names its file and field and keeps the server from starting. After
//! that the catalogue does no I/O and never changes.
//!
//! Reading order: [`model`] is an application, [`scheme`] how it authenticates, [`api`] where its
//! API is, [`notices`] what it tells us, `urls` fills addresses in; `file`
//! is the exact form on disk, `check` what must hold beyond it, `load` reads everything.

pub mod api;
mod check;
mod file;
mod load;
pub mod model;
pub mod notices;
pub mod scheme;
mod urls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use api::{Api, ApiBaseFromExtra, ExternalAccount, Identity, IdentitySource, Probe};
pub use model::{Application, AuthStructure, AuthType, FieldSpec, InputField, InputOption, Pattern};
pub use notices::Notices;
pub use urls::{Placed, expand};

pub use scheme::{
    ClientAuthentication, KeyScheme, Lifetimes, OAuth2Scheme, Placement, Refreshing, Rotation, TokenBody,
};

use crate::verdict::Rules;

/// Stands in the sandbox's files for the sandbox's own origin.
const SANDBOX_MARK: &str = "{sandbox}";

/// A file that cannot be used. The operator (or we) must mend it.
#[derive(Debug, thiserror::Error)]
#[error("catalogue file {path}: {error}")]
pub struct CatalogError {
    /// Which file; relative for built-in ones.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub error: FileError,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// It is no TOML of the expected form; the text names line and field.
    #[error("{0}")]
    Malformed(String),
    /// A field's value does not do.
    #[error("field `{field}`: {what}")]
    Field {
        /// Dotted.
        field: String,
        /// What is wanted.
        what: String,
    },
}

impl FileError {
    fn at(field: &str, what: &str) -> Self {
        Self::Field {
            field: field.to_owned(),
            what: what.to_owned(),
        }
    }

    fn from_toml(error: &toml::de::Error) -> Self {
        Self::Malformed(error.to_string().trim().to_owned())
    }
}

/// Every application, read once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    applications: BTreeMap<String, Arc<Application>>,
    /// Shared rules by provider name and alias.
    providers: BTreeMap<String, Arc<Rules>>,
}

impl Catalog {
    /// The application of that slug.
    #[must_use]
    pub fn get(&self, slug: &str) -> Option<&Arc<Application>> {
        self.inner.applications.get(slug)
    }

    /// Every application, sorted by name.
    #[must_use]
    pub fn all(&self) -> Vec<&Arc<Application>> {
        let mut all: Vec<_> = self.inner.applications.values().collect();
        all.sort_by_cached_key(|app| (app.name.to_lowercase(), app.slug.clone()));
        all
    }

    /// The rules of an application (by slug) or of a provider; none when neither is known.
    #[must_use]
    pub fn rules_for(&self, provider_or_slug: &str) -> &Rules {
        static NONE: Rules = Rules::NONE;
        let application = self.inner.applications.get(provider_or_slug).map(|app| &app.rules);
        let provider = || self.inner.providers.get(provider_or_slug).map(AsRef::as_ref);
        application.or_else(provider).unwrap_or(&NONE)
    }
}
