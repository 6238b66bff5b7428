//! Which applications exist.
pub mod model;
pub mod scheme;

pub use model::*;
pub use scheme::*;

/// Placeholder until the branch lands.
#[derive(Default)]
pub struct Catalog(std::collections::BTreeMap<String, std::sync::Arc<Application>>);
impl Catalog {
    /// One application.
    pub fn get(&self, slug: &str) -> Option<&std::sync::Arc<Application>> {
        self.0.get(slug)
    }
    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &std::sync::Arc<Application>> {
        self.0.values()
    }
}
