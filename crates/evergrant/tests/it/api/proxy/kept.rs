//! Connections to a provider: used again where that is safe, closed where it is not.

use axum::http::Method;
use evergrant::egress::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::limits::pieces;
use super::streaming::request;
use super::world::World;

/// More than the buffers on the way can hold.
const LARGE: usize = 16 * 1024 * 1024;

struct Provider(TcpListener);

impl Provider {
    async fn accept(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

async fn start() -> (Provider, World) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    (Provider(listener), w)
}

/// Reads one request without a body.
async fn head(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn answer(socket: &mut TcpStream, text: &str) {
    head(socket).await;
    socket.write_all(text.as_bytes()).await.unwrap();
}

const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_connection_whose_answer_was_read_is_used_again() {
    let (provider, w) = start().await;
    let serve = async {
        let mut socket = provider.accept().await;
        for text in [SIZED, CHUNKED, EMPTY, SIZED] {
            answer(&mut socket, text).await;
        }
    };
    let call = async {
        for (text, status) in [("hello", 200), ("hello", 200), ("", 204), ("hello", 200)] {
            let got = w.get("templated/a").send().await;
            assert_eq!((got.text.as_str(), got.status.as_u16()), (text, status));
        }
    };
    tokio::join!(serve, call);
}

#[tokio::test]
async fn a_connection_that_has_been_closed_meanwhile_is_not_used_and_nothing_is_sent_twice() {
    let (provider, w) = start().await;
    let serve = async {
        // Closed after its answer, announced or not.
        for text in [SIZED, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello"] {
            answer(&mut provider.accept().await, text).await;
        }
        let mut socket = provider.accept().await;
        let seen = head(&mut socket).await;
        assert!(seen.starts_with("POST "), "{seen}");
        socket.write_all(SIZED.as_bytes()).await.unwrap();
    };
    let call = async {
        for _ in 0..2 {
            assert_eq!(w.get("templated/a").send().await.text, "hello");
        }
        let post = w.call(Method::POST, "templated/a").raw(pieces(vec!["body"]));
        assert_eq!(post.send().await.text, "hello");
    };
    tokio::join!(serve, call);
}

#[tokio::test]
async fn a_connection_whose_answer_nobody_wants_is_closed() {
    let (provider, w) = start().await;
    let (address, _server) = w.on_a_socket().await;
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let ask = request(&w, "GET /api/v2/public/proxy/templated/a", "");
    caller.write_all(ask.as_bytes()).await.unwrap();
    let mut socket = provider.accept().await;
    let begins = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    answer(&mut socket, begins).await;
    head(&mut caller).await;
    drop(caller);
    assert_eq!(socket.read(&mut [0; 10]).await.unwrap_or(0), 0, "closed");
    let again = async { answer(&mut provider.accept().await, SIZED).await };
    let (got, ()) = tokio::join!(w.get("templated/a").send(), again);
    assert_eq!(got.text, "hello");
}

/// A caller that sends all before it reads anything, and a provider that answers before it reads anything: each waits for us.
#[tokio::test]
async fn an_answer_that_begins_early_does_not_hold_up_the_request() {
    let (provider, w) = start().await;
    let (address, _server) = w.on_a_socket().await;
    let caller = async {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let length = format!("content-length: {LARGE}\r\nconnection: close\r\n");
        let ask = request(&w, "POST /api/v2/public/proxy/templated/a", &length);
        socket.write_all(ask.as_bytes()).await.unwrap();
        socket.write_all(&vec![b'q'; LARGE]).await.unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        all.ends_with(&vec![b'@'; LARGE])
    };
    let echo = async {
        let mut socket = provider.accept().await;
        head(&mut socket).await;
        let (mut from, mut to) = socket.split();
        let answer = async {
            let start = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            to.write_all(start.as_bytes()).await.unwrap();
            to.write_all(&vec![b'@'; LARGE]).await.unwrap();
        };
        let read = async {
            let (mut left, mut some) = (LARGE, vec![0; 65_536]);
            while left > 0 {
                let got = from.read(&mut some).await.unwrap();
                assert!(got > 0, "{left} bytes of the request never came");
                left -= got;
            }
        };
        tokio::join!(answer, read);
    };
    let (is_whole, ()) = tokio::join!(caller, echo);
    assert!(is_whole);
}
