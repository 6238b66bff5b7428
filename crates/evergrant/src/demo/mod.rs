//! "Acme Tasks": a small page that plays the SaaS team's product in `evergrant demo`.
//!
//! It lives on an origin of its own and uses Evergrant as a team would: its back end holds the API key and fetches
//! session tokens, its front end connects and reconnects with them, its `/webhooks` receives and verifies events. It
//! also has what no product has: buttons that break the sandbox. It calls Evergrant only over HTTP.
//!
//! Reading order: `backend` is what the page asks of its own server, `upstream` how that asks Evergrant, `inbox` the
//! webhooks; `page/` is what the browser runs.

mod backend;
mod inbox;
#[cfg(test)]
mod tests;
mod upstream;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use url::Url;

use crate::clock::Clock;
use crate::egress::Egress;
use crate::sandbox::Sandbox;
use crate::secret::Secret;

/// What a request may hold at most.
const MAX_BODY: usize = 64 * 1024;

/// What the page needs. Everything is given: it reads no settings.
pub struct Page {
    /// Where this page is reached, by its browser and by Evergrant's webhooks; `http://127.0.0.1:port`.
    pub origin: Url,
    /// Where Evergrant is reached, by the browser and by this back end.
    pub evergrant_url: Url,
    /// A key of the environment; never leaves the back end.
    pub api_key: Secret,
    /// The environment's signing key (contract, section 13.5).
    pub signing_key: Secret,
    /// The customer whose connections are shown; it exists already.
    pub linked_account_id: String,
    /// The way to Evergrant; its list must allow Evergrant's `host:port`.
    pub egress: Egress,
    /// What the buttons break.
    pub sandbox: Sandbox,
    /// Whose part of the sandbox they break.
    pub sandbox_tenant: String,
    /// When webhooks arrived.
    pub clock: Arc<dyn Clock>,
}

struct Desk {
    page: Page,
    inbox: inbox::Inbox,
}

type Shared = Arc<Desk>;

impl Page {
    /// The whole page: files, back end, `POST /webhooks`.
    pub fn router(self) -> Router {
        let desk = Arc::new(Desk {
            page: self,
            inbox: inbox::Inbox::default(),
        });
        let guarded = Router::new()
            .route("/", get(index))
            .route("/style.css", get(style))
            .route("/app.js", get(app_js))
            .route("/evergrant.js", get(evergrant_js))
            .route("/view.js", get(view_js))
            .merge(backend::routes())
            .layer(from_fn_with_state(Arc::clone(&desk), own_page_only));
        Router::new()
            .route("/webhooks", post(inbox::receive))
            .merge(guarded)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(desk)
    }
}

impl Desk {
    fn is_own(&self, request: &Request) -> bool {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authority = request.uri().authority().map(Authority::as_str);
        let Some(host) = text(header::HOST).or(authority) else {
            return false;
        };
        let own_origin = text(header::ORIGIN).is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
        self.is_own_host(host) && own_origin
    }

    /// The page's own addresses, as `host:port`: the one it was given and the other names of loopback.
    fn is_own_host(&self, host: &str) -> bool {
        let port = self.page.origin.port_or_known_default().unwrap_or(80);
        let given = self.page.origin.host_str().unwrap_or_default();
        [given, "127.0.0.1", "localhost"]
            .iter()
            .any(|name| host == format!("{name}:{port}") || (port == 80 && host == *name))
    }
}

/// The back end acts with the team's API key and has no login, so it must answer its own page only: a foreign `Host`
/// is DNS rebinding, a foreign `Origin` another site's script. Programs such as curl send no `Origin`.
async fn own_page_only(State(desk): State<Shared>, request: Request, next: Next) -> Response {
    if !desk.is_own(&request) {
        return (StatusCode::FORBIDDEN, "this page answers only on its own address\n").into_response();
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

async fn index(State(desk): State<Shared>) -> Response {
    let evergrant = desk.page.evergrant_url.origin().ascii_serialization();
    let csp = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {evergrant}; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, csp),
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
    ];
    (headers, include_str!("page/index.html")).into_response()
}

async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page/style.css"))
}

async fn app_js() -> Response {
    file(SCRIPT, include_str!("page/app.js"))
}

async fn evergrant_js() -> Response {
    file(SCRIPT, include_str!("page/evergrant.js"))
}

async fn view_js() -> Response {
    file(SCRIPT, include_str!("page/view.js"))
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
