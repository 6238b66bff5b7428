//! Re-auth links: addresses that a team can put into an e-mail, each good for repairing one connection.
//!
//! A link carries `rl_` and 256 random bits and is looked up by SHA-256. It belongs to one *break* of one connection: the
//! time since which it has been flagged. Three promises:
//!
//! * **It ends** when it expires (after 7 days, or as long as the team says, at most 90), when it is revoked, and with its
//!   break: once the connection works, no link to it does, and a later break does not wake it.
//! * **One link a break, not one a call.** Events and errors about the same break carry the same address, until that has
//!   less than a day left or was revoked; it alone is kept in a sealed copy.
//! * **It opens nothing but that one connection.** Whose it is, and whether it is still broken, is read when it is used.
//!
//! Whether a connection is broken is not known here: `connections` stands above.

mod model;
pub mod store;
mod work;

pub use model::{Break, DEFAULT_LIFE, Link, LinkState, MAX_LIFE, MIN_LIFE, Made};
pub use work::{create, find, list, of_break, purge, revoke};
