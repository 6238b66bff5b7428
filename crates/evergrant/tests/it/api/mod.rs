//! The REST API from outside, on both engines; the modules mirror the URLs.

mod checklist;
mod config_stub;
mod connect_url;
pub(crate) mod connected;
mod connection_list;
mod default_app;
mod document;
mod hostile;
mod linked_account;
mod notices;
mod org;
mod proxy;
mod sdk;
mod served;
mod session_token;
mod webhook;
mod who_asks;
