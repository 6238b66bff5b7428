//! Every store function, on both engines.

mod accounts;
mod sessions;
mod tenants;
mod webhooks;
