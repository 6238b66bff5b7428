//! The REST API from outside, on both engines; the modules mirror the URLs.

mod config_stub;
mod connect_url;
mod connected;
mod default_app;
mod document;
mod hostile;
mod linked_account;
mod org;
mod session_token;
mod webhook;
mod who_asks;
