//! The built binary, as an operator and a supervisor meet it.

mod audit;
mod commands;
mod connections;
mod incidents;
mod judge;
pub(crate) mod program;
mod sandbox;
mod start;

use program::{Program, Server, on_both};
