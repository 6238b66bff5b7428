//! A provider that can be broken on purpose.
//!
//! The sandbox plays two third parties: "Sandbox CRM", an OAuth 2.0 provider with an API, and "Sandbox SMS", an API
//! with keys. It exists for demos, for staging and for tests, and promises three things:
//!
//! * **It is only a third party.** It keeps its own state in memory and knows nothing of Evergrant's tables; whatever
//!   Evergrant learns from it, it learns over HTTP, through the application's catalogue file.
//! * **It is strict.** PKCE, exact redirect URIs, single-use codes and rotated refresh tokens are enforced as a careful
//!   provider would, so that a client which is careless fails here first.
//! * **Tenants do not meet.** Clients and keys belong to a tenant; the controls of one tenant touch nothing of another.
//!
//! Reading order: `model` is what exists, `grants` the rules of OAuth on it, `authorize`, `token`, `api` and `sms`
//! what a client meets, `weather` what can go wrong on the way, `control` and `inventory` the levers.

mod api;
mod authorize;
mod control;
mod control_http;
mod grants;
mod inventory;
mod model;
mod sms;
mod token;
mod weather;

#[cfg(test)]
mod judged;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::clock::{Clock, Timestamp};

pub use control::{Broken, Cause, IssuedKey, NewClient, Refused, SandboxApp, Target};
pub use control_http::{Refusal, SandboxTenant};
pub use inventory::{ClientView, GrantView, Inventory, KeyView};
pub use model::{ACCOUNTS, Account, Death};
pub use weather::Weather;

/// What a request may hold at most.
const MAX_BODY: usize = 64 * 1024;

/// How the sandbox behaves.
#[derive(Clone)]
pub struct Settings {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The absolute URL under which [`Sandbox::router`] is reached, without a trailing slash; sent as `iss` (RFC 9207).
    pub issuer: String,
    /// How long an access token lives.
    pub access_token_life: Duration,
    /// How long a refresh token lives unless it is rotated; `None` is for ever.
    pub refresh_token_life: Option<Duration>,
    /// For how long a refresh token that was just rotated is forgiven a second use. Zero is the strict reading of
    /// RFC 9700, section 4.14.2: any second use kills the grant.
    pub reuse_leeway: Duration,
}

impl Settings {
    /// A strict provider at `issuer` with access tokens of one hour.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, issuer: &str) -> Self {
        Self {
            clock,
            issuer: issuer.trim_end_matches('/').to_owned(),
            access_token_life: Duration::from_hours(1),
            refresh_token_life: None,
            reuse_leeway: Duration::ZERO,
        }
    }
}

/// The sandbox; cloning shares it.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    settings: Settings,
    state: Mutex<model::State>,
}

impl Sandbox {
    /// An empty sandbox: no client, no key.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            state: Mutex::default(),
        }))
    }

    /// What third parties show the world, to be mounted at [`Settings::issuer`]: `/oauth/…`, `/api/…`, `/sms/…`.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(authorize::routes())
            .merge(token::routes())
            .merge(api::routes())
            .merge(sms::routes())
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone())
    }

    /// The levers, `/control/…`. The caller puts authentication in front and names the tenant by adding a
    /// [`SandboxTenant`] to the request's extensions; without one nothing is answered.
    pub fn control_router(&self) -> Router {
        control_http::routes()
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone())
    }

    fn now(&self) -> Timestamp {
        self.0.settings.clock.now()
    }

    fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The state is left whole by every change, so a poisoned lock is no reason to stop.
    fn state(&self) -> MutexGuard<'_, model::State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("issuer", &self.settings().issuer)
            .finish_non_exhaustive()
    }
}
