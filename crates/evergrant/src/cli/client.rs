//! `evergrant app client`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Desk;
use super::application::callback_url;
use super::out::or_dash;
use super::secret_input;
use crate::clients::{self, NewClient, OAuthClient};
use crate::tenants::Tenant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set your OAuth client for an application; connections that the old one had broken are tried again
    #[command(
        after_help = "Examples:\n  evergrant app client set hubspot --client-id 1f4c --client-secret-file hubspot.secret\n  \
        pass show hubspot | evergrant app client set hubspot --client-id 1f4c --client-secret-stdin\n  \
        evergrant app client set slack --client-id 12.34 --client-secret-stdin --scopes 'chat:write users:read' < slack.secret"
    )]
    Set(Set),
    /// List your OAuth clients; secrets are never shown
    #[command(after_help = "Example:\n  evergrant app client list --env production")]
    List,
    /// Remove your OAuth client for an application
    #[command(after_help = "Example:\n  evergrant app client remove hubspot --yes")]
    Remove {
        /// The application
        slug: String,
        /// Do it even if connections use it: each is flagged `oauth_app_deleted`
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The application
    slug: String,
    /// The client's id at the provider
    #[arg(long)]
    client_id: String,
    #[command(flatten)]
    secret: SecretSource,
    /// What to ask for instead of the catalogue's scopes, separated by spaces
    #[arg(long, value_name = "LIST")]
    scopes: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SecretSource {
    /// Read the client's secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,
    /// Read the client's secret from a file
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The client is a public one and has no secret
    #[arg(long)]
    public: bool,
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Set(set) => {
            let secret = match (&set.secret.client_secret_file, set.secret.client_secret_stdin) {
                (Some(path), _) => Some(secret_input::from_file(path, "client secret")?),
                (None, true) => Some(secret_input::from_stdin("client secret")?),
                (None, false) => None,
            };
            let scopes = set
                .scopes
                .map(|text| text.split_whitespace().map(str::to_owned).collect());
            let new = NewClient {
                client_id: set.client_id,
                secret,
                scopes,
            };
            let client = clients::set(&desk.app, tenant, &set.slug, new).await?;
            let sentence = format!(
                "set the OAuth client of {} in {}; register {} at the provider as its redirect URI",
                client.slug,
                tenant.environment,
                callback_url(desk, &client.slug)
            );
            desk.out.done(&view(&client), &sentence)?;
        }
        Command::List => {
            let all = clients::list(&desk.app, tenant).await?;
            let head = ["APPLICATION", "CLIENT ID", "SECRET", "SCOPES", "CHANGED"];
            desk.out.list(all.iter().map(view), &head, all.iter().map(row))?;
        }
        Command::Remove { slug, yes } => {
            let flagged = clients::remove(&desk.app, tenant, &slug, yes)
                .await
                .map_err(|error| match error {
                    crate::error::Error::Conflict(why) => anyhow::anyhow!("{why} with --yes"),
                    other => other.into(),
                })?;
            let json = json!({ "slug": slug, "removed": true, "flagged_connections": flagged });
            desk.out.done(
                &json,
                &format!("removed the OAuth client of {slug}; {flagged} connections flagged"),
            )?;
        }
    }
    Ok(())
}

/// A client without its secret.
pub(super) fn view(client: &OAuthClient) -> Value {
    json!({
        "slug": client.slug,
        "client_id": client.client_id,
        "has_secret": client.sealed_secret.is_some(),
        "scopes": client.scopes,
        "created_at": client.created_at.iso(),
        "updated_at": client.updated_at.iso(),
    })
}

fn row(client: &OAuthClient) -> [String; 5] {
    [
        client.slug.clone(),
        client.client_id.clone(),
        if client.sealed_secret.is_some() {
            "sealed"
        } else {
            "none"
        }
        .to_owned(),
        or_dash(client.scopes.as_ref().map(|scopes| scopes.join(" ")).as_deref()),
        client.updated_at.iso(),
    ]
}
