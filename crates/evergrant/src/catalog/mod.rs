//! Placeholder until the branch lands.

/// The applications.
pub struct Catalog;
