//! Bodies on their way through: streamed, counted, never held as a whole.
//!
//! What is kept of a request's body, so that it can be sent a second time, is bounded. Trailers belong to one connection and
//! end here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::pool::Arriving;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body as it comes in from a caller.
pub type Incoming = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// Why a request's body did not come to its end: the caller's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadFault {
    /// It is longer than is allowed.
    #[error("the request body is longer than is allowed")]
    TooLarge,
    /// The caller broke off.
    #[error("the request body broke off")]
    BrokenOff,
    /// Nothing more of it came in time.
    #[error("the rest of the request body did not come in time")]
    Stalled,
}

/// A request's body. Cloning shares it.
#[derive(Clone)]
pub struct Upload(Option<Arc<Mutex<Tape>>>);

/// What a piece costs besides its bytes: its handle, and what stood between it and the next one in the buffer that both are cut from.
const PIECE: usize = 64;

struct Tape {
    source: Incoming,
    /// What has come so far, as long as it may be kept.
    kept: Vec<Bytes>,
    room: usize,
    /// More has come than may be kept.
    outgrown: bool,
    ended: bool,
    passed: u64,
    most: u64,
    /// The whole length, where it is known.
    length: Option<u64>,
    /// Which sending goes on reading.
    sending: u32,
    moved: Instant,
    awaits_caller: bool,
}

impl Upload {
    /// No body.
    pub const NONE: Self = Self(None);

    /// A body of at most `most` bytes, of which `keep` are kept for a second sending.
    #[must_use]
    pub fn new(source: Incoming, (most, keep): (u64, usize)) -> Self {
        let hint = source.size_hint();
        if source.is_end_stream() {
            return Self::NONE;
        }
        Self(Some(Arc::new(Mutex::new(Tape {
            length: hint.exact(),
            source,
            kept: Vec::new(),
            room: keep,
            outgrown: false,
            ended: false,
            passed: 0,
            most,
            sending: 0,
            moved: Instant::now(),
            awaits_caller: false,
        }))))
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sends it, from its start; `None` where its start is gone. An earlier sending ends.
    pub(super) fn send(&self) -> Option<Sending> {
        let Some(tape) = &self.0 else {
            return Some(Sending {
                tape: None,
                number: 0,
                at: 0,
            });
        };
        let mut held = lock(tape);
        if held.outgrown {
            return None;
        }
        held.sending += 1;
        held.moved = Instant::now();
        Some(Sending {
            number: held.sending,
            tape: Some(tape.clone()),
            at: 0,
        })
    }

    /// Whether it can be sent from its start.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.as_ref().is_none_or(|tape| !lock(tape).outgrown)
    }

    /// Whether all of it has been read. Of one whose length is known nobody asks for the end.
    pub(super) fn is_sent(&self) -> bool {
        self.0.as_ref().is_none_or(|tape| {
            let held = lock(tape);
            held.ended || held.length == Some(held.passed)
        })
    }

    /// When it last moved, and whether the caller is waited for.
    pub(super) fn moved(&self) -> Option<(Instant, bool)> {
        let held = lock(self.0.as_ref()?);
        Some((held.moved, held.awaits_caller))
    }
}

fn lock(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tape {
    fn read(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UploadFault>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let bytes = loop {
            let polled = self.source.as_mut().poll_frame(context);
            self.awaits_caller = polled.is_pending();
            match ready!(polled) {
                None => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(UploadFault::BrokenOff))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        break bytes;
                    }
                }
            }
        };
        self.moved = Instant::now();
        self.passed += bytes.len() as u64;
        if self.passed > self.most {
            return Poll::Ready(Some(Err(UploadFault::TooLarge)));
        }
        Poll::Ready(Some(Ok(bytes)))
    }

    fn keep(&mut self, bytes: &Bytes) {
        if self.outgrown {
            return;
        }
        if let Some(room) = self.room.checked_sub(bytes.len() + PIECE) {
            self.room = room;
            self.kept.push(bytes.clone());
        } else {
            self.outgrown = true;
            self.kept = Vec::new();
        }
    }
}

