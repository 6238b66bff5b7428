//! Telling the team: events, and their way to the team's webhooks.
//!
//! The promise: **told if and only if it is so.** [`outbox::append`] runs in the transaction that changes the state,
//! and writes the event together with one delivery for each webhook that wants it. What was rolled back is not
//! announced; what was committed is, across crashes and restarts.
//!
//! * **At least once, for three days.** A delivery is claimed by lease and fence, sent, and tried again with growing
//!   waits until the receiver answers 2xx or the schedule ends. A receiver deduplicates on `webhook-id`, which is the
//!   event's id.
//! * **The same bytes each time.** A body is rendered once, when the event is appended.
//! * **Signed** with the environment's signing key, as the contract (section 13.5) has it.
//! * **Never while disabled.** What waits for a disabled webhook goes out when it is enabled again, unless it has
//!   become too old to be kept.
//!
//! No order is promised. Reading order: [`model`](EventKind) and `change` hold the rules, [`outbox`] and [`endpoints`]
//! the SQL, `template` and `sign` make the request, [`deliver`] sends it.

mod change;
pub mod deliver;
pub mod endpoints;
mod model;
pub mod outbox;
mod sign;
mod template;
#[cfg(test)]
mod tests;
mod work;

pub use change::Change;
pub use model::{About, Delivery, DeliveryState, Event, EventKind, KEPT, MAX_WEBHOOKS, Method, Webhook, WebhookType};
pub use sign::sign;
pub use work::{
    create, delete, delete_oldest, deliveries, edit_group, get, list, not_found, purge, redeliver, subscribe,
    unsubscribe, update,
};
