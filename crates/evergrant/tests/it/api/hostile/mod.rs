//! Wrong and hostile input on every operation of the OpenAPI document and on every page: a clear answer, and nothing
//! changed. An operation that is added is tried without anybody adding it here.

mod bodies;
mod credentials;
mod places;
mod strangers;
mod world;

use world::{Op, World, on_both_worlds};
