//! The built-in provider, mounted beside the server: `/sandbox/…`, and its levers at `/sandbox/control/…`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use url::Url;

use crate::app::App;
use crate::clock::SystemClock;
use crate::http::error::plain;
use crate::http::extract::Admin;
use crate::sandbox::{Refusal, Sandbox, SandboxTenant, Settings};
use crate::tenants::Environment;

/// Where the sandbox of a server is reached; what stands for `{sandbox}` in the catalogue.
pub(super) fn url(public_url: &Url) -> Url {
    let mut url = public_url.clone();
    url.set_path(&format!("{}/sandbox", public_url.path().trim_end_matches('/')));
    url
}

/// The `host:port` under which the server reaches its own sandbox.
pub(super) fn authority(public_url: &Url) -> String {
    let port = public_url.port_or_known_default().unwrap_or(80);
    format!("{}:{port}", public_url.host_str().unwrap_or_default())
}

/// An empty sandbox for this server.
pub(super) fn new(public_url: &Url) -> Sandbox {
    Sandbox::new(Settings::new(Arc::new(SystemClock), url(public_url).as_str()))
}

/// What third parties show the world, and the levers, for which an API key with the scope `write` is needed (`read` to
/// look). A key moves only what belongs to its own environment, and that must be a `test` environment.
pub(super) fn routes(app: &App, sandbox: &Sandbox) -> Router {
    let levers = sandbox
        .control_router()
        .layer(from_fn_with_state(app.clone(), with_key));
    Router::new().nest("/sandbox", sandbox.router().merge(levers))
}

async fn with_key(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match Admin::from_request_parts(&mut parts, &app).await {
        Ok(admin) if admin.tenant.environment == Environment::Production => {
            let message = "The sandbox is for `test` environments; this API key belongs to a production environment";
            plain(StatusCode::FORBIDDEN, "FORBIDDEN", message)
        }
        Ok(admin) => {
            parts.extensions.insert(SandboxTenant(admin.tenant.id.to_string()));
            in_shape(next.run(Request::from_parts(parts, body)).await)
        }
        Err(refused) => refused.into_response(),
    }
}

/// The sandbox is a third party and knows nothing of this API's shape of errors: its refusals get it here.
fn in_shape(response: Response) -> Response {
    let status = response.status();
    let class = match status {
        StatusCode::BAD_REQUEST => "BAD_REQUEST",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        _ => return response,
    };
    match response.extensions().get::<Refusal>() {
        Some(refusal) => plain(status, class, refusal.message()),
        None => plain(status, class, status.canonical_reason().unwrap_or_default()),
    }
}
