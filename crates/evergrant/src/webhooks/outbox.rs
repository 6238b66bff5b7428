//! Events and deliveries: their SQL.
//!
//! A delivery waits while `next_try_at` is set; it is claimed by lease and fence, and settled by whoever holds the
//! fence. A worker whose lease has lapsed changes nothing any more.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::endpoints::event_list;
use super::model::{Delivery, DeliveryState, Event, EventKind, WebhookType};
use super::template::{Values, as_slack_text, escaped_for_slack};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::{ConnectionId, DeliveryId, EventId, TenantId, WebhookId};
use crate::tenants::Tenant;

const INSERT_EVENT: &str = "INSERT INTO events \
    (id, tenant, connection, event, linked_account_id, linked_account_name, slug, body, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Records that something has become so, and that each webhook which wants to know is to be told.
///
/// To be called in the transaction that makes it so; once for each transition.
pub async fn append(conn: &mut AnyConnection, tenant: &Tenant, event: &Event) -> Result<EventId, Error> {
    let id = EventId::new(event.at);
    // Only what tells of a broken connection says where to repair it.
    let mark = (event.kind == EventKind::ConnectionExpired).then_some(&id);
    let body = event.body(tenant, mark);
    sqlx::query(INSERT_EVENT)
        .bind(id.as_str())
        .bind(tenant.id.as_str())
        .bind(event.about.connection().map_or("", |id| id.as_str()))
        .bind(event.kind.as_str())
        .bind(event.about.linked_account_id())
        .bind(event.about.name())
        .bind(&event.slug)
        .bind(&body)
        .bind(event.at.as_millis())
        .execute(&mut *conn)
        .await?;
    for (webhook, template) in listeners(conn, tenant, event).await? {
        let rendered = rendered(event, &body, &template)?;
        insert_delivery(conn, tenant, (&id, &webhook), rendered.as_deref(), event.at).await?;
    }
    Ok(id)
}

const LISTENERS: &str = "SELECT id, events, body FROM webhooks \
    WHERE tenant = $1 AND enabled = 1 AND (slug IS NULL OR slug = $2) ORDER BY id";

/// The enabled webhooks that want this event, each with its template.
async fn listeners(conn: &mut AnyConnection, tenant: &Tenant, event: &Event) -> Result<Vec<(WebhookId, Value)>, Error> {
    let rows = sqlx::query(LISTENERS)
        .bind(tenant.id.as_str())
        .bind(&event.slug)
        .fetch_all(conn)
        .await?;
    let mut found = Vec::new();
    for row in &rows {
        let (id, events, body): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        match (event_list(&events), serde_json::from_str(&body)) {
            (Some(events), Ok(template)) if events.contains(&event.kind) => {
                found.push((WebhookId::trusted(id), template));
            }
            (Some(_), Ok(_)) => {}
            // What has become so must not be lost because somebody edited a webhook's row by hand.
            _ => tracing::error!(webhook = id, "the row of a webhook makes no sense; it is told nothing"),
        }
    }
    Ok(found)
}

/// What a template makes of an event; nothing where that is the event itself.
fn rendered(event: &Event, body: &str, template: &Value) -> Result<Option<String>, Error> {
    if *template == WebhookType::Default.template() {
        return Ok(None);
    }
    let event_value = serde_json::from_str(body).map_err(|_| Error::Internal("an event's body is JSON"))?;
    let name = event.about.name().unwrap_or(event.about.linked_account_id());
    let filled = |event: &Value, linked_account_name: &str| {
        let values = Values {
            event,
            linked_account_name,
        };
        values.fill(template).to_string()
    };
    Ok(Some(match WebhookType::of(template) {
        WebhookType::Slack => filled(&as_slack_text(&event_value), &escaped_for_slack(name)),
        WebhookType::Default | WebhookType::Custom => filled(&event_value, name),
    }))
}

const INSERT_DELIVERY: &str = "INSERT INTO deliveries (id, tenant, event, webhook, body, attempts, fence, next_try_at) \
    VALUES ($1, $2, $3, $4, $5, 0, 0, $6)";

async fn insert_delivery(
    conn: &mut AnyConnection,
    tenant: &Tenant,
    (event, webhook): (&EventId, &WebhookId),
    body: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT_DELIVERY)
        .bind(DeliveryId::new(now).as_str())
        .bind(tenant.id.as_str())
        .bind(event.as_str())
        .bind(webhook.as_str())
        .bind(body)
        .bind(now.as_millis())
        .execute(conn)
        .await?;
    Ok(())
}

