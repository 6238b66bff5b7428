//! The client side of OAuth 2.0, as plain values.
//!
//! This crate builds what a client sends and reads what a server answers. It promises to be strict
//! in what it sends (RFC 6749, 7636, 7009, 9207) and patient with what it is answered: hundreds of
//! servers reply with string lifetimes, form-encoded tokens or errors under HTTP 200, and a reply
//! that was misread is a rotated token lost.
//!
//! It is *not* an HTTP client, keeps no token, reads no clock, and knows no database and no
//! provider by name. Sending, storing and time are the caller's, and so is the meaning of an
//! error: [`TokenError`] says what was answered, never what to do about it.
//!
//! Reading order:
//!
//! * [`secret`]: the one type that holds anything secret, and does not print it;
//! * [`pkce`]: the two random values of an authorisation, verifier and state;
//! * [`authorize`]: the URL the person is sent to, and the callback they come back with;
//! * [`token`]: the requests for exchanging, refreshing and revoking;
//! * [`reply`]: what the token endpoint said;
//! * [`template`]: endpoint addresses with parts that customers fill in, safely.

pub mod authorize;
mod encode;
pub mod pkce;
pub mod reply;
pub mod secret;
pub mod template;
mod text;
pub mod token;

pub use authorize::{AuthorizationRequest, Callback, CallbackError, IssuerMismatch, Outcome};
pub use pkce::{Challenge, State, Verifier};
pub use reply::{Extras, ReplyShape, TokenError, TokenSet};
pub use secret::Secret;
pub use template::{InvalidTemplate, Rule, TemplateError, UrlTemplate, Variable};
pub use token::{BodyFormat, ClientAuth, HttpRequest, TokenEndpoint, TokenHint};
