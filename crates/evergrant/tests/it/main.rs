//! The one integration binary: everything that needs a database, a socket or the whole service.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod api;
mod architecture;
mod cli;
mod flows;
mod portal;
mod replay;
mod store;
mod support;
