//! Connections to providers, kept for the next request.
//!
//! A connection is driven by the task that uses it, so that a request and its answer are handed to nobody else on their way: it has
//! no task of its own. Only where an answer begins before its request has been sent does one take over, for otherwise a caller
//! that reads nothing before it has sent everything could wait for itself.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::{TrySendError, http1};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::Service as _;
use url::{Position, Url};

use super::body::{BoxError, Sending};
use super::stream::Resolver;

/// How long a connection is kept without a request.
const IDLE: Duration = Duration::from_secs(30);
/// How many are kept for one host.
const MOST: usize = 256;

type Connector = HttpsConnector<HttpConnector<Resolver>>;
type Link = Pin<Box<http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Sending>>>;

/// Why there is no answer.
pub(super) enum Failed {
    /// There is no connection.
    Connect(BoxError),
    /// There was one.
    Exchange(hyper::Error),
}

/// Connections that are kept, and how to make others.
pub(super) struct Pool {
    connector: Connector,
    shelf: Arc<Shelf>,
}

/// Those without a request, by scheme, host and port; the one used last comes last.
#[derive(Default)]
struct Shelf(Mutex<HashMap<String, Vec<Line>>>);

/// One connection.
struct Line {
    sender: http1::SendRequest<Sending>,
    /// Drives it; gone once it has ended.
    link: Option<Link>,
    /// Since when it has no request.
    since: Instant,
}

impl Pool {
    /// Made of hosts that `resolver` finds; connecting to one may take so long. Must be made within a runtime.
    pub(super) fn new(resolver: Resolver, connect: Duration) -> Self {
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect));
        let connector = HttpsConnectorBuilder::new()
            .with_platform_verifier()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let shelf = Arc::default();
        tidy(Arc::downgrade(&shelf));
        Self { connector, shelf }
    }

    /// Sends a request, whose address is its path and query, to a host, and returns as soon as the answer's head is there.
    ///
    /// A connection that was kept may have been closed at the other end meanwhile: a request of which nothing has been sent goes
    /// to another one.
    pub(super) async fn send(&self, host: &Url, mut request: Request<Sending>) -> Result<Response<Arriving>, Failed> {
        let origin = &host[..Position::BeforePath];
        let name = HeaderValue::from_str(&host[Position::BeforeHost..Position::AfterPort]);
        request
            .headers_mut()
            .insert(HOST, name.map_err(|error| Failed::Connect(error.into()))?);
        loop {
            let (mut line, is_new) = match self.shelf.take(origin) {
                Some(line) => (line, false),
                // Boxed, since it is rare and large.
                None => (Box::pin(self.connect(origin)).await?, true),
            };
            let answer = match line.ask(request).await {
                Ok(answer) => answer,
                Err(mut failed) => match failed.take_message().filter(|_| !is_new) {
                    Some(unsent) => {
                        request = unsent;
                        continue;
                    }
                    None => return Err(Failed::Exchange(failed.into_error())),
                },
            };
            return Ok(answer.map(|body| Arriving {
                body,
                ended: false,
                of: Some((line, origin.to_owned())),
                shelf: self.shelf.clone(),
            }));
        }
    }

    async fn connect(&self, origin: &str) -> Result<Line, Failed> {
        let address: Uri = origin
            .parse()
            .map_err(|error: http::uri::InvalidUri| Failed::Connect(error.into()))?;
        let io = self.connector.clone().call(address).await.map_err(Failed::Connect)?;
        let (sender, link) = http1::handshake(io).await.map_err(Failed::Exchange)?;
        Ok(Line {
            sender,
            link: Some(Box::pin(link)),
            since: Instant::now(),
        })
    }
}

impl Line {
    /// Goes on with whatever is to be sent or read.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Some(link) = &mut self.link
            && link.as_mut().poll(context).is_ready()
        {
            // What still waits for an answer hears of the end.
            self.link = None;
        }
    }

    async fn ask(
        &mut self,
        request: Request<Sending>,
    ) -> Result<Response<hyper::body::Incoming>, TrySendError<Request<Sending>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Lets a task of its own drive it to its end, which comes once what is under way has been sent and answered.
    #[expect(
        clippy::disallowed_methods,
        reason = "what shutdown waits for is the answer on its way to the caller"
    )]
    fn go_on_alone(self) {
        if let Some(link) = self.link {
            drop(tokio::spawn(link));
        }
    }

    /// Whether another request can be sent, as far as is known here.
    fn is_free(&mut self) -> bool {
        // Reads what has come meanwhile: its end, if it has ended.
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.link.is_some() && self.sender.is_ready()
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, origin: &str) -> Option<Line> {
        loop {
            let mut line = self.lock().get_mut(origin)?.pop()?;
            if line.since.elapsed() < IDLE && line.is_free() {
                return Some(line);
            }
        }
    }

    fn put(&self, origin: String, mut line: Line) {
        if !line.is_free() {
            // It may still have the rest of a request to send.
            return line.go_on_alone();
        }
        line.since = Instant::now();
        let mut kept = self.lock();
        let kept = kept.entry(origin).or_default();
        if kept.len() < MOST {
            kept.push(line);
        }
    }

    /// Closes what has been kept for too long, or has been closed at the other end.
    fn tidy(&self) {
        self.lock().retain(|_, lines| {
            lines.retain_mut(|line| line.since.elapsed() < IDLE && line.is_free());
            !lines.is_empty()
        });
    }
}

/// Tidies up for as long as there is a pool.
#[expect(clippy::disallowed_methods, reason = "it does nothing that anybody must wait for")]
fn tidy(shelf: Weak<Shelf>) {
    let tidying = async move {
        loop {
            tokio::time::sleep(IDLE).await;
            let Some(shelf) = shelf.upgrade() else { return };
            shelf.tidy();
        }
    };
    drop(tokio::spawn(tidying));
}

/// The body of an answer, with the connection on which it comes. Dropped at its end, it leaves the connection for the next
/// request; before, it closes it.
pub(super) struct Arriving {
    body: hyper::body::Incoming,
    ended: bool,
    of: Option<(Line, String)>,
    shelf: Arc<Shelf>,
}

impl Arriving {
    /// Lets a task of its own drive the connection, which is then not used again.
    pub(super) fn apart(&mut self) {
        if let Some((line, _)) = self.of.take() {
            line.go_on_alone();
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending()
            && let Some((line, _)) = &mut this.of
        {
            line.drive(context);
            polled = Pin::new(&mut this.body).poll_frame(context);
        }
        let frame = ready!(polled);
        this.ended |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.is_end_stream()
            && let Some((line, origin)) = self.of.take()
        {
            self.shelf.put(origin, line);
        }
    }
}
