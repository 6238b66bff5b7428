//! The world of a test: the service on a real database, a clock that one can push, calls without a socket.

mod accounts;
mod app;
mod database;
mod gate;
mod provider;
mod receiver;

pub(crate) use app::{Answer, Call, START, TestApp};
pub(crate) use database::{TestDatabase, on_both, on_both_with_receiver};
pub(crate) use gate::{Gate, until};
pub(crate) use provider::{Manners, Provider};
pub(crate) use receiver::{Received, Receiver};
