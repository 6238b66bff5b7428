//! The hosted pages from outside.

mod connect;
mod link;
mod pages;
mod session;
