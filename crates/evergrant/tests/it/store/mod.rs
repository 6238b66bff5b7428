//! Every store function, on both engines.

mod accounts;
mod authorize;
mod clients;
mod connections;
mod lease;
mod links;
mod purging;
mod sessions;
mod tenants;
mod webhooks;
