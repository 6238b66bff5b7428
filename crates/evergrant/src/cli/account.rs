//! `evergrant account`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::Desk;
use super::out::or_dash;
use crate::accounts::{self, Change, FieldFilter, Page, Record};
use crate::authorize;
use crate::tenants::Tenant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List linked accounts, the oldest first
    #[command(after_help = "Examples:\n  evergrant account list\n  evergrant account list --page 2 --limit 100 --json")]
    List {
        /// Which page
        #[arg(long, default_value_t = 1)]
        page: u32,
        /// How many a page has, at most 100
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show a linked account
    #[command(after_help = "Example:\n  evergrant account show customer-17")]
    Show {
        /// Your own id of the customer
        linked_account_id: String,
    },
    /// Create a linked account
    #[command(after_help = "Example:\n  evergrant account create customer-17 --name 'Acme Ltd'")]
    Create {
        /// Your own id of the customer
        linked_account_id: String,
        /// What to call the customer
        #[arg(long)]
        name: Option<String>,
    },
    /// Delete a linked account with everything it has; its connections are disconnected first
    #[command(after_help = "Example:\n  evergrant account delete customer-17 --yes")]
    Delete {
        /// Your own id of the customer
        linked_account_id: String,
        /// Do it even if connections are lost
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    match command {
        Command::List { page, limit } => {
            let page = Page::new(page, limit)?;
            let (records, total) = accounts::list(app, tenant, &FieldFilter::default(), page).await?;
            let head = ["LINKED ACCOUNT", "NAME", "FIELDS", "CREATED"];
            desk.out
                .list(records.iter().map(view), &head, records.iter().map(row))?;
            let shown = u64::from(page.number - 1) * u64::from(page.size) + records.len() as u64;
            if shown < total {
                eprintln!("{shown} of {total}; go on with --page {}", page.number + 1);
            }
        }
        Command::Show { linked_account_id } => {
            let account = accounts::find(app, tenant, &linked_account_id).await?;
            let record = accounts::record(app, tenant, account).await?;
            desk.out.one(&view(&record), &fields(&record))?;
        }
        Command::Create {
            linked_account_id,
            name,
        } => {
            let record = accounts::create(app, tenant, &Change::of(&linked_account_id)?.named(name)?).await?;
            desk.out.done(
                &view(&record),
                &format!("created the linked account {linked_account_id}"),
            )?;
        }
        Command::Delete { linked_account_id, yes } => delete(desk, tenant, &linked_account_id, yes).await?,
    }
    Ok(())
}

async fn delete(desk: &Desk, tenant: &Tenant, id: &str, yes: bool) -> anyhow::Result<()> {
    let app = &desk.app;
    let account = accounts::find(app, tenant, id).await?;
    let live = crate::connections::store::of_account(&mut *app.db.read().await?, &tenant.id, &account.id).await?;
    if !live.is_empty() && !yes {
        anyhow::bail!(
            "{id} has {} connections, which would be disconnected; confirm with --yes",
            live.len()
        );
    }
    let ended = authorize::delete_account(app, tenant, &account, "operator").await?;
    let json = json!({ "linked_account_id": id, "deleted": true, "disconnected": ended });
    desk.out.done(
        &json,
        &format!("deleted the linked account {id}; {ended} connections disconnected"),
    )?;
    Ok(())
}

fn view(record: &Record) -> Value {
    let udf: Map<String, Value> = record
        .fields
        .iter()
        .map(|field| (field.key.clone(), field.value.clone()))
        .collect();
    json!({
        "id": record.account.id,
        "linked_account_id": record.account.account_id,
        "name": record.account.name,
        "udf": udf,
        "has_default_app": record.default_app.is_some(),
        "created_at": record.account.created_at.iso(),
        "updated_at": record.account.updated_at.iso(),
    })
}

fn row(record: &Record) -> [String; 4] {
    [
        record.account.account_id.clone(),
        or_dash(record.account.name.as_deref()),
        record.fields.len().to_string(),
        record.account.created_at.iso(),
    ]
}

fn fields(record: &Record) -> Vec<(&str, String)> {
    let account = &record.account;
    let udf = record
        .fields
        .iter()
        .map(|field| format!("{}={}", field.key, field.value));
    vec![
        ("linked account", account.account_id.clone()),
        ("name", or_dash(account.name.as_deref())),
        ("id", account.id.to_string()),
        ("fields", or_dash(Some(&udf.collect::<Vec<_>>().join(" ")))),
        (
            "default app",
            if record.default_app.is_some() { "yes" } else { "no" }.to_owned(),
        ),
        ("created", account.created_at.iso()),
        ("updated", account.updated_at.iso()),
    ]
}
