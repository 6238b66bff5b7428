//! `evergrant connection`.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Desk;
use super::connection_view::{self as view, Named};
use crate::accounts;
use crate::app::App;
use crate::authorize;
use crate::connections::{self, Connection};
use crate::error::Error;
use crate::http::api::connections::ConnectionView;
use crate::ids::{AccountId, ConnectionId};
use crate::refresh::{self, Did, Why};
use crate::tenants::Tenant;

/// How many are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List live connections
    #[command(after_help = "Examples:\n  evergrant connection list\n  \
        evergrant connection list --status reauth_required --env production\n  \
        evergrant connection list --account customer-17 --app hubspot --json")]
    List(Filter),
    /// Show a connection with its timeline: why is it as it is?
    #[command(after_help = "Example:\n  evergrant connection show 65aa000000000000000000c1")]
    Show {
        /// Its id, from `connection list`
        id: ConnectionId,
    },
    /// Ask the provider now whether it works; whatever comes of it, the exit code is 0
    #[command(after_help = "Example:\n  evergrant connection check 65aa000000000000000000c1 --json")]
    Check {
        /// Its id, from `connection list`
        id: ConnectionId,
    },
    /// Use the refresh token now
    #[command(after_help = "Example:\n  evergrant connection refresh 65aa000000000000000000c1")]
    Refresh {
        /// Its id, from `connection list`
        id: ConnectionId,
    },
    /// Flag it as expired: its customer must reconnect
    #[command(after_help = "Example:\n  evergrant connection expire 65aa000000000000000000c1")]
    Expire {
        /// Its id, from `connection list`
        id: ConnectionId,
    },
    /// Make a link that its customer can repair it with; it is shown this once
    #[command(
        after_help = "Examples:\n  evergrant connection reauth-link 65aa000000000000000000c1 --days 14\n  \
        evergrant connection reauth-link 65aa000000000000000000c1 --list\n  \
        evergrant connection reauth-link 65aa000000000000000000c1 --revoke 65aa000000000000000000d4"
    )]
    ReauthLink(super::reauth_link::Wish),
    /// End it: the credential is erased and the grant given back
    #[command(
        after_help = "Examples:\n  evergrant connection disconnect 65aa000000000000000000c1\n  \
        evergrant connection disconnect --account customer-17 --app hubspot"
    )]
    Disconnect(Which),
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only of this linked account
    #[arg(long, value_name = "LINKED_ACCOUNT_ID")]
    account: Option<String>,
    /// Only to this application
    #[arg(long, value_name = "SLUG")]
    app: Option<String>,
    /// Only of this status; degraded is active with trouble under way
    #[arg(long, value_parser = ["active", "degraded", "reauth_required"])]
    status: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its id, from `connection list`
    #[arg(required_unless_present = "account", conflicts_with_all = ["account", "app"])]
    id: Option<ConnectionId>,
    /// All of this linked account…
    #[arg(long, value_name = "LINKED_ACCOUNT_ID", requires = "app")]
    account: Option<String>,
    /// …to this application
    #[arg(long, value_name = "SLUG", requires = "account")]
    app: Option<String>,
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    match command {
        Command::List(filter) => list(desk, tenant, &filter).await,
        Command::Show { id } => show(desk, tenant, connections::find(app, tenant, &id).await?, None).await,
        Command::Check { id } => {
            let outcome = refresh::check(app, tenant, &id).await?;
            show(desk, tenant, outcome.connection, Some(outcome.did)).await
        }
        Command::Refresh { id } => {
            let outcome = refresh::renew(app, tenant, &id, Why::Forced).await?;
            show(desk, tenant, outcome.connection, Some(outcome.did)).await
        }
        Command::Expire { id } => {
            let connection = connections::expire(app, tenant, &id).await?;
            show(desk, tenant, connection, None).await
        }
        Command::ReauthLink(wish) => super::reauth_link::run(desk, tenant, wish).await,
        Command::Disconnect(which) => disconnect(desk, tenant, which).await,
    }
}