/// The proof of holding a delivery, and what is needed to send it.
#[derive(Debug)]
pub struct Claim {
    /// Which delivery.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is told.
    pub event: EventId,
    /// To whom.
    pub webhook: WebhookId,
    /// What to send, where it is not the event's own body.
    pub body: Option<String>,
    /// How many times it has been sent before.
    pub attempts: i64,
    fence: i64,
}

// All tenants in turn, within each all its webhooks in turn, and within each of those the oldest first: neither a receiver
// that hangs nor a tenant with a hundred of them may hold up the others. The condition is repeated outside, where
// PostgreSQL checks it again after waiting for a row.
const CLAIM: &str = "\
    UPDATE deliveries SET fence = fence + 1, lease_until = $1 \
    WHERE id IN (SELECT id FROM ( \
        SELECT id, next_try_at, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY turn, next_try_at, id) AS place FROM ( \
          SELECT d.id, d.tenant, d.next_try_at, \
            ROW_NUMBER() OVER (PARTITION BY d.webhook ORDER BY d.next_try_at, d.id) AS turn \
          FROM deliveries d JOIN webhooks w ON w.id = d.webhook \
          WHERE d.next_try_at <= $2 AND (d.lease_until IS NULL OR d.lease_until <= $2) AND w.enabled = 1 \
        ) in_turn \
      ) due ORDER BY place, next_try_at LIMIT $3) \
      AND next_try_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) \
    RETURNING id, tenant, event, webhook, body, attempts, fence";

/// Takes up to `most` deliveries that are due, of all tenants, and holds them until `lease_until`.
pub async fn claim_due(
    conn: &mut AnyConnection,
    now: Timestamp,
    lease_until: Timestamp,
    most: usize,
) -> Result<Vec<Claim>, Error> {
    let rows = sqlx::query(CLAIM)
        .bind(lease_until.as_millis())
        .bind(now.as_millis())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    let claim = |row: &AnyRow| {
        Ok(Claim {
            id: DeliveryId::trusted(row.try_get(0)?),
            tenant: TenantId::trusted(row.try_get(1)?),
            event: EventId::trusted(row.try_get(2)?),
            webhook: WebhookId::trusted(row.try_get(3)?),
            body: row.try_get(4)?,
            attempts: row.try_get(5)?,
            fence: row.try_get(6)?,
        })
    };
    rows.iter().map(claim).collect()
}

const EVENT: &str = "SELECT body, COALESCE(linked_account_name, linked_account_id), event, connection, created_at \
    FROM events WHERE tenant = $1 AND id = $2";

/// An event as it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Its body, with a mark where the address of a re-auth link belongs.
    pub body: String,
    /// The customer's name.
    pub name: String,
    /// Which connection broke, and when, where that is the news.
    pub broken: Option<(ConnectionId, Timestamp)>,
}

/// An event.
pub async fn event(conn: &mut AnyConnection, tenant: &TenantId, id: &EventId) -> Result<Option<Told>, Error> {
    let row = sqlx::query(EVENT)
        .bind(tenant.as_str())
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let kind: String = row.try_get(2)?;
    let broken = (kind == EventKind::ConnectionExpired.as_str()).then_some((row.try_get(3)?, row.try_get(4)?));
    Ok(Some(Told {
        body: row.try_get(0)?,
        name: row.try_get(1)?,
        broken: broken.map(|(id, at)| (ConnectionId::trusted(id), Timestamp::from_millis(at))),
    }))
}

/// What becomes of a claimed delivery.
#[derive(Debug, PartialEq)]
pub struct Settled {
    /// How many times it has been sent now.
    pub attempts: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// The HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// What was wrong.
    pub last_error: Option<String>,
}

const SETTLE: &str = "UPDATE deliveries SET lease_until = NULL, attempts = $1, next_try_at = $2, delivered_at = $3, \
    gave_up_at = $4, last_status = $5, last_error = $6 WHERE tenant = $7 AND id = $8 AND fence = $9";

