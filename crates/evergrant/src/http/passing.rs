//! An answer's body on its way to its caller.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::egress::{BoxError, Download};

/// A body for whose end shutdown waits, as for a request.
pub struct Passing<B = Body> {
    body: B,
    _under_way: TaskTrackerToken,
}

impl Passing {
    /// The same body; an empty one needs no waiting for.
    pub fn body(body: Body, under_way: TaskTrackerToken) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Passing::of(body, under_way))
    }
}

impl<B> Passing<B> {
    pub(super) const fn of(body: B, under_way: TaskTrackerToken) -> Self {
        Self {
            body,
            _under_way: under_way,
        }
    }
}

impl<B: HttpBody + Unpin> HttpBody for Passing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a request is answered.
pub(super) enum Outgoing {
    /// By a provider.
    Theirs(Passing<Download>),
    /// By us.
    Ours(Body),
}

impl From<Body> for Outgoing {
    fn from(body: Body) -> Self {
        Self::Ours(body)
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Theirs(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
            Self::Ours(body) => Pin::new(body).poll_frame(context).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Theirs(body) => body.is_end_stream(),
            Self::Ours(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Theirs(body) => body.size_hint(),
            Self::Ours(body) => body.size_hint(),
        }
    }
}
