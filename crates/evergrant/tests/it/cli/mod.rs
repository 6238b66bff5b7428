//! The built binary, as an operator and a supervisor meet it.

mod audit;
mod commands;
mod connections;
pub(crate) mod program;
mod sandbox;
mod start;

use program::{Program, Server, on_both};
