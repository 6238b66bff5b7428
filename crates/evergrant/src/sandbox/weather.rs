//! What can go wrong between a client and a provider that is otherwise fine: slowness, outages, throttling, lost
//! replies, garbage. Each tenant has its own weather.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use http_body::Frame;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Sandbox;

/// Longer delays than this are cut: a request must not be held for ever.
const MAX_SLOW_MS: u64 = 120_000;

/// The weather over one tenant's requests. All of it is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weather {
    /// Answers come this late, in milliseconds; at most two minutes.
    pub slow_ms: u64,
    /// Everything answers 503.
    pub down: bool,
    /// Everything answers 429 with `retry-after`.
    pub throttle: bool,
    /// That many of the next requests are processed, then the connection breaks before the reply is read.
    pub lose_replies: u32,
    /// Everything answers 200 with a page that is not the API's.
    pub garbage: bool,
}

impl Sandbox {
    /// Answers a request of `tenant` under its weather. A request that belongs to no tenant meets none.
    pub(super) async fn under_weather(&self, tenant: Option<String>, work: impl FnOnce() -> Response) -> Response {
        let Some(tenant) = tenant else { return work() };
        let weather = self.weather(&tenant);
        if weather.slow_ms > 0 {
            // A slow provider is slow in real time; this is its behaviour, not a way to wait for something.
            tokio::time::sleep(Duration::from_millis(weather.slow_ms.min(MAX_SLOW_MS))).await;
        }
        if weather.down {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the provider is down");
        }
        if weather.throttle {
            return refuse(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests");
        }
        if weather.garbage {
            return Html("<!doctype html><title>Welcome</title><h1>It works!</h1>").into_response();
        }
        let response = work();
        if self.takes_a_reply(&tenant) { lost() } else { response }
    }

    /// Whether this reply is one of those to lose.
    fn takes_a_reply(&self, tenant: &str) -> bool {
        let mut state = self.state();
        let Some(weather) = state.weather.get_mut(tenant).filter(|weather| weather.lose_replies > 0) else {
            return false;
        };
        weather.lose_replies -= 1;
        true
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = Json(json!({ "error": { "code": code, "message": message } }));
    (status, [(header::RETRY_AFTER, "5")], body).into_response()
}

/// A reply whose body breaks: the server has to drop the connection, and the client sees only that.
fn lost() -> Response {
    Response::new(Body::new(Broken))
}

#[derive(Debug, thiserror::Error)]
#[error("the sandbox was told to lose this reply")]
struct Lost;

struct Broken;

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        Poll::Ready(Some(Err(Lost)))
    }
}
