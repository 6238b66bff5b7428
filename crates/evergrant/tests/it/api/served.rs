//! Connections from outside: what ends them, and what does not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use evergrant::http::{QUIET, router, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{TestApp, TestDatabase};

/// How long nothing may happen where a test waits for its end.
const BRIEF: Duration = Duration::from_millis(20);

/// More than the buffers on the way can hold.
const LARGE: usize = 32 * 1024 * 1024;

/// The service on a socket, with routes of ours besides: `/nothing`, `/large`, and `/slow`, which says that it began and waits to go on.
struct Served {
    _t: TestApp,
    address: String,
    stop: CancellationToken,
    server: JoinSet<()>,
    began: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

async fn served(quiet: Duration) -> Served {
    let t = TestApp::start(TestDatabase::sqlite()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (began, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (begins, goes_on) = (began.clone(), go_on.clone());
    let slow = async move || {
        begins.add_permits(1);
        goes_on.acquire().await.unwrap().forget();
        "finished"
    };
    let besides = Router::new()
        .route("/nothing", get(async || {}))
        .route("/large", get(async || "x".repeat(LARGE)))
        .route("/slow", get(slow));
    let service = router(t.app.clone()).around_the_rest(|rest| besides.fallback_service(rest));
    let stop = CancellationToken::new();
    let mut server = JoinSet::new();
    server.spawn(serve(listener, (service, quiet), stop.clone()));
    Served {
        _t: t,
        address,
        stop,
        server,
        began,
        go_on,
    }
}

impl Served {
    /// A connection on which this much has been sent.
    async fn connected(&self, sent: &str) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        socket
    }
}

/// All that comes until the server closes the connection.
async fn rest(mut socket: TcpStream) -> String {
    let mut text = String::new();
    // A reset is an end too.
    let _ = socket.read_to_string(&mut text).await;
    text
}

/// The head of one answer, and no more.
async fn head(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: evergrant\r\n\r\n")
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let it = served(BRIEF).await;
    assert_eq!(rest(it.connected("").await).await, "");
    assert_eq!(
        rest(it.connected("GET /nothing HTTP/1.1\r\nhost: ever").await).await,
        ""
    );
    let mut kept = it.connected(&ask("/nothing")).await;
    assert!(head(&mut kept).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(kept).await, "");
}

#[tokio::test]
async fn an_answer_that_takes_long_is_waited_for() {
    let it = served(BRIEF).await;
    let busy = it.connected(&ask("/slow")).await;
    it.began.acquire().await.unwrap().forget();
    // Those begin later and end sooner.
    for _ in 0..3 {
        assert_eq!(rest(it.connected("GET /n").await).await, "");
    }
    it.go_on.add_permits(1);
    let text = rest(busy).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("finished"), "{text}");
}

/// The answer is in one piece, which counts as handed over as soon as its first byte is.
#[tokio::test]
async fn an_answer_that_is_read_late_comes_whole() {
    let it = served(BRIEF).await;
    let mut late = it.connected(&ask("/large")).await;
    head(&mut late).await;
    // Each of them is quiet twice before it is closed.
    for _ in 0..3 {
        assert_eq!(rest(it.connected("GET /n").await).await, "");
    }
    assert_eq!(rest(late).await.len(), LARGE);
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_lets_requests_end() {
    let mut it = served(QUIET).await;
    let busy = it.connected(&ask("/slow")).await;
    it.began.acquire().await.unwrap().forget();
    let unused = it.connected("").await;
    let mut kept = it.connected(&ask("/nothing")).await;
    head(&mut kept).await;
    it.stop.cancel();
    assert_eq!((rest(kept).await, rest(unused).await), (String::new(), String::new()));
    let late = TcpStream::connect(&it.address).await;
    assert!(late.is_err(), "nobody is accepted any more");
    assert!(it.server.try_join_next().is_none(), "a request is under way");
    it.go_on.add_permits(1);
    let text = rest(busy).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("finished"), "{text}");
    it.server.join_next().await.unwrap().unwrap();
}
