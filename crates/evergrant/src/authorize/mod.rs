//! Getting consent, and giving it back: from "connect" to the callback, keys that are typed in, tokens that are brought
//! along, disconnecting.
//!
//! An authorisation is a row that is used twice and once each: the *start* page binds it to the browser that opened it, the
//! *callback* takes it away. Its state is 256 random bits, stored as a hash, good for ten minutes, bound to environment,
//! account, application and browser. Promises:
//!
//! * **Nothing changes before the new credential is verified.** A denied consent, a provider's error, a refused key, a
//!   forged or stale callback leave everything as it was.
//! * **The same account.** A reconnect that lands on another account at the provider stops before the swap.
//! * **Repair in place.** Connecting again is the same call; the connection keeps its id.
//!
//! Reading order: [`begin()`] (from our API to the provider), [`complete()`] (back again), [`decide`] (another account than before), [`save_keys`], [`migrate()`],
//! [`disconnect()`].

mod asker;
mod begin;
mod broken;
mod complete;
mod disconnect;
mod identity;
mod keys;
mod migrate;
mod model;
pub mod store;
mod switch;

pub use asker::{Asker, Ending};
pub use begin::{Begun, Started, begin, begin_for, start};
pub use complete::{Completed, Ended, NotCompleted, complete};
pub use disconnect::{delete_account, disconnect};
pub use keys::{KeysSaved, save_keys, save_keys_as, save_keys_in_browser};
pub use migrate::{Migrated, migrate};
pub use model::{Inputs, LIFETIME, Misfit, check_inputs, misfit};
pub use switch::{Stopped, decide};