/// Records what became of a delivery and lets go of it; says whether it was still held, and there.
pub async fn settle(conn: &mut AnyConnection, claim: &Claim, settled: &Settled) -> Result<bool, Error> {
    let (waiting, delivered, gave_up) = match settled.state {
        DeliveryState::Waiting { until } => (Some(until), None, None),
        DeliveryState::Delivered { at } => (None, Some(at), None),
        DeliveryState::GaveUp { at } => (None, None, Some(at)),
    };
    let done = sqlx::query(SETTLE)
        .bind(settled.attempts)
        .bind(waiting.map(Timestamp::as_millis))
        .bind(delivered.map(Timestamp::as_millis))
        .bind(gave_up.map(Timestamp::as_millis))
        .bind(settled.last_status.map(i64::from))
        .bind(settled.last_error.as_deref())
        .bind(claim.tenant.as_str())
        .bind(claim.id.as_str())
        .bind(claim.fence)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const DELIVERIES: &str = "SELECT d.id, d.event, e.event, e.linked_account_id, e.slug, e.created_at, d.attempts, \
    d.next_try_at, d.delivered_at, d.gave_up_at, d.last_status, d.last_error \
    FROM deliveries d JOIN events e ON e.id = d.event WHERE d.tenant = $1 AND d.webhook = $2 \
    ORDER BY d.id DESC LIMIT $3";

/// A webhook's deliveries, the newest first.
pub async fn deliveries(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    webhook: &WebhookId,
    most: u32,
) -> Result<Vec<Delivery>, Error> {
    let rows = sqlx::query(DELIVERIES)
        .bind(tenant.as_str())
        .bind(webhook.as_str())
        .bind(i64::from(most))
        .fetch_all(conn)
        .await?;
    rows.iter().map(delivery).collect()
}

fn delivery(row: &AnyRow) -> Result<Delivery, Error> {
    let (id, kind): (String, String) = (row.try_get(0)?, row.try_get(2)?);
    let corrupt = || Error::Corrupt {
        table: "deliveries",
        id: id.clone(),
    };
    let at = |column: usize| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
    let state = match (at(7)?, at(8)?, at(9)?) {
        (Some(until), None, None) => DeliveryState::Waiting { until },
        (None, Some(at), None) => DeliveryState::Delivered { at },
        (None, None, Some(at)) => DeliveryState::GaveUp { at },
        _ => return Err(corrupt()),
    };
    Ok(Delivery {
        id: DeliveryId::trusted(id.clone()),
        event: EventId::trusted(row.try_get(1)?),
        kind: EventKind::parse(&kind).ok_or_else(corrupt)?,
        linked_account_id: row.try_get(3)?,
        slug: row.try_get(4)?,
        created_at: Timestamp::from_millis(row.try_get(5)?),
        attempts: row.try_get(6)?,
        state,
        last_status: row.try_get(10)?,
        last_error: row.try_get(11)?,
    })
}

const REDELIVER: &str = "UPDATE deliveries SET attempts = 0, fence = fence + 1, lease_until = NULL, next_try_at = $1, \
    delivered_at = NULL, gave_up_at = NULL \
    WHERE tenant = $2 AND id = $3 AND (lease_until IS NULL OR lease_until <= $1)";

/// Makes a delivery due again with the whole schedule before it, unless it is being sent; says whether it did.
pub async fn redeliver(
    conn: &mut AnyConnection,
    tenant: &TenantId,
    id: &DeliveryId,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(REDELIVER)
        .bind(now.as_millis())
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

const OVERDUE: &str = "SELECT COUNT(*) FROM deliveries d JOIN webhooks w ON w.tenant = d.tenant AND w.id = d.webhook \
    WHERE d.next_try_at IS NOT NULL AND d.next_try_at <= $1 AND w.enabled = 1";

/// How many deliveries, over all tenants, have been due since `before` to webhooks that are enabled.
pub async fn overdue_of_all_tenants(conn: &mut AnyConnection, before: Timestamp) -> Result<i64, Error> {
    let row = sqlx::query(OVERDUE).bind(before.as_millis()).fetch_one(conn).await?;
    Ok(row.try_get(0)?)
}

const PURGE: &str = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created_at < $1 LIMIT $2)";

/// Removes up to `most` events from before `before`, of all tenants, with their deliveries; says how many.
pub async fn purge_events(conn: &mut AnyConnection, before: Timestamp, most: u32) -> Result<u64, Error> {
    let done = sqlx::query(PURGE)
        .bind(before.as_millis())
        .bind(i64::from(most))
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
