//! The client side of OAuth 2.0 as plain values.

mod secret;

pub use secret::Secret;
