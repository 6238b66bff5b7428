//! `/api/v2/public/linked-account` (contract, section 8).

mod delete;
mod get;
mod list;
mod post;
mod put;

pub(super) const PATH: &str = "/api/v2/public/linked-account";
