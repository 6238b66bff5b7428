//! Whole stories: with a clock that one can push and a third party that can be broken, or with a real process that one can
//! kill.

mod account;
mod asker;
mod canary;
mod causes;
mod connect;
mod crash;
mod delivery;
mod disconnect;
mod engine;
mod erased;
mod hand_out;
mod incidents;
mod issuer;
mod lease;
mod live;
mod migrate;
mod notices;
mod reauth_link;
mod restored;
mod save;
mod secrets;
mod storing;
mod timeline;
mod weather;
mod world;
