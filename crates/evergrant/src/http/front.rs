//! The whole service: calls that pass through go straight to the proxy, everything else to the routes.
//!
//! A product makes such a call for everything it does for a customer, so they pass by what only pages and programs need.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, Response};
use axum::response::IntoResponse as _;

use super::api::proxy::{self, Gateway};
use super::error::{ApiError, too_many};
use super::limit::Limiter;
use super::middleware;
use super::passing::{Outgoing, Passing};
use crate::app::App;
use crate::egress::BoxError;

/// The service, ready to be served; cloning shares it.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    app: App,
    gateway: Gateway,
    /// Of calls.
    limiter: Limiter,
    rest: Router,
}

/// An answer on its way.
pub(super) type Answering<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;

impl Service {
    pub(super) fn new(app: App, limiter: Limiter, rest: Router) -> Self {
        let gateway = Gateway::new(app.clone());
        Self(Arc::new(Shared {
            app,
            gateway,
            limiter,
            rest,
        }))
    }

    /// The same with something around everything but the calls that pass through, which see to their end themselves.
    #[must_use]
    pub fn around_the_rest(self, around: impl FnOnce(Router) -> Router) -> Self {
        let Self(shared) = self;
        Self(Arc::new(Shared {
            app: shared.app.clone(),
            gateway: shared.gateway.clone(),
            limiter: shared.limiter.clone(),
            rest: around(shared.rest.clone()),
        }))
    }

    /// Answers a request that comes from this address, where that is known.
    pub(super) fn answer<B>(&self, from: Option<SocketAddr>, request: Request<B>) -> Answering<Outgoing>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let mut request = middleware::collapse_leading_slashes(request);
        if let Some(route) = proxy::route(request.uri().path()) {
            return Box::pin(self.clone().pass(route, from, request));
        }
        // The limiter counts callers without a credential by their address.
        if let Some(from) = from {
            request.extensions_mut().insert(ConnectInfo(from));
        }
        let answer = tower::Service::call(&mut self.0.rest.clone(), request.map(Body::new));
        Box::pin(async move {
            let Ok(answer) = answer.await;
            answer.map(Outgoing::Ours)
        })
    }

    /// Passes a call on, behind the layers that every other request has too.
    async fn pass<B>(self, route: &'static str, from: Option<SocketAddr>, request: Request<B>) -> Response<Outgoing>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let Self(shared) = self;
        // Shutdown waits for it, as for every request.
        let held = shared.app.tasks().hold();
        let method = request.method().clone();
        // Boxed here, since each layer around it would move it once more.
        let work: Answering<Outgoing> = Box::pin(async move {
            let is_head = request.method() == Method::HEAD;
            match shared.limiter.count(shared.app.now(), (request.headers(), from)) {
                Err(wait) => too_many(wait).map(Outgoing::Ours),
                Ok(counted) => {
                    let answer = match proxy::forward(&shared.gateway, request).await {
                        Ok(answer) => answer.map(|body| {
                            if is_head || body.is_end_stream() {
                                Outgoing::Ours(Body::empty())
                            } else {
                                Outgoing::Theirs(Passing::of(body, held))
                            }
                        }),
                        Err(error) => ApiError(error).into_response().map(Outgoing::Ours),
                    };
                    shared.limiter.answered(shared.app.now(), &counted, answer)
                }
            }
        });
        middleware::observed((method, route), middleware::caught(work)).await
    }
}

/// As layers and tests want it.
impl tower::Service<Request> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let from = request.extensions().get().map(|ConnectInfo(from)| *from);
        let answer = self.answer(from, request);
        Box::pin(async move { Ok(answer.await.map(Body::new)) })
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
            size(|(service, request): (Service, Request)| service.pass("", None, request)),
            size(|(gateway, request): (&'static Gateway, Request)| proxy::forward(gateway, request)),
        );
        assert!(whole < 2 * 1024 && call < 6 * 1024, "{whole} and {call} bytes");
    }
}
