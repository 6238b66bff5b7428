//! The HTTP edge: routes, extractors, the table of errors, pages. No rules and no SQL live here; a handler extracts,
//! makes one call and renders.

pub mod api;
pub mod error;
pub mod extract;
mod limit;
mod middleware;
mod openapi;
pub mod portal;
mod router;
mod sdk;

pub use api::proxy::HungUp;
pub use limit::Limits;
pub use openapi::document;
pub use router::{router, router_besides, router_with};
