//! `evergrant webhook`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Desk;
use super::out::{json_time, or_dash, time};
use super::secret_input;
use crate::clock::Timestamp;
use crate::ids::{DeliveryId, WebhookId};
use crate::secret::Secret;
use crate::tenants::Tenant;
use crate::webhooks::{self, Change, Delivery, DeliveryState, Method, Webhook, WebhookType};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a webhook
    #[command(
        after_help = "Examples:\n  evergrant webhook create --url https://hooks.example.com/evergrant \\\n    \
        --event 'Connection Expired' --event 'Connection Created'\n  \
        evergrant webhook create --url https://hooks.slack.com/services/… --event 'Connection Expired' --type slack"
    )]
    Create {
        /// Where to send events
        #[arg(long)]
        url: String,
        /// Which events; may be repeated
        #[arg(long = "event", value_name = "NAME", required = true)]
        events: Vec<String>,
        #[command(flatten)]
        more: More,
    },
    /// List the webhooks of an environment
    #[command(after_help = "Example:\n  evergrant webhook list --env production")]
    List,
    /// Show a webhook and its last deliveries
    #[command(after_help = "Example:\n  evergrant webhook show 65aa000000000000000000e1")]
    Show {
        /// Its id, from `webhook list`
        id: WebhookId,
    },
    /// Change a webhook; what is not named stays as it is
    #[command(
        after_help = "Examples:\n  evergrant webhook update 65aa000000000000000000e1 --disable\n  \
        evergrant webhook update 65aa000000000000000000e1 --event 'Connection Expired'"
    )]
    Update {
        /// Its id, from `webhook list`
        id: WebhookId,
        /// Where to send events
        #[arg(long)]
        url: Option<String>,
        /// Which events: all of them; may be repeated
        #[arg(long = "event", value_name = "NAME")]
        events: Vec<String>,
        /// Send again
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        #[command(flatten)]
        more: More,
    },
    /// Delete a webhook with its deliveries
    #[command(after_help = "Example:\n  evergrant webhook delete 65aa000000000000000000e1")]
    Delete {
        /// Its id, from `webhook list`
        id: WebhookId,
    },
    /// Send a delivery again, whether it was given up, delivered or still waits
    #[command(after_help = "Example:\n  evergrant webhook redeliver 65aa000000000000000000f1")]
    Redeliver {
        /// The delivery's id, from `webhook show`
        delivery: DeliveryId,
    },
}

#[derive(Debug, Args)]
pub(super) struct More {
    /// Send nothing until it is enabled
    #[arg(long)]
    disable: bool,
    /// What receives it: default or slack
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<WebhookType>,
    /// POST, PUT or PATCH
    #[arg(long, value_parser = method)]
    method: Option<Method>,
    /// A file with extra request headers, a JSON object of names and values; - is standard input
    #[arg(long, value_name = "FILE")]
    headers_file: Option<PathBuf>,
    /// Your own words
    #[arg(long)]
    description: Option<String>,
    /// What to file it under
    #[arg(long)]
    group: Option<String>,
}

fn kind(word: &str) -> Result<WebhookType, &'static str> {
    match word {
        "default" => Ok(WebhookType::Default),
        "slack" => Ok(WebhookType::Slack),
        _ => Err("the types are default and slack"),
    }
}

fn method(word: &str) -> Result<Method, &'static str> {
    Method::parse(&word.to_uppercase()).ok_or("the methods are POST, PUT and PATCH")
}

impl More {
    fn into_change(self) -> anyhow::Result<Change> {
        let headers = self.headers_file.map(|path| {
            let text = secret_input::from_file(&path, "headers")?;
            let headers: BTreeMap<String, String> = serde_json::from_str(text.expose())
                .map_err(|_| ()) // the error would quote a secret
                .ok()
                .with_context(|| format!("{} is not a JSON object of names and texts", path.display()))?;
            Ok::<_, anyhow::Error>(
                headers
                    .into_iter()
                    .map(|(name, value)| (name, Secret::from(value)))
                    .collect(),
            )
        });
        Ok(Change {
            enabled: self.disable.then_some(false),
            kind: self.kind,
            method: self.method,
            headers: headers.transpose()?,
            description: self.description,
            group: self.group,
            ..Change::default()
        })
    }
}

