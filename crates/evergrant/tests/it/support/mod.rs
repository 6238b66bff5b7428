//! The world of a test: the service on a real database, a clock that one can push, calls without a socket.

mod accounts;
mod app;
mod database;
mod gate;
mod many;
mod provider;
mod receiver;
mod scripted;
mod story;

pub(crate) use app::{Answer, Call, START, Surroundings, TestApp};
pub(crate) use database::{TestDatabase, on_both, on_both_with_receiver};
pub(crate) use gate::{Gate, until};
pub(crate) use many::Many;
pub(crate) use provider::{BOB, CLIENT, CLIENT_SECRET, Consent};
pub(crate) use receiver::Received;
pub(crate) use receiver::Receiver;
pub(crate) use scripted::{Manners, Scripted};
pub(crate) use story::{CRM, CUSTOMER, OWN, SMS, Story, run_due, story, story_with, timeline};
