//! The world of a test: the service on a real database, a clock that one can push, calls without a socket.

mod accounts;
mod app;
mod database;

pub(crate) use app::{Answer, Call, TestApp};
pub(crate) use database::{TestDatabase, on_both};
