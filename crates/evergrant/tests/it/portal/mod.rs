//! The hosted pages from outside.

mod connect;
mod pages;
mod session;