pub(super) async fn run(desk: &Desk, tenant: &Tenant, command: Command) -> anyhow::Result<()> {
    let app = &desk.app;
    match command {
        Command::Create { url, events, more } => {
            let change = Change {
                url: Some(url),
                events: Some(events),
                ..more.into_change()?
            };
            let made = webhooks::create(app, tenant, change).await?;
            desk.out
                .done(&view(&made), &format!("created the webhook {}", made.id))?;
        }
        Command::List => {
            let all = webhooks::list(app, tenant).await?;
            let head = ["ID", "URL", "EVENTS", "ENABLED", "TYPE"];
            desk.out.list(all.iter().map(view), &head, all.iter().map(row))?;
        }
        Command::Show { id } => {
            let webhook = webhooks::get(app, tenant, &id).await?;
            let deliveries = webhooks::deliveries(app, tenant, &id).await?;
            let mut json = view(&webhook);
            json["deliveries"] = deliveries.iter().map(delivery).collect();
            desk.out.one(&json, &fields(&webhook, &deliveries))?;
        }
        Command::Update {
            id,
            url,
            events,
            enable,
            more,
        } => {
            let mut change = Change {
                url,
                events: (!events.is_empty()).then_some(events),
                ..more.into_change()?
            };
            if enable {
                change.enabled = Some(true);
            }
            let webhook = webhooks::update(app, tenant, &id, change).await?;
            desk.out.done(&view(&webhook), &format!("changed the webhook {id}"))?;
        }
        Command::Delete { id } => {
            let rest = webhooks::delete(app, tenant, &id).await?;
            let sentence = format!("deleted the webhook {id}; {} remain", rest.len());
            desk.out.done(&json!({ "id": id, "deleted": true }), &sentence)?;
        }
        Command::Redeliver { delivery } => {
            webhooks::redeliver(app, tenant, &delivery).await?;
            let sentence = format!("the delivery {delivery} is due now; a running server sends it");
            desk.out
                .done(&json!({ "id": delivery, "redelivered": true }), &sentence)?;
        }
    }
    Ok(())
}

fn events(webhook: &Webhook) -> Vec<&'static str> {
    webhook.events.iter().map(|kind| kind.as_str()).collect()
}

/// A webhook without the values of its headers.
fn view(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "url": webhook.url,
        "events": events(webhook),
        "enabled": webhook.enabled,
        "type": WebhookType::of(&webhook.body),
        "method": webhook.method,
        "headers": webhook.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "description": webhook.description,
        "group": webhook.group,
        "created_at": webhook.created_at.iso(),
        "updated_at": webhook.updated_at.iso(),
    })
}

fn type_word(webhook: &Webhook) -> &'static str {
    match WebhookType::of(&webhook.body) {
        WebhookType::Default => "default",
        WebhookType::Slack => "slack",
        WebhookType::Custom => "custom",
    }
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn row(webhook: &Webhook) -> [String; 5] {
    [
        webhook.id.to_string(),
        webhook.url.clone(),
        events(webhook).join(", "),
        yes_or_no(webhook.enabled),
        type_word(webhook).to_owned(),
    ]
}

const fn standing(state: DeliveryState) -> (&'static str, Timestamp) {
    match state {
        DeliveryState::Waiting { until } => ("waiting", until),
        DeliveryState::Delivered { at } => ("delivered", at),
        DeliveryState::GaveUp { at } => ("gave_up", at),
    }
}

fn delivery(delivery: &Delivery) -> Value {
    let (state, at) = standing(delivery.state);
    json!({
        "id": delivery.id,
        "event_id": delivery.event,
        "event": delivery.kind.as_str(),
        "linked_account_id": delivery.linked_account_id,
        "slug": delivery.slug,
        "created_at": delivery.created_at.iso(),
        "state": state,
        "at": json_time(Some(at)),
        "attempts": delivery.attempts,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    })
}

fn fields(webhook: &Webhook, deliveries: &[Delivery]) -> Vec<(&'static str, String)> {
    let line = |one: &Delivery| {
        let (state, at) = standing(one.state);
        let wrong = one.last_error.as_deref().unwrap_or_default();
        format!(
            "{}  {}  {} / {}  {state} {}  {} attempts  {wrong}",
            one.id,
            one.kind.as_str(),
            one.linked_account_id,
            one.slug,
            time(Some(at)),
            one.attempts
        )
    };
    let mut fields = vec![
        ("id", webhook.id.to_string()),
        ("url", webhook.url.clone()),
        ("events", events(webhook).join(", ")),
        ("enabled", yes_or_no(webhook.enabled)),
        ("type", type_word(webhook).to_owned()),
        ("method", webhook.method.as_str().to_owned()),
        ("description", or_dash(webhook.description.as_deref())),
        ("group", or_dash(webhook.group.as_deref())),
        ("created", webhook.created_at.iso()),
    ];
    fields.extend(deliveries.iter().map(|one| ("delivery", line(one))));
    fields
}
