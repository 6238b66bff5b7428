//! Keeping tokens alive.
//!
//! A grant is renewed a little before its access token expires, and when a caller demands it. Promises:
//!
//! * **One renewal at a time**, over all nodes. A lease is taken first; providers that rotate refresh tokens treat a second
//!   use as theft. A caller who meets a renewal under way waits for its outcome: woken at its end in this process, by looking
//!   again where another node is at it.
//! * **No silent loss.** Claim and intent are one statement, so that a process that dies with a request under way leaves a
//!   record of it. Every attempt that ends, ends in one transaction: outcome, state and event.
//! * **No crowd.** An application gets no more refreshes than it bears, callers and the sweep taking turns, and an endpoint that
//!   fails is left alone for a while (`pace`). One that hangs delays nobody else.
//! * **No trust in clocks.** Leases are measured by the database's clock, and a worker looks at its own steady clock before each
//!   request whether it could last longer than its lease; a token's life is counted from when it was asked for; the clock alone
//!   flags nobody before clocks that are minutes apart agree.
//!
//! Three subtleties. A rejected refresh token flags only if the version has not moved, else another worker has rotated it just
//! now. A rotated token is stored whatever else has happened, as long as nothing newer is there; storing it is retried before
//! anything else, since the old one is dead. And a request whose reply is lost may have rotated without us: it is sent again at
//! once where the catalogue knows of a grace period, else once by the next sweep, and if that kills the grant the evidence says
//! that our reply was lost.
//!
//! A refused call of a connection that can be refreshed is no proof: it is refreshed first, and asked again. A refused fresh
//! token is proof; so is a refused key.
//!
//! Reading order: [`plan()`] decides, `lease` claims, `hold` keeps back what would find a broken OAuth client, [`renew()`] is the story, in which `attempt` uses the refresh token on its
//! `way` past the breakers, `witness` looks twice at a client that was refused, and `ask` asks about what cannot be refreshed, unless
//! `spare` finds that traffic proves it. `sweep` does so for all that is due, which `store`
//! finds. [`check()`] asks the provider now, [`live()`] hands out a credential that works.

mod ask;
mod attempt;
mod check;
mod hold;
mod lease;
mod live;
mod once;
mod outcome;
mod plan;
mod renew;
mod spare;
pub mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod way;
mod witness;

pub use check::{check, second_look};
pub use lease::{LEASE, Lease, claim, claim_due, held_until, postpone, release};
pub use live::{as_it_is_good, live, live_of, reauth_required};
pub use once::exchange_once;
pub use outcome::{Did, Outcome};
pub use plan::{CLOCKS, Plan, Why, plan};
pub use renew::{STORING, renew};
pub use sweep::{AT_ONCE, keep_running, run_due};
