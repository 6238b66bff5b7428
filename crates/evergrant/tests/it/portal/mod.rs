//! The hosted pages from outside.

mod pages;
mod session;
