//! Connections from outside: accepted, served, and ended in good order.
//!
//! Each is one task. A request whose head has been read is cut off neither by a stop nor by quiet: both are told to the connection,
//! which ends when what is under way on it has been answered. What it waits for besides its own socket is its own, so that a thousand busy connections
//! share no lock.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::front::Service;
use super::passing::Outgoing;
use crate::egress::BoxError;

/// A connection on which no request begins or is under way for so long, or for twice as long, is closed: one that is kept for
/// later, and one whose request never comes to the end of its head. Longer than the minute after which load balancers do so:
/// whoever asks should be the one that ends it.
pub const QUIET: Duration = Duration::from_secs(75);
/// How long accepting rests when the process has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(200);

/// Serves until `stop`, and then for as long as requests are under way; connections may be quiet for so long, usually [`QUIET`].
/// Dropping it cuts everybody off.
pub async fn serve(listener: TcpListener, (service, quiet): (Service, Duration), stop: CancellationToken) {
    let mut connections = JoinSet::new();
    // Dropping one tells its connection to end.
    let mut open: HashMap<tokio::task::Id, oneshot::Sender<Infallible>> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next_with_id() => {
                let id = ended.map_or_else(|failed| failed.id(), |(id, ())| id);
                open.remove(&id);
            }
            accepted = accept(&listener) => {
                let (keep, told) = oneshot::channel();
                let served = connection(accepted, service.clone(), (told, quiet));
                open.insert(connections.spawn(served).id(), keep);
            }
        }
    }
    drop((listener, open));
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Theirs: it was gone before it was taken.
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again. Are too many files open?");
                tokio::time::sleep(NO_ROOM).await;
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Serves one connection to its end.
async fn connection(
    (socket, from): (TcpStream, SocketAddr),
    service: Service,
    (told, quiet): (oneshot::Receiver<Infallible>, Duration),
) {
    // The last piece of an answer does not wait for the peer to acknowledge the one before.
    let _ = socket.set_nodelay(true);
    let requests = Arc::new(Requests::default());
    let peer = Peer {
        service,
        from,
        requests: requests.clone(),
    };
    let mut served = pin!(http1::Builder::new().serve_connection(TokioIo::new(socket), peer));
    let (mut told, mut is_told) = (pin!(told), false);
    let mut quiet = Quiet::of(requests, quiet);
    let ended = poll_fn(|context| {
        // First, so that a request that has come meanwhile is begun.
        let polled = served.as_mut().poll(context);
        if polled.is_ready() {
            return polled;
        }
        let mut is_over = !is_told && told.as_mut().poll(context).is_ready();
        is_told |= is_over;
        while let Poll::Ready(still) = quiet.poll(context) {
            match still {
                Still::Busy => {}
                Still::Idle => is_over = true,
                Still::Stuck => return Poll::Ready(Ok(())),
            }
        }
        if !is_over {
            return Poll::Pending;
        }
        served.as_mut().graceful_shutdown();
        served.as_mut().poll(context)
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a connection ended in the middle of something");
    }
}

/// The requests of one connection.
#[derive(Default)]
struct Requests {
    begun: AtomicUsize,
    under_way: AtomicUsize,
}

/// One of them, until its answer has been handed over.
struct UnderWay(Arc<Requests>);

impl UnderWay {
    fn of(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::Relaxed);
        requests.under_way.fetch_add(1, Ordering::Relaxed);
        Self(requests.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Notices that nothing has happened for a while. It looks now and then, which costs a request nothing.
struct Quiet {
    requests: Arc<Requests>,
    ticks: tokio::time::Interval,
    begun: usize,
    under_way: usize,
    was_idle: bool,
}

/// How quiet it has been since the last look.
enum Still {
    /// A request began, or is under way.
    Busy,
    /// No request began, and none is under way.
    Idle,
    /// The same the last time, and the connection, though asked, has not ended: the head of its first request never does. Where
    /// a request has ever begun, it is the end of an answer that its reader takes slowly.
    Stuck,
}

impl Quiet {
    fn of(requests: Arc<Requests>, every: Duration) -> Self {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once.
        ticks.reset();
        Self {
            requests,
            ticks,
            begun: 0,
            under_way: 0,
            was_idle: false,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Still> {
        ready!(self.ticks.poll_tick(context));
        let begun = self.requests.begun.load(Ordering::Relaxed);
        let under_way = self.requests.under_way.load(Ordering::Relaxed);
        let is_idle = begun == self.begun && under_way == 0 && self.under_way == 0;
        (self.begun, self.under_way) = (begun, under_way);
        Poll::Ready(match (is_idle, std::mem::replace(&mut self.was_idle, is_idle)) {
            (false, _) => Still::Busy,
            (true, true) if begun == 0 => Still::Stuck,
            (true, _) => Still::Idle,
        })
    }
}

/// Whoever is at the other end.
struct Peer {
    service: Service,
    from: SocketAddr,
    requests: Arc<Requests>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Counted>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Peer {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let under_way = UnderWay::of(&self.requests);
        let answer = self.service.answer(Some(self.from), request);
        Box::pin(async move {
            let count = |body| Counted {
                body,
                _under_way: under_way,
            };
            Ok(answer.await.map(count))
        })
    }
}

/// An answer's body, until whose end the request is under way.
struct Counted {
    body: Outgoing,
    _under_way: UnderWay,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
