//! Providers telling us: uninstalled, deauthorised, revoked.
//!
//! Each organisation, environment and application has one address, `/notices/{opaque id}`, which the team pastes at the
//! provider. Four promises:
//!
//! * **Nothing unproved counts.** A notice is verified as its provider defines it, over the raw body and in constant time,
//!   before anything of it is read.
//! * **No notice counts twice.** A replay is refused for as long as its signature would hold, however its headers are spelt.
//!   Where no time is signed, a repeated notice is only a hint: the provider is asked. A security event token that comes
//!   again is thanked for once more (RFC 8935), and does nothing.
//! * **A notice stays inside its tenant and client.** It matches connections by the external account that was stored when
//!   they were connected, and only those made with the OAuth client it speaks of.
//! * **A notice older than the present grant never flags.** Accounts we do not know are ignored, quietly.
//!
//! Reading order: [`model`] (the address, and a request as plain values), `signature`, `event_token`, `proof` (what is proved: pure),
//! `said` (what it means: pure), `keys` (an issuer's key set), [`hear`](hear()) (the story), `address` (what the team sets up),
//! `store` (SQL).

mod address;
mod event_token;
mod hear;
mod keys;
pub mod model;
mod proof;
mod said;
mod signature;
pub mod store;
#[cfg(test)]
mod tests;

pub use address::{find, provide, purge, remove};
pub use hear::{Answer, hear, hear_of_client};
pub use model::{Address, Heard, WINDOW};
