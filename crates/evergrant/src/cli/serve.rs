//! `evergrant serve`: the server, from its start to its end in good order.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use http_body::{Frame, SizeHint};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Loaded, open, sandbox};
use crate::app::App;
use crate::egress::DEFAULT_TIMEOUT;
use crate::http;
use crate::jobs::Jobs;
use crate::refresh::STORING;
use crate::tenants::audit;

/// How long requests, refreshes and deliveries that are under way may take to end: as long as the longest of them, which is
/// a check that probes, refreshes, stores with retries, and probes again.
const PATIENCE: Duration = Duration::from_secs(90);

const _: () = assert!(
    PATIENCE.as_secs() > 3 * DEFAULT_TIMEOUT.as_secs() + STORING.as_secs(),
    "a stop must outlast the longest chain of calls, or a rotated token is cut off"
);
/// How long answers may then take to reach their callers.
const LAST_BYTES: Duration = Duration::from_secs(2);

pub(super) async fn run(loaded: &Loaded) -> anyhow::Result<()> {
    let config = &loaded.config;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Before anything is opened: a second server on the same port changes nothing.
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; see EVERGRANT_LISTEN", config.listen))?;
    let bound = listener.local_addr()?;
    let opened = open::open(config, config.public_url(bound)).await?;
    for line in &opened.news {
        tracing::info!("{line}");
    }
    let stop = CancellationToken::new();
    watch_signals(stop.clone())?;
    let app = opened.app;
    tracing::info!(
        listen = %bound,
        public_url = %app.public_url,
        database = ?app.db.engine(),
        applications = app.catalog.all().len(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    let besides = if config.sandbox {
        sandbox::routes(&app, &sandbox::new(&app.public_url))
    } else {
        Router::new()
    };
    let limits = http::Limits::per_second(config.rate_limit);
    serve(app, listener, (besides, limits), stop).await
}

/// Serves the service, and what stands besides it, until `stop`; then ends in good order.
pub(super) async fn serve(
    app: App,
    listener: TcpListener,
    (besides, limits): (Router, http::Limits),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let jobs = Jobs::start(&app, stop.clone());
    let service = {
        let jobs = jobs.clone();
        let to_the_end = move |mut request: Request, next: Next| {
            let jobs = jobs.clone();
            // Dropped with the connection: what need not be finished can end then.
            let hung_up = CancellationToken::new();
            request.extensions_mut().insert(http::HungUp(hung_up.clone()));
            let hung_up = hung_up.drop_guard();
            async move {
                let answer = jobs.finish(next.run(request)).await;
                drop(hung_up);
                answer.map(|body| Passing::body(body, &jobs))
            }
        };
        besides
            .fallback_service(http::router_with(app.clone(), limits))
            .layer(from_fn(to_the_end))
    };
    // The limiter counts callers without a credential by their address.
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let (send, mut ended) = tokio::sync::oneshot::channel();
    Jobs::watch(async move {
        let _ = send.send(serving.await);
    });
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        failed = &mut ended => return Ok(failed??), // without being asked, it ends only when it fails
    }
    tracing::info!(
        tasks = live_tasks(),
        "stopping: what is under way is finished first; a second signal ends the process at once"
    );
    // Requests have tasks of their own, and bodies on their way are counted, so connections need not be waited for: browsers keep some open without a word.
    let finished = jobs.clone().stop(PATIENCE).await;
    let _ = tokio::time::timeout(LAST_BYTES, ended).await;
    if !(finished && jobs.stop(LAST_BYTES).await) {
        tracing::warn!("not everything ended in time; leases lapse, and the next start goes on from there");
    }
    // Nobody hands anything out any more.
    if let Err(error) = audit::write_hand_outs(&app).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the last hand-outs are not in the audit trail"
        );
    }
    app.db.close().await;
    tracing::info!(tasks = live_tasks(), "stopped");
    Ok(())
}

/// How many tasks live: with nothing under way, the loops and the open connections. More is a leak.
fn live_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// An answer's body on its way to its caller: shutdown waits for it, as for a request.
struct Passing {
    body: Body,
    _under_way: TaskTrackerToken,
}

impl Passing {
    fn body(body: Body, jobs: &Jobs) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self {
            body,
            _under_way: jobs.under_way(),
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

/// The first SIGTERM or SIGINT asks for the end, the second one is it.
pub(super) fn watch_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let watch = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stop.cancel();
        let code = tokio::select! { _ = terminate.recv() => 143, _ = interrupt.recv() => 130 };
        std::process::exit(code);
    };
    Jobs::watch(watch);
    Ok(())
}
