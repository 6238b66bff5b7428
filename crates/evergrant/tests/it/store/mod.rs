//! Every store function, on both engines.

mod accounts;
mod audit;
mod authorize;
mod clients;
mod connections;
mod incidents;
mod lease;
mod links;
mod listing;
mod look_up;
mod notices;
mod purging;
mod sessions;
mod tenants;
mod webhooks;
