//! `evergrant policy`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use crate::tenants::{self, AccountSwitch, Tenant};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the policy of an environment
    #[command(after_help = "Example:\n  evergrant policy show --env production")]
    Show,
    /// Change the policy of an environment
    #[command(after_help = "Example:\n  evergrant policy set --env production --account-switch ask")]
    Set {
        /// When a customer reconnects with another account than before: refuse, or ask whether to replace it
        #[arg(long, value_name = "WORD", value_parser = parse)]
        account_switch: AccountSwitch,
    },
}

fn parse(word: &str) -> Result<AccountSwitch, &'static str> {
    AccountSwitch::parse(word).ok_or("it is refuse or ask")
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    if let Command::Set { account_switch } = command {
        tenants::set_account_switch(app, tenant, account_switch, "operator").await?;
    }
    let policy = tenants::store::account_switch(&mut *app.db.read().await?, &tenant.id).await?;
    let fields = [("reconnecting with another account", policy.as_str().to_owned())];
    desk.out.one(&json!({ "account_switch": policy.as_str() }), &fields)?;
    Ok(())
}
