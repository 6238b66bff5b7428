//! Bodies pass in pieces, as they come: proven by two sides that wait for each other.

use axum::body::Body;
use bytes::Bytes;
use evergrant::egress::Limits;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::world::{CUSTOMER, World, reply};

/// A body that sends what it is given.
struct Given(mpsc::Receiver<Bytes>);

impl http_body::Body for Given {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        let next = self.0.poll_recv(context);
        next.map(|next| next.map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}

/// A body of which only the beginning ever comes.
pub(super) fn endless() -> Body {
    let (send, receive) = mpsc::channel(1);
    send.try_send(Bytes::from_static(b"beginning")).unwrap();
    std::mem::forget(send);
    Body::new(Given(receive))
}

/// A request to the service on its socket, as its bytes.
pub(super) fn request(w: &World, start: &str, headers: &str) -> String {
    let key = &w.t.key;
    format!("{start} HTTP/1.1\r\nhost: evergrant\r\nx-api-key: {key}\r\nlinked_account_id: {CUSTOMER}\r\n{headers}\r\n")
}

/// The whole answer of the service on its socket, as a client reads it.
pub(super) async fn whole(address: &str, w: &World) -> Result<Bytes, String> {
    whole_of(address, w, "crm/a").await
}

pub(super) async fn whole_of(address: &str, w: &World, path: &str) -> Result<Bytes, String> {
    let client: hyper_util::client::legacy::Client<_, Body> =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request = axum::http::Request::get(format!("http://{address}/api/v2/public/proxy/{path}"))
        .header("x-api-key", &w.t.key)
        .header("linked_account_id", CUSTOMER);
    let answer = client
        .request(request.body(Body::empty()).unwrap())
        .await
        .map_err(|error| error.to_string())?;
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok(body.to_bytes())
}

/// Reads from a socket until it holds `until`.
async fn read_until(socket: &mut TcpStream, until: &str) -> String {
    let mut all = Vec::new();
    let mut some = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if text.contains(until) {
            return text;
        }
        let count = socket.read(&mut some).await.unwrap();
        assert!(count > 0, "it ended with {text:?}, before {until:?}");
        all.extend_from_slice(&some[..count]);
    }
}

#[tokio::test]
async fn the_first_bytes_arrive_on_either_side_before_the_last_ones_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let (address, _server) = w.on_a_socket().await;
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let start = request(
        &w,
        "POST /api/v2/public/proxy/templated/a",
        "transfer-encoding: chunked\r\n",
    );
    caller.write_all(start.as_bytes()).await.unwrap();
    caller.write_all(b"5\r\nfirst\r\n").await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    let arrived = read_until(&mut provider, "first").await;
    assert!(arrived.contains("transfer-encoding: chunked"), "{arrived}");
    // The provider answers while the upload is under way, and the caller hears of it.
    provider
        .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        .await
        .unwrap();
    let heard = read_until(&mut caller, "one").await;
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "{heard}");
    // Then the upload goes on, and ends; and then the answer.
    caller.write_all(b"4\r\nlast\r\n0\r\n\r\n").await.unwrap();
    read_until(&mut provider, "last\r\n0\r\n\r\n").await;
    provider.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    read_until(&mut caller, "two\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn an_error_that_is_looked_at_is_passed_on_whole() {
    let w = World::sqlite().await;
    w.grant("crm").await;
    let long = "x".repeat(200_000);
    let body = long.clone();
    w.provider.answers(move |_| reply(403, body.clone()));
    assert_eq!(w.get("crm/a").send().await.text, long);
    let (address, _server) = w.on_a_socket().await;
    assert_eq!(whole(&address, &w).await.unwrap(), long);
}

#[tokio::test]
async fn an_error_in_many_small_pieces_is_held_as_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let (address, _server) = w.on_a_socket().await;
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let start = request(&w, "GET /api/v2/public/proxy/templated/a", "");
    caller.write_all(start.as_bytes()).await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    read_until(&mut provider, "\r\n\r\n").await;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        "1\r\nx\r\n".repeat(0x1f4)
    );
    provider.write_all(answer.as_bytes()).await.unwrap();
    let heard = read_until(&mut caller, "\r\n0\r\n\r\n").await;
    let body = heard.split_once("\r\n\r\n").unwrap().1;
    let whole = "x".repeat(0x1f4);
    assert!(
        body.eq_ignore_ascii_case(&format!("1f4\r\n{whole}\r\n0\r\n\r\n")),
        "{body}"
    );
}

#[tokio::test]
async fn when_the_caller_hangs_up_the_provider_is_hung_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let (address, _server) = w.on_a_socket().await;
    // In the middle of an upload.
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let start = request(&w, "POST /api/v2/public/proxy/templated/a", "content-length: 100\r\n");
    caller.write_all(start.as_bytes()).await.unwrap();
    caller.write_all(b"first").await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    read_until(&mut provider, "first").await;
    drop(caller);
    assert_eq!(provider.read(&mut [0; 10]).await.unwrap_or(0), 0);
    // In the middle of an answer.
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let start = request(&w, "GET /api/v2/public/proxy/templated/b", "");
    caller.write_all(start.as_bytes()).await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    read_until(&mut provider, "\r\n\r\n").await;
    provider
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst")
        .await
        .unwrap();
    read_until(&mut caller, "first").await;
    drop(caller);
    assert_eq!(provider.read(&mut [0; 10]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn answers_without_a_body_and_interim_ones_are_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let (address, _server) = w.on_a_socket().await;
    for (method, answer, want) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n",
            "content-length: 77",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content"),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n", "etag: \"1\""),
        (
            "GET",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "\r\n\r\nabc",
        ),
        (
            "GET",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway",
        ),
    ] {
        let mut caller = TcpStream::connect(&address).await.unwrap();
        let start = request(
            &w,
            &format!("{method} /api/v2/public/proxy/templated/a"),
            "connection: close\r\n",
        );
        caller.write_all(start.as_bytes()).await.unwrap();
        let (mut provider, _) = listener.accept().await.unwrap();
        read_until(&mut provider, "\r\n\r\n").await;
        provider.write_all(answer.as_bytes()).await.unwrap();
        drop(provider);
        let mut heard = String::new();
        caller.read_to_string(&mut heard).await.unwrap();
        assert!(heard.contains(want), "{method} {answer:?}: {heard:?}");
        assert!(!heard.contains("103 Early"), "{heard}");
    }
}

#[tokio::test]
async fn a_caller_that_waits_to_be_asked_for_its_body_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let (address, _server) = w.on_a_socket().await;
    let mut caller = TcpStream::connect(&address).await.unwrap();
    let headers = "expect: 100-continue\r\ncontent-length: 4\r\n";
    let start = request(&w, "PUT /api/v2/public/proxy/templated/a", headers);
    caller.write_all(start.as_bytes()).await.unwrap();
    read_until(&mut caller, "HTTP/1.1 100 Continue\r\n\r\n").await;
    caller.write_all(b"body").await.unwrap();
    let (mut provider, _) = listener.accept().await.unwrap();
    let arrived = read_until(&mut provider, "body").await;
    assert!(
        !arrived.contains("expect") && arrived.contains("content-length: 4"),
        "{arrived}"
    );
}
