//! `evergrant incident`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::out::time;
use crate::clients;
use crate::http::api::incidents::IncidentView;
use crate::ids::IncidentId;
use crate::incidents::{self, Incident};
use crate::tenants::Tenant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List incidents, the newest first
    #[command(
        after_help = "Examples:\n  evergrant incident list --env production\n  evergrant incident list --open --json"
    )]
    List {
        /// Only those that are not over
        #[arg(long)]
        open: bool,
    },
    /// Show an incident
    #[command(after_help = "Example:\n  evergrant incident show 65aa000000000000000000f1")]
    Show {
        /// Its id, from `incident list`
        id: IncidentId,
    },
    /// Close an incident: what it had stopped is tried again
    #[command(after_help = "Example:\n  evergrant incident close 65aa000000000000000000f1 --env production")]
    Close {
        /// Its id, from `incident list`
        id: IncidentId,
    },
    /// Confirm that the OAuth client is gone at the provider: every connection that uses it is flagged
    #[command(after_help = "Example:\n  evergrant incident confirm-deletion 65aa000000000000000000f1 --yes")]
    ConfirmDeletion {
        /// Its id, from `incident list`
        id: IncidentId,
        /// Every customer of the application will be asked to reconnect
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    match command {
        Command::List { open } => {
            let all = incidents::list(app, tenant, open).await?;
            let json = all
                .iter()
                .cloned()
                .map(|one| json!(IncidentView::of(&app.catalog, one)));
            let head = ["ID", "APPLICATION", "STATE", "REASON", "SEEN", "SINCE"];
            desk.out.list(json.collect::<Vec<_>>(), &head, all.iter().map(row))?;
        }
        Command::Show { id } => show(desk, &incidents::find(app, tenant, &id).await?)?,
        Command::Close { id } => show(desk, &clients::close_incident(app, tenant, &id, "operator").await?)?,
        Command::ConfirmDeletion { id, yes } => {
            let incident = incidents::find(app, tenant, &id).await?;
            anyhow::ensure!(
                yes,
                "this flags every connection to {} in {} that uses your OAuth client; confirm with --yes",
                incident.slug,
                tenant.environment
            );
            let flagged = clients::confirm_deletion(app, tenant, &id, "operator").await?;
            let sentence = format!("{flagged} connections to {} flagged", incident.slug);
            desk.out
                .done(&json!({ "id": id.as_str(), "flagged_connections": flagged }), &sentence)?;
        }
    }
    Ok(())
}

fn row(one: &Incident) -> [String; 6] {
    [
        one.id.to_string(),
        one.slug.clone(),
        one.state().to_owned(),
        one.reason.to_string(),
        one.observations.to_string(),
        one.opened_at.iso(),
    ]
}

fn show(desk: &Desk, one: &Incident) -> anyhow::Result<()> {
    let words = &one.evidence.words;
    let fields = [
        ("id", one.id.to_string()),
        ("application", one.slug.clone()),
        ("state", one.state().to_owned()),
        ("reason", one.reason.to_string()),
        (
            "rule",
            format!("{} ({}) {words}", one.evidence.rule, one.evidence.status),
        ),
        ("observations", one.observations.to_string()),
        ("opened at", one.opened_at.iso()),
        ("last seen at", one.last_seen_at.iso()),
        ("confirmed at", time(one.confirmed_at)),
        ("client gone since", time(one.deleted_at)),
        ("closed at", time(one.closing.map(|closing| closing.at))),
    ];
    desk.out
        .one(&json!(IncidentView::of(&desk.app.catalog, one.clone())), &fields)?;
    Ok(())
}
