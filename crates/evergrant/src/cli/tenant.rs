//! Which environment a command is about.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::Desk;
use crate::tenants::{self, Environment, EnvironmentRow};

/// A command of one environment.
#[derive(Debug, Args)]
pub(super) struct Of<C: Subcommand> {
    /// The organisation
    #[arg(long, global = true, default_value = "default", value_name = "NAME")]
    org: String,
    /// The environment: test or production
    #[arg(long, global = true, default_value = "test", value_name = "ENVIRONMENT", value_parser = parse)]
    env: Environment,
    #[command(subcommand)]
    pub(super) command: C,
}

fn parse(word: &str) -> Result<Environment, &'static str> {
    Environment::parse(word).ok_or("the environments are test and production")
}

impl<C: Subcommand> Of<C> {
    /// Looks the environment up.
    pub(super) async fn environment(&self, desk: &Desk) -> anyhow::Result<EnvironmentRow> {
        let mut conn = desk.app.db.read().await?;
        let found = tenants::store::find_environment(&mut conn, &self.org, self.env).await?;
        found.with_context(|| {
            format!(
                "there is no organisation `{}`; `evergrant org list` shows them",
                self.org
            )
        })
    }
}
