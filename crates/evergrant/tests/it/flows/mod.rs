//! Whole stories, with a clock that one can push and a third party that can be broken.

mod causes;
mod connect;
mod delivery;
mod lease;
mod weather;