async fn list(desk: &Desk, tenant: &Tenant, filter: &Filter) -> anyhow::Result<()> {
    let mut found = match &filter.account {
        Some(id) => {
            let account = accounts::find(&desk.app, tenant, id).await?;
            connections::store::of_account(&mut *desk.app.db.read().await?, &tenant.id, &account.id).await?
        }
        None => all(&desk.app, tenant).await?,
    };
    found.retain(|one| filter.admits(one));
    let named = name(&desk.app, tenant, found).await?;
    desk.out.list(
        named.iter().map(view::summary),
        &view::HEAD,
        named.iter().map(view::row),
    )?;
    Ok(())
}

impl Filter {
    fn admits(&self, connection: &Connection) -> bool {
        let status = match self.status.as_deref() {
            None => true,
            Some("degraded") => connection.trouble.is_some() && !connection.is_flagged(),
            Some(word) => connection.status.as_str() == word,
        };
        status && self.app.as_ref().is_none_or(|slug| *slug == connection.slug)
    }
}

async fn all(app: &App, tenant: &Tenant) -> anyhow::Result<Vec<Connection>> {
    let mut found: Vec<Connection> = Vec::new();
    loop {
        let after = found.last().map_or("", |last| last.id.as_str()).to_owned();
        let page = connections::store::list(&mut *app.db.read().await?, &tenant.id, (&after, PAGE)).await?;
        let full = i64::try_from(page.len()).is_ok_and(|len| len == PAGE);
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

/// Adds the team's own names of the customers.
async fn name(app: &App, tenant: &Tenant, found: Vec<Connection>) -> anyhow::Result<Vec<Named>> {
    let mut conn = app.db.read().await?;
    let mut names: HashMap<AccountId, String> = HashMap::new();
    let mut named = Vec::with_capacity(found.len());
    for connection in found {
        if !names.contains_key(&connection.account) {
            // A disconnected connection outlives its account.
            let account = accounts::store::get(&mut conn, &tenant.id, &connection.account).await?;
            names.insert(
                connection.account.clone(),
                account.map_or_else(String::new, |account| account.account_id),
            );
        }
        let linked_account_id = names.get(&connection.account).cloned().unwrap_or_default();
        named.push(Named {
            connection,
            linked_account_id,
        });
    }
    Ok(named)
}

async fn show(desk: &Desk, tenant: &Tenant, connection: Connection, did: Option<Did>) -> anyhow::Result<()> {
    let timeline = connections::store::timeline(&mut *desk.app.db.read().await?, &tenant.id, &connection.id).await?;
    let object = serde_json::to_value(ConnectionView::of(&desk.app, tenant, connection.clone()).await?)?;
    let named = name(&desk.app, tenant, vec![connection]).await?;
    let Some(named) = named.first() else { return Ok(()) };
    if let (Some(did), false) = (did, desk.out.json) {
        eprintln!("{}", view::what_was_done(did));
    }
    desk.out.one(&object, &view::fields(named, &timeline))?;
    Ok(())
}

async fn disconnect(desk: &Desk, tenant: &Tenant, which: Which) -> anyhow::Result<()> {
    let app = &desk.app;
    let (account, slug, auth_type) = match which {
        Which { id: Some(id), .. } => {
            let found = connections::find(app, tenant, &id).await?;
            let account = accounts::store::get(&mut *app.db.read().await?, &tenant.id, &found.account).await?;
            (
                account.ok_or(Error::NotFound("Connection"))?,
                found.slug,
                Some(found.auth_type),
            )
        }
        Which { account, app: slug, .. } => {
            let account = accounts::find(app, tenant, &account.unwrap_or_default()).await?;
            (account, slug.unwrap_or_default(), None)
        }
    };
    let ended = authorize::disconnect(app, tenant, &account, (&slug, auth_type)).await?;
    let json = json!({ "linked_account_id": account.account_id, "slug": slug, "disconnected": ended });
    let sentence = format!("{ended} connections of {} to {slug} disconnected", account.account_id);
    desk.out.done(&json, &sentence)?;
    Ok(())
}
