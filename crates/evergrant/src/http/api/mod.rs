//! The REST resources, one file each.

pub mod applications;
pub mod audit;
pub mod clients;
pub mod config_stub;
pub mod connect_url;
pub mod connecting;
pub mod connection_list;
pub mod connections;
pub mod credential;
mod cursor;
pub mod default_app;
pub mod docs;
pub mod evidence;
pub mod health;
pub mod incidents;
pub mod linked_account_view;
pub mod linked_accounts;
pub mod notices;
pub mod org;
pub mod policy;
pub mod proxy;
pub mod reauth_links;
pub mod session_tokens;
pub mod webhooks;
