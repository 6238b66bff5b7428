//! `evergrant org`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Desk;
use crate::tenants::{self, Environment, Organisation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an organisation with its environments test and production
    #[command(after_help = "Example:\n  evergrant org create acme")]
    Create {
        /// A unique name
        name: String,
    },
    /// List the organisations
    #[command(after_help = "Examples:\n  evergrant org list\n  evergrant org list --json")]
    List,
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { name } => {
            let org = tenants::create_organisation(&desk.app, &name).await?;
            let sentence = format!(
                "made the organisation `{0}` ({1}); make its first API key with `evergrant key create --org {0}`",
                org.name, org.id
            );
            desk.out.done(&view(&org), &sentence)?;
        }
        Command::List => {
            let all = tenants::store::organisations(&mut *desk.app.db.read().await?).await?;
            let rows = all
                .iter()
                .map(|org| [org.name.clone(), org.id.to_string(), org.created_at.iso()]);
            desk.out.list(all.iter().map(view), &["NAME", "ID", "CREATED"], rows)?;
        }
    }
    Ok(())
}

fn view(org: &Organisation) -> Value {
    json!({
        "id": org.id,
        "name": org.name,
        "environments": Environment::ALL,
        "created_at": org.created_at.iso(),
    })
}
