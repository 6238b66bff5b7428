//! `evergrant origins`.

use std::collections::BTreeSet;

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::out::or_dash;
use crate::error::Error;
use crate::tenants::{self, EnvironmentRow};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the origins of an environment
    #[command(after_help = "Example:\n  evergrant origins list --env production")]
    List,
    /// Set the origins of an environment; a kind that is not named stays as it is
    #[command(
        after_help = "Examples:\n  evergrant origins set --return https://app.example.com --return http://localhost:3000\n  \
        evergrant origins set --env production --return https://app.example.com --frame https://app.example.com\n  \
        evergrant origins set --no-frame"
    )]
    Set {
        /// An origin that hosted pages may lead back to; may be repeated
        #[arg(long = "return", value_name = "ORIGIN", conflicts_with = "no_return")]
        returns: Vec<String>,
        /// An origin that may show hosted pages in a frame; may be repeated
        #[arg(long = "frame", value_name = "ORIGIN", conflicts_with = "no_frame")]
        frames: Vec<String>,
        /// Hosted pages lead back nowhere
        #[arg(long)]
        no_return: bool,
        /// Nobody shows hosted pages in a frame
        #[arg(long)]
        no_frame: bool,
    },
}

pub(super) async fn run(desk: &Desk, environment: &EnvironmentRow, command: Command) -> anyhow::Result<()> {
    let (mut returns, mut frames) = (environment.return_origins.clone(), environment.frame_origins.clone());
    if let Command::Set {
        returns: new_returns,
        frames: new_frames,
        no_return,
        no_frame,
    } = command
    {
        if no_return || !new_returns.is_empty() {
            returns = new_returns;
        }
        if no_frame || !new_frames.is_empty() {
            frames = new_frames;
        }
        (returns, frames) = (checked(&returns)?, checked(&frames)?);
        tenants::set_origins(&desk.app, &environment.tenant, (&returns, &frames), "operator").await?;
    }
    let fields = [
        ("may be led back to", or_dash(Some(&returns.join(" ")))),
        ("may show a frame", or_dash(Some(&frames.join(" ")))),
    ];
    desk.out
        .one(&json!({ "return_origins": returns, "frame_origins": frames }), &fields)?;
    Ok(())
}

fn checked(texts: &[String]) -> Result<Vec<String>, Error> {
    let all: Result<BTreeSet<String>, Error> = texts.iter().map(|text| tenants::origin(text)).collect();
    all.map(|all| all.into_iter().collect())
}
