//! `evergrant audit`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Desk;
use crate::clock::Timestamp;
use crate::tenants::Tenant;
use crate::tenants::audit::{self, AuditFilter, AuditRow};

/// How many are read at once.
const PAGE: u16 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List who did what to what, the newest first
    #[command(after_help = "Examples:\n  evergrant audit list --env production\n  \
        evergrant audit list --action credential.read --target 65aa000000000000000000c1\n  \
        evergrant audit list --since 2024-01-02T00:00:00Z --limit 10000 --json")]
    List(Filter),
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only what this API key did, or `operator`
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only this action, such as credential.read or key.revoke
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to this: a connection, a key, a slug
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only what was done then or later, as 2024-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = super::time_argument)]
    since: Option<Timestamp>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    limit: usize,
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let Command::List(wanted) = command;
    let mut filter = AuditFilter {
        actor: wanted.actor,
        action: wanted.action,
        target: wanted.target,
        since: wanted.since,
        after: None,
    };
    let mut rows: Vec<AuditRow> = Vec::new();
    while rows.len() < wanted.limit {
        let size = u16::try_from(wanted.limit - rows.len()).unwrap_or(PAGE).min(PAGE);
        let page = audit::trail(&desk.app, tenant, &filter, size).await?;
        let more = page.len() == usize::from(size);
        rows.extend(page);
        filter.after = rows.last().map(|last| (last.at, last.id.clone()));
        if !more {
            break;
        }
    }
    let json = rows.iter().map(|row| {
        json!({
            "id": row.id,
            "at": row.at.iso(),
            "actor": row.actor,
            "action": row.action,
            "target": row.target,
            "times": row.times,
        })
    });
    let line = |row: &AuditRow| {
        let (at, times) = (row.at.iso(), row.times.to_string());
        [at, row.actor.clone(), row.action.clone(), row.target.clone(), times]
    };
    let head = ["AT", "ACTOR", "ACTION", "TARGET", "TIMES"];
    desk.out.list(json, &head, rows.iter().map(line))?;
    Ok(())
}
