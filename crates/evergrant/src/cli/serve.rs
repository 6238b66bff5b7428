//! `evergrant serve`: the server, from its start to its end in good order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Loaded, open};
use crate::app::App;
use crate::http;
use crate::jobs::Jobs;

/// How long requests, refreshes and deliveries that are under way may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

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
    serve(app, listener, stop).await
}

/// Serves until `stop`, then ends in good order.
pub(super) async fn serve(app: App, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let jobs = Jobs::start(&app, stop.clone());
    let service = {
        let jobs = jobs.clone();
        let to_the_end = move |request: Request, next: Next| {
            let jobs = jobs.clone();
            async move { jobs.finish(next.run(request)).await }
        };
        axum::Router::new()
            .fallback_service(http::router(app.clone()))
            .layer(from_fn(to_the_end))
    };
    let stopped = stop.clone().cancelled_owned();
    let serving = axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopped);
    let serving = std::future::IntoFuture::into_future(serving);
    let late = async {
        stop.cancelled().await;
        tracing::info!("stopping: what is under way is finished first; a second signal ends the process at once");
        tokio::time::sleep(PATIENCE).await;
    };
    let drained = tokio::select! {
        ended = serving => ended.map(|()| true)?,
        () = late => false,
    };
    // Requests that are still under way have their own tasks, which are waited for here.
    if !jobs.stop(if drained { PATIENCE } else { Duration::from_secs(1) }).await {
        tracing::warn!("not everything ended in time; leases lapse, and the next start goes on from there");
    }
    app.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The first SIGTERM or SIGINT asks for the end, the second one is it.
fn watch_signals(stop: CancellationToken) -> anyhow::Result<()> {
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
