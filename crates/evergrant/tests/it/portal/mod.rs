//! The hosted pages from outside.

mod connect;
mod hostile;
mod link;
mod other_account;
mod pages;
mod place;
mod session;
