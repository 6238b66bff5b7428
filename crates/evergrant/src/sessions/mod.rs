//! Session tokens: what a browser holds to act for one linked account.
//!
//! A token is opaque, `st_` and 256 random bits. It is looked up by SHA-256; a sealed copy is kept so that it can be
//! handed out again while it lives. Three promises:
//!
//! * Whoever receives a token can use it for at least a day (unless the team configures a shorter life): one that has
//!   less left is not handed out again.
//! * The remaining time is reported truthfully, for a token that is handed out again too.
//! * A revoked token, and every token of a deleted account, is invalid at once and on every node.
//!
//! The properties of a hosted page (colours, a name, where to return to) are kept with the session for three days.

mod colour;
mod model;
mod properties;
pub mod store;
mod work;

pub use colour::Colour;
pub use model::{Issued, Lifetimes, Session, Wanted};
pub use properties::check as check_properties;
pub use work::{authenticate, issue, properties, put_properties, revoke};
