//! `evergrant app`.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Desk;
use super::client;
use super::notices;
use super::out::or_dash;
use crate::catalog::{Application, AuthType};
use crate::clients::{self, OAuthClient};
use crate::error::Error;
use crate::tenants::EnvironmentRow;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the applications
    #[command(after_help = "Examples:\n  evergrant app list\n  evergrant app list --env production --json")]
    List,
    /// Show an application, and what to register at the provider
    #[command(after_help = "Example:\n  evergrant app show hubspot")]
    Show {
        /// Its name in URLs, from `app list`
        slug: String,
    },
    /// Your OAuth client for an application
    #[command(
        subcommand,
        after_help = "Examples:\n  evergrant app client list\n  \
        evergrant app client set hubspot --client-id 1f4c --client-secret-file hubspot.secret"
    )]
    Client(client::Command),
    /// Where an application tells us of uninstalled apps and revoked grants
    #[command(
        subcommand,
        after_help = "Examples:\n  evergrant app notices show slack --env production\n  \
        evergrant app notices set slack --signing-secret-file slack.signing"
    )]
    Notices(notices::Command),
}

pub(super) async fn run(desk: &Desk, environment: &EnvironmentRow, command: Command) -> anyhow::Result<()> {
    let tenant = &environment.tenant;
    match command {
        Command::Client(command) => client::run(desk, tenant, command).await?,
        Command::Notices(command) => notices::run(desk, tenant, command).await?,
        Command::List => {
            let set = clients::list(&desk.app, tenant).await?;
            let set: BTreeMap<&str, &OAuthClient> = set.iter().map(|client| (client.slug.as_str(), client)).collect();
            let all = desk.app.catalog.all();
            let json = all
                .iter()
                .map(|one| view(desk, one, set.get(one.slug.as_str()).copied()));
            let head = ["SLUG", "NAME", "AUTH", "OAUTH CLIENT", "SOURCE"];
            desk.out.list(
                json,
                &head,
                all.iter().map(|one| row(one, set.contains_key(one.slug.as_str()))),
            )?;
        }
        Command::Show { slug } => {
            let unknown = || Error::ApplicationNotFound {
                slug: slug.clone(),
                org: environment.org_name.clone(),
            };
            let application = desk.app.catalog.get(&slug).ok_or_else(unknown)?;
            let set = clients::list(&desk.app, tenant).await?;
            let client = set.iter().find(|client| client.slug == slug);
            desk.out
                .one(&view(desk, application, client), &fields(desk, application, client))?;
        }
    }
    Ok(())
}

/// What to register at the provider as the redirect URI.
pub(super) fn callback_url(desk: &Desk, slug: &str) -> String {
    desk.app.url(&format!("/api/v1/{slug}/callback"))
}

fn auth_types(application: &Application) -> Vec<&'static str> {
    application.auth_types().into_iter().map(AuthType::as_str).collect()
}

fn view(desk: &Desk, application: &Application, client: Option<&OAuthClient>) -> Value {
    json!({
        "slug": application.slug,
        "name": application.name,
        "description": application.description,
        "tags": application.tags,
        "auth_types": auth_types(application),
        "provider": application.provider,
        "version": application.version,
        "custom": application.custom,
        "scopes": application.oauth2.as_ref().map(|scheme| &scheme.scopes),
        "callback_url": application.oauth2.as_ref().map(|_| callback_url(desk, &application.slug)),
        "client": client.map(client::view),
    })
}

fn row(application: &Application, has_client: bool) -> [String; 5] {
    let client = match (&application.oauth2, has_client) {
        (None, _) => "-",
        (Some(_), true) => "set",
        (Some(_), false) => "not set",
    };
    [
        application.slug.clone(),
        application.name.clone(),
        auth_types(application).join(", "),
        client.to_owned(),
        if application.custom { "custom" } else { "built in" }.to_owned(),
    ]
}

fn fields(desk: &Desk, application: &Application, client: Option<&OAuthClient>) -> Vec<(&'static str, String)> {
    let slug = &application.slug;
    let mut fields = vec![
        ("slug", slug.clone()),
        ("name", application.name.clone()),
        ("description", application.description.clone()),
        ("auth", auth_types(application).join(", ")),
        (
            "source",
            if application.custom { "custom" } else { "built in" }.to_owned(),
        ),
    ];
    if let Some(scheme) = &application.oauth2 {
        let unset = || format!("not set; evergrant app client set {slug} --client-id … --client-secret-stdin");
        fields.push(("redirect URI", callback_url(desk, slug)));
        fields.push(("scopes", or_dash(Some(&scheme.scopes.join(" ")))));
        fields.push((
            "OAuth client",
            client.map_or_else(unset, |client| client.client_id.clone()),
        ));
    }
    for field in application.inputs(AuthType::Keybased) {
        fields.push(("typed in", format!("{} ({})", field.name, field.label)));
    }
    fields
}
