//! One problem of an application as a whole, such as a deleted OAuth client or a changed secret: the team's to mend, not
//! its customers'.
//!
//! Promises:
//!
//! * **One alarm.** The first observation opens one incident for the application and environment, however many
//!   connections meet the same trouble at the same moment; a second, independent one (another connection, a consent)
//!   confirms it. One event when it opens, one when it closes, each in the transaction that makes it so.
//! * **A changed secret flags nobody.** `invalid_client` opens an incident and no more, however long it lasts. That the
//!   client is gone is a fact only when the provider states it to two witnesses, or the team says so.
//! * **Nobody hammers.** While an incident is open, one refresh at a time finds out whether it is over; the others wait.
//! * **It closes by itself** when the OAuth client works again, and by hand.
//!
//! It stands below the connections, which observe and are held back; what follows for them is decided there.
//!
//! Reading order: [`model`](Incident) (types, and the pauses), [`store`] (SQL), `work` (seeing, working again, closing).

mod model;
pub mod store;
mod work;

pub use model::{ClosedBy, Closing, Incident, KEPT_AFTER_CLOSING, Seen, Sighting, Witness, next_try_after};
pub use work::{Gate, close, find, gate, list, observe, works};
