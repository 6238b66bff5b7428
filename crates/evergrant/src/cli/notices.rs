//! `evergrant app notices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Desk;
use super::out::or_dash;
use super::secret_input;
use crate::clock::Timestamp;
use crate::notices::{self, Address};
use crate::tenants::Tenant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the address to paste at the provider, and what arrived there; it is made if there is none
    #[command(after_help = "Example:\n  evergrant app notices show slack --env production")]
    Show {
        /// The application
        slug: String,
    },
    /// Set the signing secret that the provider shows; the one before is accepted for another day
    #[command(
        after_help = "Examples:\n  evergrant app notices set slack --signing-secret-file slack.signing\n  \
        pass show slack-signing | evergrant app notices set slack --signing-secret-stdin"
    )]
    Set(Set),
    /// List the addresses of an environment
    #[command(after_help = "Example:\n  evergrant app notices list --env production --json")]
    List,
    /// Remove an address: what is sent to it finds nothing any more
    #[command(after_help = "Example:\n  evergrant app notices remove slack")]
    Remove {
        /// The application
        slug: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The application
    slug: String,
    #[command(flatten)]
    secret: SecretSource,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SecretSource {
    /// Read the signing secret from standard input
    #[arg(long)]
    signing_secret_stdin: bool,
    /// Read the signing secret from a file
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<PathBuf>,
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    match command {
        Command::Show { slug } => {
            let address = notices::provide(app, tenant, &slug, None, "operator").await?;
            desk.out.one(&view(desk, &address), &fields(desk, &address))?;
        }
        Command::Set(set) => {
            let secret = match &set.secret.signing_secret_file {
                Some(path) => secret_input::from_file(path, "signing secret")?,
                None => secret_input::from_stdin("signing secret")?,
            };
            let address = notices::provide(app, tenant, &set.slug, Some(secret), "operator").await?;
            let sentence = format!(
                "set the signing secret of {} in {}; paste {} at the provider",
                address.slug,
                tenant.environment,
                app.url(&address.path())
            );
            desk.out.done(&view(desk, &address), &sentence)?;
        }
        Command::List => {
            let all = notices::store::list(&mut *app.db.read().await?, &tenant.id).await?;
            let head = ["APPLICATION", "URL", "SIGNING SECRET", "LAST HEARD", "LAST REFUSED"];
            let rows = all.iter().map(|address| row(desk, address));
            desk.out
                .list(all.iter().map(|address| view(desk, address)), &head, rows)?;
        }
        Command::Remove { slug } => {
            notices::remove(app, tenant, &slug, "operator").await?;
            let json = json!({ "slug": slug, "removed": true });
            desk.out
                .done(&json, &format!("removed the address for notices of {slug}"))?;
        }
    }
    Ok(())
}

fn setup(desk: &Desk, address: &Address) -> (String, bool) {
    let application = desk.app.catalog.get(&address.slug);
    let notices = application.and_then(|application| application.notices.as_ref());
    let own = notices.is_some_and(|notices| notices.verified_by.takes_own_secret());
    (notices.map(|notices| notices.setup.clone()).unwrap_or_default(), own)
}

/// An address without its signing secret: as the API shows it.
fn view(desk: &Desk, address: &Address) -> Value {
    let (setup, own) = setup(desk, address);
    json!({
        "slug": address.slug,
        "url": desk.app.url(&address.path()),
        "setup": setup,
        "takes_signing_secret": own,
        "has_signing_secret": address.sealed_secret.is_some(),
        "last_heard_at": address.heard_at.map(Timestamp::iso),
        "last_refused_at": address.refused.as_ref().map(|(at, _)| at.iso()),
        "last_refused_for": address.refused.as_ref().map(|(_, why)| why.clone()),
        "created_at": address.created_at.iso(),
        "updated_at": address.updated_at.iso(),
    })
}

fn secret_word(own: bool, address: &Address) -> String {
    match (own, &address.sealed_secret) {
        (false, _) => "not needed: the OAuth client's",
        (true, Some(_)) => "sealed",
        (true, None) => "MISSING: set it, or every notice is refused",
    }
    .to_owned()
}

fn refusal(address: &Address) -> Option<String> {
    address.refused.as_ref().map(|(at, why)| format!("{}: {why}", at.iso()))
}

fn fields(desk: &Desk, address: &Address) -> Vec<(&'static str, String)> {
    let (setup, own) = setup(desk, address);
    vec![
        ("Application", address.slug.clone()),
        ("URL", desk.app.url(&address.path())),
        ("Where to paste it", setup),
        ("Signing secret", secret_word(own, address)),
        ("Last heard", or_dash(address.heard_at.map(Timestamp::iso).as_deref())),
        ("Last refused", or_dash(refusal(address).as_deref())),
    ]
}

fn row(desk: &Desk, address: &Address) -> [String; 5] {
    let (_, own) = setup(desk, address);
    [
        address.slug.clone(),
        desk.app.url(&address.path()),
        secret_word(own, address),
        or_dash(address.heard_at.map(Timestamp::iso).as_deref()),
        or_dash(refusal(address).as_deref()),
    ]
}
