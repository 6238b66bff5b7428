//! Every store function, on both engines.

mod accounts;
mod purging;
mod sessions;
mod tenants;
mod webhooks;
