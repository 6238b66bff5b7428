//! `evergrant connection`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Desk;
use super::connection_view as view;
use crate::accounts;
use crate::app::App;
use crate::authorize;
use crate::clock::Timestamp;
use crate::connections::{self, Connection, Named, Standing};
use crate::error::Error;
use crate::http::api::connections::ConnectionView;
use crate::ids::ConnectionId;
use crate::reason::Reason;
use crate::refresh::{self, Did, Why};
use crate::tenants::Tenant;

/// How many are read at once.
const PAGE: u16 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List live connections
    #[command(after_help = "Examples:\n  evergrant connection list\n  \
        evergrant connection list --status reauth_required --env production\n  \
        evergrant connection list --account customer-17 --app hubspot --json\n  \
        evergrant connection list --expiring-before 2024-02-01T00:00:00Z")]
    List(Filter),
    /// Show a connection with its timeline: why is it as it is?
    #[command(after_help = "Example:\n  evergrant connection show 65aa000000000000000000c1")]
    Show {
        /// Its id, from `connection list`
        id: ConnectionId,
    },
    /// Answer in words: why is it flagged, who says so, what heals it?
    #[command(after_help = "Examples:\n  evergrant connection why 65aa000000000000000000c1\n  \
        evergrant connection why 65aa000000000000000000c1 --json")]
    Why {
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
    #[arg(long, value_parser = Standing::WORDS)]
    status: Option<String>,
    /// Only those flagged, or in trouble, for this reason
    #[arg(long, value_parser = reason)]
    reason: Option<Reason>,
    /// Only those whose expected end is before this, and comes if nobody does anything, as 2024-01-02T03:04:05Z; the soonest first
    #[arg(long, value_name = "TIME", value_parser = super::time_argument)]
    expiring_before: Option<Timestamp>,
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
        Command::List(filter) => list(desk, tenant, filter).await,
        Command::Show { id } => show(desk, tenant, connections::find(app, tenant, &id).await?, None).await,
        Command::Why { id } => why(desk, tenant, connections::find(app, tenant, &id).await?).await,
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

async fn list(desk: &Desk, tenant: &Tenant, wanted: Filter) -> anyhow::Result<()> {
    let mut filter = connections::Filter {
        standing: wanted.status.as_deref().and_then(Standing::parse),
        reason: wanted.reason,
        slug: wanted.app,
        ends_before: wanted.expiring_before,
        ..connections::Filter::default()
    };
    if let Some(id) = &wanted.account {
        filter.account = Some(accounts::find(&desk.app, tenant, id).await?.id);
    }
    let mut found: Vec<Named> = Vec::new();
    loop {
        let page = connections::list(&desk.app, tenant, &filter, PAGE).await?;
        filter.after = page.last().map(|last| last.place.clone());
        let full = page.len() == usize::from(PAGE);
        found.extend(page.into_iter().map(|one| one.named));
        if !full {
            break;
        }
    }
    let shown = found.iter().map(|one| view::summary(&desk.app.catalog, one));
    let json = shown.collect::<Result<Vec<_>, _>>()?;
    desk.out.list(json, &view::HEAD, found.iter().map(view::row))?;
    Ok(())
}

fn reason(word: &str) -> Result<Reason, String> {
    let known = || {
        Reason::ALL
            .iter()
            .map(|reason| reason.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Reason::parse(word).ok_or_else(|| format!("the reasons are {}", known()))
}

/// Adds the team's own name of the customer. A disconnected connection outlives its account.
async fn name(app: &App, tenant: &Tenant, connection: Connection) -> anyhow::Result<Named> {
    let account = accounts::store::get(&mut *app.db.read().await?, &tenant.id, &connection.account).await?;
    Ok(Named {
        linked_account_id: account.map_or_else(String::new, |account| account.account_id),
        connection,
    })
}

async fn show(desk: &Desk, tenant: &Tenant, connection: Connection, did: Option<Did>) -> anyhow::Result<()> {
    let timeline = connections::store::timeline(&mut *desk.app.db.read().await?, &tenant.id, &connection.id).await?;
    let object = serde_json::to_value(ConnectionView::of(&desk.app, tenant, connection.clone()).await?)?;
    let named = name(&desk.app, tenant, connection).await?;
    if let (Some(did), false) = (did, desk.out.json) {
        eprintln!("{}", view::what_was_done(did));
    }
    desk.out.one(&object, &view::fields(&named, &timeline))?;
    Ok(())
}

async fn why(desk: &Desk, tenant: &Tenant, connection: Connection) -> anyhow::Result<()> {
    let timeline = connections::store::timeline(&mut *desk.app.db.read().await?, &tenant.id, &connection.id).await?;
    let mut object = serde_json::to_value(ConnectionView::of(&desk.app, tenant, connection.clone()).await?)?;
    let application = desk.app.catalog.get(&connection.slug).cloned();
    let named = name(&desk.app, tenant, connection).await?;
    let sentences = super::why::answer(&named, (&timeline, application.as_deref()));
    let story = timeline.iter().map(|entry| format!("  {}", view::line(entry)));
    let lines = sentences
        .iter()
        .cloned()
        .chain(["Timeline, the newest first:".to_owned()])
        .chain(story);
    object["why"] = json!(sentences);
    desk.out.told(&object, lines)?;
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
