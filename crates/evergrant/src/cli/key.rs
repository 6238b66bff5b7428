//! `evergrant key`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Desk;
use super::out::{json_time, time};
use crate::ids::ApiKeyId;
use crate::tenants::{self, ApiKey, EnvironmentRow, Scopes};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an API key and show it, this one time
    #[command(after_help = "Examples:\n  evergrant key create --env test --name backend\n  \
        evergrant key create --env production --name dashboards --scopes read\n  \
        evergrant key create --env production --name webhooks --scopes sign --json")]
    Create {
        /// What to call it
        #[arg(long, default_value = "cli")]
        name: String,
        /// What it may do: read, write, credentials, sign, separated by commas
        #[arg(long, value_name = "LIST", default_value = "read,write,credentials,sign", value_parser = Scopes::parse)]
        scopes: Scopes,
    },
    /// List the API keys of an environment; their values are not kept
    #[command(after_help = "Example:\n  evergrant key list --env production")]
    List,
    /// Revoke an API key at once
    #[command(after_help = "Example:\n  evergrant key revoke 65aa000000000000000000d1")]
    Revoke {
        /// Its id, from `key list`
        id: ApiKeyId,
    },
    /// Name the API key that signs the environment's webhooks
    #[command(after_help = "Example:\n  evergrant key sign 65aa000000000000000000d1 --env production")]
    Sign {
        /// Its id; it needs the scope `sign`
        id: ApiKeyId,
    },
}

pub(super) async fn run(desk: &Desk, environment: &EnvironmentRow, command: Command) -> anyhow::Result<()> {
    let tenant = &environment.tenant.id;
    match command {
        Command::Create { name, scopes } => {
            let made = tenants::create_key(&desk.app, environment, &name, scopes).await?;
            // The first key that can sign becomes the signing key: as it is now, not as it was before.
            let now = tenants::store::get_environment(&mut *desk.app.db.read().await?, tenant).await?;
            let mut json = view(&made.key, &now);
            json["key"] = Value::from(made.value.expose());
            if !desk.out.json {
                eprintln!(
                    "made the API key `{}` ({}) of {} / {} with the scopes {scopes}; it is shown this one time:",
                    made.key.name, made.key.id, environment.org_name, environment.tenant.environment
                );
            }
            desk.out.done(&json, made.value.expose())?;
        }
        Command::List => {
            let keys = tenants::store::keys(&mut *desk.app.db.read().await?, tenant).await?;
            let head = ["ID", "NAME", "KEY", "SCOPES", "SIGNS", "CREATED", "REVOKED"];
            let json = keys.iter().map(|key| view(key, environment));
            desk.out
                .list(json, &head, keys.iter().map(|key| row(key, environment)))?;
        }
        Command::Revoke { id } => {
            tenants::revoke_key(&desk.app, tenant, &id).await?;
            desk.out.done(
                &json!({ "id": id, "revoked": true }),
                &format!("revoked the API key {id}"),
            )?;
        }
        Command::Sign { id } => {
            tenants::name_signing_key(&desk.app, tenant, &id).await?;
            let sentence = format!("the API key {id} signs the webhooks of this environment from now on");
            desk.out.done(&json!({ "id": id, "signs": true }), &sentence)?;
        }
    }
    Ok(())
}

fn signs(key: &ApiKey, environment: &EnvironmentRow) -> bool {
    environment.signing_key.as_ref() == Some(&key.id)
}

fn view(key: &ApiKey, environment: &EnvironmentRow) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "scopes": key.scopes.words().collect::<Vec<_>>(),
        "org": environment.org_name,
        "environment": key.tenant.environment,
        "signs": signs(key, environment),
        "created_at": key.created_at.iso(),
        "revoked_at": json_time(key.revoked_at),
    })
}

fn row(key: &ApiKey, environment: &EnvironmentRow) -> [String; 7] {
    [
        key.id.to_string(),
        key.name.clone(),
        format!("{}…", key.hint),
        key.scopes.to_string(),
        if signs(key, environment) { "yes" } else { "" }.to_owned(),
        key.created_at.iso(),
        time(key.revoked_at),
    ]
}
