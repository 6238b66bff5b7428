//! The whole service: calls that pass through go straight to the proxy, everything else to the routes.
//!
//! A product makes such a call for everything it does for a customer, so they pass by what only pages and programs need.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::api::proxy::{self, Gateway};
use super::error::too_many;
use super::limit::Limiter;
use super::middleware;
use super::passing::Passing;
use crate::app::App;

/// The service, ready to be served; cheap to clone.
#[derive(Clone)]
pub struct Service {
    app: App,
    gateway: Gateway,
    /// Of calls.
    limiter: Limiter,
    rest: Router,
}

impl Service {
    pub(super) fn new(app: App, limiter: Limiter, rest: Router) -> Self {
        let gateway = Gateway::new(app.clone());
        Self {
            app,
            gateway,
            limiter,
            rest,
        }
    }

    /// The same with something around everything but the calls that pass through, which see to their end themselves.
    #[must_use]
    pub fn around_the_rest(self, around: impl FnOnce(Router) -> Router) -> Self {
        let rest = around(self.rest);
        Self { rest, ..self }
    }

    /// Passes a call on, behind the layers that every other request has too.
    async fn pass(self, route: &'static str, request: Request) -> Response {
        // Shutdown waits for it, as for every request.
        let held = self.app.tasks().hold();
        let is_head = request.method() == Method::HEAD;
        let method = request.method().clone();
        // Boxed here, since each layer around it would move it once more.
        let work: Pin<Box<dyn Future<Output = Response> + Send>> = Box::pin(async move {
            match self.limiter.count(self.app.now(), &request) {
                Err(wait) => too_many(wait),
                Ok(counted) => {
                    let answer = proxy::forward(self.gateway, request).await;
                    self.limiter.answered(self.app.now(), &counted, answer)
                }
            }
        });
        let answer = middleware::observed((method, route), middleware::caught(work)).await;
        answer.map(|body| {
            if is_head {
                Body::empty()
            } else {
                Passing::body(body, held)
            }
        })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl tower::Service<Request> for Service {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answering {
        let request = middleware::collapse_leading_slashes(request);
        match proxy::route(request.uri().path()) {
            Some(route) => {
                let this = self.clone();
                Box::pin(async move { Ok(this.pass(route, request).await) })
            }
            None => Box::pin(tower::Service::call(&mut self.rest, request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    /// A future is moved on its way to the heap: what is rare, such as a refresh, must not be part of it.
    #[test]
    fn a_call_that_passes_through_is_small() {
        let (whole, call) = (
            size(|(service, route, request)| Service::pass(service, route, request)),
            size(|(gateway, request)| proxy::forward(gateway, request)),
        );
        assert!(whole < 2 * 1024 && call < 8 * 1024, "{whole} and {call} bytes");
    }
}
