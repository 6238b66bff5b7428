//! An answer's body on its way to its caller.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A body for whose end shutdown waits, as for a request.
pub struct Passing {
    body: Body,
    _under_way: TaskTrackerToken,
}

impl Passing {
    /// The same body; an empty one needs no waiting for.
    pub fn body(body: Body, under_way: TaskTrackerToken) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self {
            body,
            _under_way: under_way,
        })
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
