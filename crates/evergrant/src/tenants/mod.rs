//! Who the server works for: organisations, their environments, API keys, data keys, the audit trail.
//!
//! An environment is the tenant of every other row. An API key belongs to exactly one environment and carries scopes;
//! its value is looked up by SHA-256, and a sealed copy is kept only where it must be used again: a key with the scope
//! `sign` may be named the environment's signing key, with which webhooks are signed.

pub mod audit;
mod model;
pub mod store;
mod work;

pub use model::{AccountSwitch, ApiKey, Environment, EnvironmentRow, NewKey, Organisation, Scope, Scopes, Tenant};
pub use work::{
    authenticate, authenticate_since, create_key, create_organisation, ensure_default, name_signing_key, origin,
    revoke_key, sealer, set_account_switch, set_origins, signing_key,
};
