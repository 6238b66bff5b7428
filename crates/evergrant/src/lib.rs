//! Evergrant: keeps a product's customers connected to third-party applications.

pub mod catalog;
pub mod clock;
pub mod ids;
pub mod reason;
pub mod secret;
pub mod verdict;
