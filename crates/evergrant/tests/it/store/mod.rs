//! Every store function, on both engines.

mod accounts;
mod authorize;
mod clients;
mod connections;
mod lease;
<<<<<<< HEAD
mod links;
=======
mod look_up;
>>>>>>> c0795db (A live credential by customer and application, too: the look-up that proxy and hand-out share)
mod purging;
mod sessions;
mod tenants;
mod webhooks;
