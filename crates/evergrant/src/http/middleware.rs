//! What happens to every request: an id, a line in the log, CORS, one JSON shape for every failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use super::error::plain;
use crate::ids;

/// Names the request in the log, in error bodies and in the answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request being answered; a fresh one outside of any.
pub(super) fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| ids::uuid())
}

/// Gives each request an id and one line in the log. The line names the route, never the path or query: a path may
/// hold a session token, a query may hold a code.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    observed((request.method().clone(), &route), next.run(request)).await
}

/// The same for a request whose route is known.
pub(super) async fn observed<B>(
    (method, route): (Method, &str),
    work: impl Future<Output = Response<B>>,
) -> Response<B> {
    let id = ids::uuid();
    let span = tracing::info_span!("request", request_id = id, %method, route);
    let started = Instant::now();
    let value = HeaderValue::from_str(&id);
    let work = async {
        let mut response = work.await;
        if let Ok(value) = value {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), millis, "answered");
        response
    };
    CURRENT.scope(id, work.instrument(span)).await
}

/// Browser SDKs call from any origin with a bearer token and without cookies (contract, section 3).
pub(super) fn cors() -> CorsLayer {
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            name("slug"),
            name("sync_execution"),
            name("config_id"),
            name("x-api-key"),
            name("linked_account_id"),
        ])
        .expose_headers([REQUEST_ID, header::RETRY_AFTER])
        .max_age(Duration::from_mins(10))
}

/// No client strips a trailing slash off its base URL, so `//api/…` arrives; it means `/api/…` (contract, 0.1).
pub(super) fn collapse_leading_slashes<B>(mut request: Request<B>) -> Request<B> {
    let text = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if text.starts_with("//") {
        let fixed = format!("/{}", text.trim_start_matches('/'));
        if let Ok(uri) = fixed.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Answers in spite of a panic, as the layer for it does.
pub(super) async fn caught<B: From<Body>>(work: impl Future<Output = Response<B>>) -> Response<B> {
    let mut work = std::pin::pin!(work);
    let poll = |context: &mut std::task::Context<'_>| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(panicked(panic).map(B::from)))
    };
    std::future::poll_fn(poll).await
}

/// A panic is our fault; the caller gets the same shape as for every other error.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "INTERNAL_SERVER_ERROR",
        "Something went wrong on our side; the request_id names it in the server's log",
    )
}
