//! `evergrant serve`: the server, from its start to its end in good order.

use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
        let to_the_end = move |request: Request, next: Next| {
            let jobs = jobs.clone();
            async move {
                let answer = jobs.finish(next.run(request)).await;
                answer.map(|body| http::Passing::body(body, jobs.under_way()))
            }
        };
        let around = |rest| besides.fallback_service(rest).layer(from_fn(to_the_end));
        http::router_with(app.clone(), limits).around_the_rest(around)
    };
    let serving = http::serve(listener, (service, http::QUIET), stop.clone());
    let (send, ended) = tokio::sync::oneshot::channel();
    Jobs::watch(async move {
        serving.await;
        let _ = send.send(());
    });
    stop.cancelled().await;
    tracing::info!(
        tasks = live_tasks(),
        "stopping: what is under way is finished first; a second signal ends the process at once"
    );
    // Requests and bodies on their way are counted, so connections need not be waited for: browsers keep some open without a word.
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
