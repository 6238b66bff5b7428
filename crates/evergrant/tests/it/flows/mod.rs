//! Whole stories: with a clock that one can push, or with a real process that one can kill.

mod canary;
mod crash;
mod delivery;
mod erased;
mod secrets;
mod world;