/// One sending of a request's body.
pub(super) struct Sending {
    tape: Option<Arc<Mutex<Tape>>>,
    number: u32,
    /// Which of the kept pieces is next.
    at: usize,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let this = &mut *self;
        let Some(tape) = &this.tape else {
            return Poll::Ready(None);
        };
        let mut tape = lock(tape);
        if tape.sending != this.number {
            return Poll::Ready(Some(Err(UploadFault::BrokenOff)));
        }
        if let Some(bytes) = tape.kept.get(this.at) {
            this.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
        }
        let read = ready!(tape.read(context));
        Poll::Ready(read.map(|read| {
            let bytes = read?;
            tape.keep(&bytes);
            this.at += 1;
            Ok(Frame::data(bytes))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.tape.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.tape {
            None => SizeHint::with_exact(0),
            Some(tape) => lock(tape).length.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

/// Why an answer's body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadFault {
    /// It is longer than is allowed.
    #[error("the answer is longer than is allowed")]
    TooLarge,
    /// The provider broke off.
    #[error("the answer broke off")]
    BrokenOff,
    /// Nothing more of it came in time.
    #[error("the rest of the answer did not come in time")]
    Stalled,
}

/// An answer's body.
pub struct Download {
    /// What was looked at already.
    seen: VecDeque<Bytes>,
    rest: Arriving,
    /// How much may still come.
    left: u64,
    patience: Duration,
    /// Set while nothing comes.
    waiting: Option<Pin<Box<Sleep>>>,
    fault: Option<DownloadFault>,
    /// Whether what came before the fault has had its turn.
    is_announced: bool,
    /// Whether the length of the body is that of the answer: not for `HEAD`.
    has_length: bool,
}

impl Download {
    pub(super) fn new(rest: Arriving, (most, patience): (u64, Duration), has_length: bool) -> Self {
        Self {
            seen: VecDeque::new(),
            rest,
            left: most,
            patience,
            waiting: None,
            fault: None,
            is_announced: false,
            has_length,
        }
    }

    /// Looks at the first `most` bytes, or at what there is of them when `patience` ends. Nothing is lost by it.
    pub async fn peek(&mut self, most: usize, patience: Duration) -> Vec<u8> {
        let (mut looked, mut beyond) = (Vec::new(), None);
        let look = async {
            while looked.len() < most {
                match std::future::poll_fn(|context| self.read(context)).await {
                    Some(Ok(bytes)) => {
                        let here = bytes.len().min(most - looked.len());
                        looked.extend_from_slice(&bytes[..here]);
                        beyond = Some(bytes.slice(here..));
                    }
                    Some(Err(fault)) => {
                        self.fault = Some(fault);
                        return;
                    }
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(patience, look).await;
        // In one piece, whatever it came in: a piece may be a single byte.
        let whole = [Some(Bytes::copy_from_slice(&looked)), beyond];
        let whole = whole.into_iter().flatten().filter(|bytes| !bytes.is_empty());
        self.seen.extend(whole);
        looked
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, DownloadFault>>> {
        loop {
            match Pin::new(&mut self.rest).poll_frame(context) {
                Poll::Pending => {
                    let patience = self.patience;
                    let waiting = self
                        .waiting
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                    ready!(waiting.as_mut().poll(context));
                    return Poll::Ready(Some(Err(DownloadFault::Stalled)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(DownloadFault::BrokenOff))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = None;
                    let Ok(bytes) = frame.into_data() else { continue };
                    let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
                        return Poll::Ready(Some(Err(DownloadFault::TooLarge)));
                    };
                    self.left = left;
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = DownloadFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, DownloadFault>>> {
        if let Some(bytes) = self.seen.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let fault = match self.fault {
            Some(fault) => fault,
            None => match ready!(self.read(context)) {
                Some(Err(fault)) => *self.fault.insert(fault),
                read => return Poll::Ready(read.map(|read| read.map(Frame::data))),
            },
        };
        // hyper sends nothing more once a body has failed: what came before, the head above all, goes out first.
        if !std::mem::replace(&mut self.is_announced, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        tracing::info!(%fault, "a provider's answer was cut off");
        self.fault = None;
        Poll::Ready(Some(Err(fault)))
    }

    fn is_end_stream(&self) -> bool {
        self.seen.is_empty() && self.fault.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.has_length || self.fault.is_some() {
            return SizeHint::default();
        }
        let seen: u64 = self.seen.iter().map(|bytes| bytes.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(seen.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(seen.saturating_add(upper));
        }
        hint
    }
}
