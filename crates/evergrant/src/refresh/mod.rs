//! Keeping tokens alive.
//!
//! A grant is renewed a little before its access token expires, and when a caller demands it. Promises:
//!
//! * **One renewal at a time**, over all nodes. A lease is taken first; providers that rotate refresh tokens treat a second
//!   use as theft. A caller who meets a held lease waits for its outcome.
//! * **No silent loss.** Claim and intent are one statement, so that a process that dies with a request under way leaves a
//!   record of it. Every attempt that ends, ends in one transaction: outcome, state and event.
//!
//! Two subtleties. A rejected refresh token flags only if the version has not moved, else another worker has rotated it just
//! now. And a rotated token is stored whatever else has happened, as long as nothing newer is there; storing it is retried
//! before anything else, since the old one is dead.
//!
//! A refused call of a connection that can be refreshed is no proof: it is refreshed first, and asked again. A refused fresh
//! token is proof; so is a refused key.
//!
//! Reading order: [`plan()`] decides, `lease` claims, `hold` keeps back what would find a broken OAuth client, [`renew()`] acts, `sweep` does so for all that is due, [`check()`] asks the
//! provider now, [`live()`] hands out a credential that works.

mod check;
mod hold;
mod lease;
mod live;
mod once;
mod outcome;
mod plan;
mod renew;
mod sweep;
#[cfg(test)]
mod tests;

pub use check::check;
pub use lease::{LEASE, Lease, claim, held_until, postpone, release};
pub use live::{live, live_of, reauth_required};
pub use once::exchange_once;
pub use outcome::{Did, Outcome};
pub use plan::{Plan, Why, plan};
pub use renew::{STORING, renew};
pub use sweep::{BATCH, run_due};
