//! The HTTP edge: routes, extractors, the table of errors, pages. No rules and no SQL live here; a handler extracts,
//! makes one call and renders.

pub mod api;
pub mod error;
pub mod extract;
mod front;
mod limit;
mod middleware;
mod openapi;
mod passing;
pub mod portal;
mod router;
mod sdk;
mod serve;

pub use front::Service;
pub use limit::Limits;
pub use openapi::document;
pub use passing::Passing;
pub use router::{router, router_besides, router_with};
pub use serve::{QUIET, serve};
