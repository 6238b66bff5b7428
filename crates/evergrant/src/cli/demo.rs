//! `evergrant demo`: the server on SQLite, the built-in provider, and a page that plays the team's product, in one process
//! with nothing to configure.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Loaded, open, sandbox, serve};
use crate::accounts;
use crate::app::App;
use crate::clients::{self, NewClient};
use crate::clock::SystemClock;
use crate::config::{Config, MasterKey};
use crate::db::Engine;
use crate::demo::Page;
use crate::http;
use crate::ids::random_token;
use crate::sandbox::{NewClient as Registered, Sandbox};
use crate::secret::Secret;
use crate::tenants::{self, Environment, Scopes, Tenant};
use crate::webhooks;

const TEAM: &str = "Acme Tasks";
const ACCOUNT: &str = "acme-corp";
const OAUTH_APP: &str = "sandbox-oauth";
const CLIENT_ID: &str = "acme-tasks";

pub(super) async fn run(loaded: &Loaded) -> anyhow::Result<()> {
    anyhow::ensure!(
        !loaded.out.json,
        "`evergrant demo` has no result to print as JSON; leave out --json"
    );
    let wanted = loaded.config.listen;
    let (server, page) = (listener(wanted).await?, listener(next_port(wanted)).await?);
    let (server_at, page_at) = (server.local_addr()?, page.local_addr()?);
    let (public_url, origin) = (local_url(server_at)?, local_url(page_at)?);
    let config = config(&loaded.config, server_at.port(), &[&public_url, &origin])?;
    let app = open::open(&config, public_url.clone()).await?.app;
    let provider = sandbox::new(&public_url);
    let (tenant, key) = furnish(&app, &provider, &origin).await?;
    let shop = Page {
        origin: origin.clone(),
        evergrant_url: public_url.clone(),
        signing_key: key.clone(),
        api_key: key,
        linked_account_id: ACCOUNT.to_owned(),
        egress: app.egress.clone(),
        sandbox: provider.clone(),
        sandbox_tenant: tenant.id.to_string(),
        clock: Arc::new(SystemClock),
    };
    let stop = CancellationToken::new();
    serve::watch_signals(stop.clone())?;
    let elsewhere = wanted.port() != 0 && wanted != server_at;
    announce(&public_url, &origin, elsewhere.then_some(wanted));
    let besides = sandbox::routes(&app, &provider);
    let until = stop.clone().cancelled_owned();
    let shown = async move {
        let shown = axum::serve(page, shop.router()).with_graceful_shutdown(until);
        std::future::IntoFuture::into_future(shown)
            .await
            .context("the demo's page")
    };
    let served = serve::serve(app, server, (besides, http::Limits::default()), stop);
    tokio::try_join!(shown, served)?;
    Ok(())
}

/// The address that was asked for, or, where another program has it, any free port.
async fn listener(wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(wanted).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port is free on 127.0.0.1"),
    }
}

fn next_port(of: SocketAddr) -> SocketAddr {
    SocketAddr::new(
        of.ip(),
        of.port().checked_add(1).filter(|_| of.port() != 0).unwrap_or(0),
    )
}

/// An address that a browser here can open: "all addresses" is none.
fn local_url(mut at: SocketAddr) -> anyhow::Result<Url> {
    if at.ip().is_unspecified() {
        at.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Ok(Url::parse(&format!("http://{at}"))?)
}

/// The demo's own settings: a folder of its own, made anew each time, since the sandbox forgets everything, too. The
/// port is in its name, so that a second demo does not empty the folder of one that runs.
fn config(given: &Config, port: u16, private: &[&Url]) -> anyhow::Result<Config> {
    let folder = given.data_dir.join(format!("demo-{port}"));
    afresh(&folder).with_context(|| format!("the demo's folder {} cannot be emptied", folder.display()))?;
    let file = folder.join("evergrant.db");
    let mut config = given.clone();
    config.database_url = Secret::from(format!("sqlite://{}?mode=rwc", file.display()));
    config.engine = Engine::Sqlite;
    config.master_key = MasterKey::Own(folder.join("master.key"));
    config.data_dir = folder;
    config.sandbox = true;
    config
        .egress_allow
        .extend(private.iter().map(|url| sandbox::authority(url)));
    Ok(config)
}

/// Removes what an earlier demo left: its own files by name, nothing else.
fn afresh(folder: &Path) -> std::io::Result<()> {
    for name in ["evergrant.db", "evergrant.db-wal", "evergrant.db-shm", "master.key"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What a team sets up once: a key, a customer, its OAuth client at the provider, a webhook.
async fn furnish(app: &App, provider: &Sandbox, origin: &Url) -> anyhow::Result<(Tenant, Secret)> {
    let org = tenants::create_organisation(app, TEAM).await?.name;
    let found = tenants::store::find_environment(&mut *app.db.read().await?, &org, Environment::Test).await?;
    let environment = found.context("an organisation has both environments")?;
    let tenant = environment.tenant.clone();
    let key = tenants::create_key(app, &environment, "demo", Scopes::ALL).await?.value;
    let customer = accounts::Change::of(ACCOUNT)?.named(Some("Acme Corp".to_owned()))?;
    accounts::create(app, &tenant, &customer).await?;
    let secret = random_token("");
    provider.register_client(
        tenant.id.as_str(),
        Registered {
            client_id: CLIENT_ID.to_owned(),
            name: TEAM.to_owned(),
            secret: secret.clone(),
            redirect_uris: vec![app.url(&format!("/api/v1/{OAUTH_APP}/callback"))],
            refresh_tokens: true,
        },
    )?;
    let client = NewClient {
        client_id: CLIENT_ID.to_owned(),
        secret: Some(secret),
        scopes: None,
    };
    clients::set(app, &tenant, OAUTH_APP, client).await?;
    let returns = [origin.origin().ascii_serialization()];
    tenants::set_origins(app, &tenant, (&returns, &[]), "demo").await?;
    let events = ["Connection Created", "Connection Expired", "Connection Deleted"];
    let webhook = webhooks::Change {
        url: Some(origin.join("/webhooks")?.to_string()),
        events: Some(events.map(str::to_owned).to_vec()),
        description: Some(TEAM.to_owned()),
        ..webhooks::Change::default()
    };
    webhooks::create(app, &tenant, webhook).await?;
    Ok((tenant, key))
}

#[expect(clippy::print_stdout, reason = "this is what the command prints")]
fn announce(server: &Url, page: &Url, taken: Option<SocketAddr>) {
    if let Some(taken) = taken {
        println!(
            "{taken} cannot be used here, most likely because another program has it: using a free port instead.\n"
        );
    }
    println!(
        "\
Evergrant is running, with a provider that can be broken on purpose and a page that plays your product.

  Open   {page}

  1. Press \"Connect\" on Sandbox CRM, then \"Allow\" in the window that opens. Sandbox SMS connects with a key.
  2. Break one of them with a red button, or with the curl line below it.
  3. Press \"Use it now\": the connection turns reauth_required, with its reason, and the webhook arrives.
  4. Press \"Reconnect\": it works again, with the same connection id.

  Server {server}   (API documents: {server}docs)
  Stop with Ctrl-C. Every demo begins afresh."
    );
}
