//! What the proxy is measured against: a provider that answers at once, and a pass-through that does nothing else.
//!
//! `proxy upstream PORT` answers every request with 300 bytes of JSON. `proxy bare PORT UPSTREAM` passes requests on with the same
//! client library, and no more rules than it needs to work. `scripts/bench_proxy.py` runs both beside the real thing.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// What the program has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Body = BoxBody<Bytes, hyper::Error>;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["upstream", port] => serve(port, |_| async { answer() }).await,
        ["bare", port, upstream] => {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            let client = Client::builder(TokioExecutor::new()).build(connector);
            let upstream = upstream.to_owned();
            serve(port, move |request| pass(client.clone(), upstream.clone(), request)).await;
        }
        // `cargo bench` runs every bench without our words; the script gives them.
        _ => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench is no server that anybody shuts down")]
async fn serve<F, A>(port: &str, answer: F)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("a port");
    let listener = TcpListener::bind(address).await.expect("a free port");
    loop {
        let (socket, _) = listener.accept().await.expect("a connection");
        let _ = socket.set_nodelay(true);
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

fn answer() -> Response<Body> {
    const TEXT: [u8; 300] = [b'7'; 300];
    let mut response = Response::new(
        Full::new(Bytes::from_static(&TEXT))
            .map_err(|never| match never {})
            .boxed(),
    );
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn pass(
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("http://{upstream}{path}").parse().expect("an address");
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.remove(header::HOST);
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer token"));
    let response = client.request(request).await.expect("an answer");
    response.map(BodyExt::boxed)
}
