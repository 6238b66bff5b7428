//! Which applications exist.
pub mod model;
pub mod scheme;
