//! The REST resources, one file each.

pub mod config_stub;
pub mod connect_url;
pub mod default_app;
pub mod health;
pub mod linked_account_view;
pub mod linked_accounts;
pub mod org;
pub mod session_tokens;
