//! The REST resources, one file each.

pub mod health;
pub mod webhooks;
