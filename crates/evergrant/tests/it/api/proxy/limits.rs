//! Sizes, times, and what is said when a call brings no answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use evergrant::egress::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::world::{CRM, World, reply};
use crate::support::TestDatabase;

const SOON: Duration = Duration::from_millis(50);

async fn world(limits: Limits) -> World {
    let w = World::start(TestDatabase::sqlite(), limits).await;
    w.grant(CRM).await;
    w
}

/// A body that comes in pieces, without a length.
pub(super) fn pieces(pieces: Vec<&'static str>) -> Body {
    struct Pieces(std::vec::IntoIter<&'static str>);
    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            let next = self
                .0
                .next()
                .map(|piece| Ok(http_body::Frame::data(Bytes::from(piece))));
            std::task::Poll::Ready(next)
        }
    }
    Body::new(Pieces(pieces.into_iter()))
}

#[tokio::test]
async fn a_body_may_be_larger_than_elsewhere_and_as_large_as_the_operator_says() {
    let limits = Limits {
        request: 1_000_000,
        ..Limits::default()
    };
    let w = world(limits).await;
    let whole = vec![b'x'; 1_000_000];
    assert_eq!(
        w.call(Method::POST, "crm/a").raw(whole.clone()).send().await.status,
        200
    );
    assert_eq!(w.provider.only().body.len(), 1_000_000);
    let more = [whole, vec![b'x']].concat();
    let answer = w.call(Method::POST, "crm/a").raw(more).send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (413, &"BODY_TOO_LARGE".into())
    );
    assert_eq!(w.provider.seen().len(), 1);
}

#[tokio::test]
async fn a_body_without_a_length_is_counted_on_the_way() {
    let limits = Limits {
        request: 10,
        ..Limits::default()
    };
    let w = world(limits).await;
    assert_eq!(
        w.call(Method::POST, "crm/a")
            .raw(pieces(vec!["hello", "world"]))
            .send()
            .await
            .status,
        200
    );
    let seen = w.provider.only();
    assert_eq!(
        (&seen.body[..], seen.header("transfer-encoding")),
        (&b"helloworld"[..], Some("chunked"))
    );
    let answer = w
        .call(Method::POST, "crm/a")
        .raw(pieces(vec!["hello", "world", "!"]))
        .send()
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (413, &"BODY_TOO_LARGE".into())
    );
}

#[tokio::test]
async fn a_body_without_a_length_arrives_whatever_the_method() {
    let w = world(Limits::default()).await;
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS, Method::POST] {
        let call = w.call(method.clone(), "crm/a").raw(pieces(vec!["hello", "world"]));
        assert_eq!(call.send().await.status, 200);
        let seen = w.provider.seen().pop().unwrap();
        assert_eq!((&seen.method, &seen.body[..]), (&method, &b"helloworld"[..]));
        assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
        assert_eq!(w.call(method.clone(), "crm/a").send().await.status, 200);
        let seen = w.provider.seen().pop().unwrap();
        assert_eq!((&seen.method, seen.header("transfer-encoding")), (&method, None));
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_cut_off_and_not_passed_for_whole() {
    let limits = Limits {
        response: 10,
        ..Limits::default()
    };
    let w = world(limits).await;
    w.provider.answers(|_| reply(200, "helloworld"));
    assert_eq!(w.get("crm/a").send().await.text, "helloworld");
    w.provider.answers(|_| reply(200, "helloworld!"));
    let (address, _server) = w.on_a_socket().await;
    let got = super::streaming::whole(&address, &w).await;
    assert!(got.is_err(), "{got:?}");
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up() {
    let limits = Limits {
        head: SOON,
        ..Limits::default()
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&silent, limits).await;
    let answer = w.get("templated/a").send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (504, &"PROVIDER_TIMED_OUT".into())
    );
    // A caller that never sends the rest of its body is to blame itself.
    let answer = w
        .call(Method::POST, "templated/a")
        .raw(super::streaming::endless())
        .send()
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (408, &"REQUEST_BROKEN_OFF".into())
    );
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_given_up() {
    let limits = Limits {
        connect: SOON,
        // Longer than any machine is slow, shorter than connecting may usually take.
        head: Duration::from_secs(4),
        ..Limits::default()
    };
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let w = World::at(&full, limits).await;
    // Whoever waits to be accepted: once there is no room for more, nobody is answered.
    let mut waiting = Vec::new();
    while let Ok(one) = tokio::time::timeout(SOON, TcpStream::connect(full.local_addr().unwrap())).await {
        waiting.push(one.unwrap());
    }
    let answer = w.get("templated/a").send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (502, &"PROVIDER_UNAVAILABLE".into())
    );
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_or_breaks_off_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, Limits::default()).await;
    let breaks = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        assert!(socket.read(&mut some).await.unwrap() > 0);
    };
    let (answer, ()) = tokio::join!(w.get("templated/a").send(), breaks);
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (502, &"REPLY_LOST".into())
    );
    let garbage = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        socket.write_all(b"SSH-2.0-nonsense\r\n\r\n").await.unwrap();
    };
    let (answer, ()) = tokio::join!(w.get("templated/a").send(), garbage);
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (502, &"REPLY_LOST".into())
    );
    drop(listener);
    let answer = w.get("templated/a").send().await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (502, &"PROVIDER_UNAVAILABLE".into())
    );
}

#[tokio::test]
async fn an_answer_that_stands_still_is_cut_off() {
    let limits = Limits {
        idle: SOON,
        ..Limits::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let w = World::at(&listener, limits).await;
    let (address, _server) = w.on_a_socket().await;
    let stalls = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut some = [0; 1000];
        assert!(socket.read(&mut some).await.unwrap() > 0);
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await
            .unwrap();
        // It ends when we hang up.
        assert_eq!(socket.read(&mut some).await.unwrap_or(0), 0);
    };
    let (got, ()) = tokio::join!(super::streaming::whole_of(&address, &w, "templated/a"), stalls);
    assert!(got.is_err(), "{got:?}");
}
