//! Calls to an application's API on a customer's behalf.
//!
//! A call's method, query, headers and body go to the API's base address with the live credential put where the application's
//! file says. Promises:
//!
//! * **Nothing piles up.** Bodies are passed on in pieces, both ways; of a request body a bounded part is kept, so that it can be
//!   sent a second time, and of an answer a bounded part is looked at before it is passed on.
//! * **The credential goes where it belongs.** A path cannot leave the base address, a redirect is followed only on request, only
//!   to hosts that the file allows, and with the credential only to the API itself.
//! * **No puzzling 401.** A refused access token is renewed, once, and the refused request repeated, once, but none that was
//!   answered by a redirect before it; refused again, the verdict decides,
//!   and the caller is told that its customer must reconnect. A refusal that says nothing of its cause proves nothing where the
//!   application has a who-am-I call: that is asked, once, before anyone is alarmed.
//!
//! A provider that is slow, down or limiting says nothing about a connection: such answers are passed on, and at most one in ten
//! minutes is kept in the timeline.
//!
//! Reading order: `call` is what a caller asks, over [`path`](crate::egress::path) and [`headers`]; `exchange` sends it, over `redirect` and `query`; `judged` looks
//! at the answer, over `compressed`; `forward` tells the story; `successes` remembers what worked, and `lately` what need not be done again.

mod call;
mod compressed;
mod exchange;
mod forward;
pub mod headers;
mod judged;
mod lately;
mod lookup;
mod query;
mod redirect;
pub mod store;
mod successes;

pub use call::{AUTH_TYPE, Call, FOLLOW, MOST_REDIRECTS};
pub use forward::{Caller, forward};
pub use successes::Successes;
