//! One account's access to one application: status, credential, timeline.
//!
//! A connection is `active`, `reauth_required` (with reason, since and evidence) or disconnected; an active one may have
//! trouble under way, and is still served. Three promises:
//!
//! * **Newer wins.** Every stored credential counts `version` up, and every late write names the version it read.
//! * **Told if and only if it is so.** A change of status and the event about it commit together, once per transition.
//! * **Repair in place.** Storing a new credential keeps the id, the account and the timeline; disconnecting erases.
//!
//! Reading order: [`model`] (types), `transition` (what a judgement does to a status: pure), `schedule` (when it is next
//! due: pure), `predict` (when it ends: pure), `credential` (sealing), `fresh` (a token reply as a credential), `access` (a
//! credential put into a call), `record` (the transactions that make it so), `broken` (what one says of
//! all), `foretell` (telling of the end), `store` (SQL), `application` (of all of an application), `look_up` (the hot reads), `list` (page by page), `work` (erasing and the rest), `reauth` (repairing by link).

mod access;
mod application;
mod broken;
mod credential;
pub mod foretell;
mod fresh;
pub mod list;
mod look_up;
pub mod model;
mod observe;
mod predict;
mod reauth;
mod record;
mod row;
mod schedule;
pub mod store;
#[cfg(test)]
mod tests;
mod transition;
mod work;

pub use access::Access;
pub use broken::{Aftermath, client_broken, client_works, flag_all_deleted, follow};
pub use credential::{Credential, Tokens, open, place, seal};
pub use foretell::{FORETOLD_AT_ONCE, foretell_due};
pub use fresh::Fresh;
pub use list::{After, Filter, Listed, Standing, list};
pub use look_up::{Which, look_up, look_up_since, store as look_up_store};
pub use model::{
    Connection, ConnectionStatus, EndBasis, Expected, Flag, KEPT_AFTER_DISCONNECT, KEPT_UNCHANGED, Named, OBSERVED,
    Schedule, Trouble, external_id, other_account,
};
pub use observe::{circumstances, observation};
pub use predict::expires_soon;
pub use reauth::{Linked, Opened, open_link, reauth_link};
pub use record::{Given, Observed, Recorded, Switch, activate, record, tell};
pub(crate) use row::{columns, connection};
pub use schedule::{ahead, give_or_take};
pub use store::{Guard, TimelineEntry, Writer};
pub use transition::{Change, transition};
pub use work::{erase, expire, find, open_credential, remember};
