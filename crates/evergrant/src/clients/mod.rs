//! The team's OAuth clients: the id and secret with which it registered its app at each provider.
//!
//! One per application and environment. The secret is sealed and never shown again.

mod endpoint;
mod model;
pub mod store;
mod work;

pub use endpoint::{Purpose, endpoint, scheme};
pub use model::{NewClient, OAuthClient};
pub use work::{close_incident, confirm_deletion, get, list, remove, secret, set};
