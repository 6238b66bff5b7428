//! Every store function, on both engines.

mod tenants;
mod webhooks;
