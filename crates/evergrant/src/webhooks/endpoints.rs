//! The webhooks' SQL. Header values are sealed; the caller brings the tenant's [`Sealer`].

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::model::{EventKind, Method, Webhook};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{TenantId, WebhookId};
use crate::secret::Secret;
use crate::vault::{Place, Sealed, Sealer};

const TABLE: &str = "webhooks";

const INSERT: &str = "INSERT INTO webhooks (tenant, id, url, events, enabled, body, sealed_headers, method, slug, \
    workflow_ids, description, webhook_description, group_name, updated_at, version, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// Adds a webhook.
pub async fn insert(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    sealer: &Sealer,
    webhook: &Webhook,
) -> Result<(), Error> {
    written(INSERT, tenant, sealer, webhook)?
        .bind(webhook.version)
        .bind(webhook.created_at.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

const PUT: &str = "UPDATE webhooks SET url = $3, events = $4, enabled = $5, body = $6, sealed_headers = $7, \
    method = $8, slug = $9, workflow_ids = $10, description = $11, webhook_description = $12, group_name = $13, \
    updated_at = $14 WHERE tenant = $1 AND id = $2";

/// Writes back what [`take`] gave.
pub async fn put(conn: &mut AnyConnection, tenant: &TenantId, sealer: &Sealer, webhook: &Webhook) -> Result<(), Error> {
    written(PUT, tenant, sealer, webhook)?.execute(conn).await?;
    Ok(())
}

type Query<'a> = sqlx::query::Query<'a, sqlx::Any, sqlx::any::AnyArguments>;

/// The columns that [`insert`] and [`put`] share, in one order.
fn written<'a>(
    sql: &'static str,
    tenant: &TenantId,
    sealer: &Sealer,
    webhook: &'a Webhook,
) -> Result<Query<'a>, Error> {
    let events: Vec<&str> = webhook.events.iter().map(|kind| kind.as_str()).collect();
    let headers = seal_headers(sealer, webhook)?;
    Ok(sqlx::query(sql)
        .bind(tenant.to_string())
        .bind(webhook.id.as_str())
        .bind(webhook.url.as_str())
        .bind(serde_json::Value::from(events).to_string())
        .bind(i64::from(webhook.enabled))
        .bind(webhook.body.to_string())
        .bind(headers.map(|sealed| sealed.as_bytes().to_vec()))
        .bind(webhook.method.as_str())
        .bind(webhook.slug.as_deref())
        .bind(serde_json::Value::from(webhook.workflow_ids.clone()).to_string())
        .bind(webhook.description.as_deref())
        .bind(webhook.webhook_description.as_deref())
        .bind(webhook.group.as_deref())
        .bind(webhook.updated_at.as_millis()))
}

const LIST: &str = "SELECT id, url, events, enabled, body, sealed_headers, method, slug, workflow_ids, description, \
    webhook_description, group_name, version, created_at, updated_at FROM webhooks WHERE tenant = $1 \
    ORDER BY created_at, id";

/// An environment's webhooks, the oldest first.
pub async fn list(conn: &mut AnyConnection, tenant: &TenantId, sealer: &Sealer) -> Result<Vec<Webhook>, Error> {
    let rows = sqlx::query(LIST).bind(tenant.as_str()).fetch_all(conn).await?;
    rows.iter().map(|row| webhook(row, sealer)).collect()
}

const GET: &str = "SELECT id, url, events, enabled, body, sealed_headers, method, slug, workflow_ids, description, \
    webhook_description, group_name, version, created_at, updated_at FROM webhooks WHERE tenant = $1 AND id = $2";

/// One webhook.
pub async fn get(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    sealer: &Sealer,
    id: &WebhookId,
) -> Result<Option<Webhook>, Error> {
    let row = sqlx::query(GET)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(|row| webhook(row, sealer)).transpose()
}

const TAKE: &str = "UPDATE webhooks SET version = version + 1 WHERE tenant = $1 AND id = $2";

/// One webhook, to be changed: nobody else can change it until the transaction ends, so that no change is lost.
pub async fn take(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    sealer: &Sealer,
    id: &WebhookId,
) -> Result<Option<Webhook>, Error> {
    sqlx::query(TAKE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(&mut *conn)
        .await?;
    get(conn, tenant, sealer, id).await
}

const DELETE_DELIVERIES: &str = "DELETE FROM deliveries WHERE tenant = $1 AND webhook = $2";
const DELETE: &str = "DELETE FROM webhooks WHERE tenant = $1 AND id = $2";

/// Removes a webhook and its deliveries; says whether there was one. A delivery that is appended at the same moment
/// may stay behind: nothing claims it, and it goes with its event.
pub async fn delete(conn: &mut AnyConnection, tenant: &TenantId, id: &WebhookId) -> Result<bool, Error> {
    sqlx::query(DELETE_DELIVERIES)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query(DELETE)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn place(id: &str) -> Place<'_> {
    Place {
        table: TABLE,
        id,
        column: "sealed_headers",
    }
}

fn seal_headers(sealer: &Sealer, webhook: &Webhook) -> Result<Option<Sealed>, Error> {
    if webhook.headers.is_empty() {
        return Ok(None);
    }
    let plain: Vec<(&str, &str)> = webhook
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let text = serde_json::to_vec(&plain).map_err(|_| Error::Internal("headers are texts"))?;
    let text = crate::secret::SecretBytes::new(text);
    Ok(Some(sealer.seal(place(webhook.id.as_str()), text.expose())))
}

fn open_headers(sealer: &Sealer, id: &str, sealed: Option<Vec<u8>>) -> Result<Vec<(String, Secret)>, Error> {
    let Some(sealed) = sealed else { return Ok(Vec::new()) };
    let plain = sealer.open(place(id), &Sealed::from_bytes(sealed))?;
    let pairs: Vec<(String, String)> = serde_json::from_slice(plain.expose()).map_err(|_| corrupt(id))?;
    Ok(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
}

fn corrupt(id: &str) -> Error {
    Error::Corrupt {
        table: TABLE,
        id: id.to_owned(),
    }
}

fn webhook(row: &AnyRow, sealer: &Sealer) -> Result<Webhook, Error> {
    let id: String = row.try_get(0)?;
    let (events, body): (String, String) = (row.try_get(2)?, row.try_get(4)?);
    let (method, workflow_ids): (String, String) = (row.try_get(6)?, row.try_get(8)?);
    Ok(Webhook {
        url: row.try_get(1)?,
        events: event_list(&events).ok_or_else(|| corrupt(&id))?,
        enabled: row.try_get::<i64, _>(3)? != 0,
        body: serde_json::from_str(&body).map_err(|_| corrupt(&id))?,
        headers: open_headers(sealer, &id, row.try_get(5)?)?,
        method: Method::parse(&method).ok_or_else(|| corrupt(&id))?,
        slug: row.try_get(7)?,
        workflow_ids: serde_json::from_str(&workflow_ids).map_err(|_| corrupt(&id))?,
        description: row.try_get(9)?,
        webhook_description: row.try_get(10)?,
        group: row.try_get(11)?,
        version: row.try_get(12)?,
        created_at: Timestamp::from_millis(row.try_get(13)?),
        updated_at: Timestamp::from_millis(row.try_get(14)?),
        id: WebhookId::trusted(id),
    })
}

/// Reads a stored list of event names.
pub(super) fn event_list(text: &str) -> Option<Vec<EventKind>> {
    let names: Vec<String> = serde_json::from_str(text).ok()?;
    names.iter().map(|name| EventKind::parse(name)).collect()
}
