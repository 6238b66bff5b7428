//! What the team does with its webhooks. Each verb is one transaction.

use super::change::{Change, event_kinds};
use super::model::{Delivery, EventKind, KEPT, MAX_WEBHOOKS, Webhook};
use super::{endpoints, outbox};
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Code, Error};
use crate::ids::{DeliveryId, WebhookId};
use crate::tenants::{self, Tenant};
use crate::vault::Sealer;

/// How many deliveries of a webhook are shown.
const SHOWN: u32 = 100;
/// How many events are removed in one transaction: on SQLite everybody else waits for it.
const PURGE_BATCH: u32 = 500;

/// Adds a webhook. Refused while no key of the environment can sign: nothing would ever be sent.
pub async fn create(app: &App, tenant: &Tenant, change: Change) -> Result<Webhook, Error> {
    let webhook = Webhook::new(change, app.now())?;
    if tenants::signing_key(app, tenant).await?.is_none() {
        return Err(Error::invalid(
            "this environment has no signing key, so no webhook could be signed: make one with \
             `evergrant key create --scopes sign`",
        ));
    }
    let sealer = tenants::sealer(app, tenant).await?;
    let mut tx = app.db.begin().await?;
    if endpoints::list(&mut tx, &tenant.id, &sealer).await?.len() >= MAX_WEBHOOKS {
        return Err(Error::invalid(format!(
            "an environment has at most {MAX_WEBHOOKS} webhooks; delete one first"
        )));
    }
    endpoints::insert(&mut tx, &tenant.id, &sealer, &webhook).await?;
    tx.commit().await?;
    Ok(webhook)
}

/// An environment's webhooks, the oldest first.
pub async fn list(app: &App, tenant: &Tenant) -> Result<Vec<Webhook>, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    endpoints::list(&mut *app.db.read().await?, &tenant.id, &sealer).await
}

/// One webhook.
pub async fn get(app: &App, tenant: &Tenant, id: &WebhookId) -> Result<Webhook, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let found = endpoints::get(&mut *app.db.read().await?, &tenant.id, &sealer, id).await?;
    found.ok_or_else(not_found)
}

/// Changes the fields that were sent.
pub async fn update(app: &App, tenant: &Tenant, id: &WebhookId, change: Change) -> Result<Webhook, Error> {
    let mut editor = Editor::open(app, tenant).await?;
    let changed = editor.edit(id, |webhook| webhook.apply(change)).await?;
    editor.tx.commit().await?;
    Ok(changed)
}

/// Files webhooks under a group, or under none: all of them, or none if one is unknown.
pub async fn edit_group(
    app: &App,
    tenant: &Tenant,
    ids: &[WebhookId],
    group: Option<String>,
) -> Result<Vec<Webhook>, Error> {
    let group = Some(group.unwrap_or_default());
    let mut once = ids.to_vec();
    once.sort(); // everybody locks in one order
    once.dedup();
    let mut editor = Editor::open(app, tenant).await?;
    let mut changed = Vec::new();
    for id in &once {
        let change = Change {
            group: group.clone(),
            ..Change::default()
        };
        changed.push(editor.edit(id, |webhook| webhook.apply(change)).await?);
    }
    editor.tx.commit().await?;
    Ok(changed)
}

/// Adds events to the oldest webhook.
pub async fn subscribe(app: &App, tenant: &Tenant, names: &[String]) -> Result<Webhook, Error> {
    let more = event_kinds(names)?;
    edit_oldest(app, tenant, |events| {
        events.iter().chain(&more).copied().collect::<Vec<_>>()
    })
    .await
}

/// Removes events from the oldest webhook.
pub async fn unsubscribe(app: &App, tenant: &Tenant, names: &[String]) -> Result<Webhook, Error> {
    let less = event_kinds(names)?;
    edit_oldest(app, tenant, |events| {
        events.iter().filter(|kind| !less.contains(kind)).copied().collect()
    })
    .await
}

async fn edit_oldest(
    app: &App,
    tenant: &Tenant,
    events: impl FnOnce(&[EventKind]) -> Vec<EventKind>,
) -> Result<Webhook, Error> {
    let mut editor = Editor::open(app, tenant).await?;
    let oldest = editor.oldest().await?.id;
    let change = |webhook: &mut Webhook| {
        let names = events(&webhook.events)
            .iter()
            .map(|kind| kind.as_str().to_owned())
            .collect();
        webhook.apply(Change {
            events: Some(names),
            ..Change::default()
        })
    };
    let changed = editor.edit(&oldest, change).await?;
    editor.tx.commit().await?;
    Ok(changed)
}

/// Removes a webhook with its deliveries; returns those that remain.
pub async fn delete(app: &App, tenant: &Tenant, id: &WebhookId) -> Result<Vec<Webhook>, Error> {
    let sealer = tenants::sealer(app, tenant).await?;
    let mut tx = app.db.begin().await?;
    if !endpoints::delete(&mut tx, &tenant.id, id).await? {
        return Err(not_found());
    }
    let rest = endpoints::list(&mut tx, &tenant.id, &sealer).await?;
    tx.commit().await?;
    Ok(rest)
}

/// Removes the oldest webhook with its deliveries; returns it.
pub async fn delete_oldest(app: &App, tenant: &Tenant) -> Result<Webhook, Error> {
    let mut editor = Editor::open(app, tenant).await?;
    let oldest = editor.oldest().await?;
    endpoints::delete(&mut editor.tx, &tenant.id, &oldest.id).await?;
    editor.tx.commit().await?;
    Ok(oldest)
}

/// A webhook's last deliveries, the newest first.
pub async fn deliveries(app: &App, tenant: &Tenant, id: &WebhookId) -> Result<Vec<Delivery>, Error> {
    get(app, tenant, id).await?;
    outbox::deliveries(&mut *app.db.read().await?, &tenant.id, id, SHOWN).await
}

/// Sends a delivery again, with the whole schedule before it, whether it was given up, delivered or still waits.
pub async fn redeliver(app: &App, tenant: &Tenant, id: &DeliveryId) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    if !outbox::redeliver(&mut tx, &tenant.id, id, app.now()).await? {
        return Err(Error::NotFound("Delivery (or it is being sent just now)"));
    }
    tx.commit().await
}

/// Removes the events of all tenants that are older than [`KEPT`], with their deliveries; says how many.
pub async fn purge(app: &App) -> Result<u64, Error> {
    let before = app.now().before(KEPT);
    let mut removed = 0;
    loop {
        let mut tx = app.db.begin().await?;
        let some = outbox::purge_events(&mut tx, before, PURGE_BATCH).await?;
        tx.commit().await?;
        removed += some;
        if some < u64::from(PURGE_BATCH) {
            return Ok(removed);
        }
    }
}

/// A transaction in which webhooks are changed.
struct Editor<'a> {
    tx: Tx,
    tenant: &'a Tenant,
    sealer: Sealer,
    now: Timestamp,
}

impl<'a> Editor<'a> {
    async fn open(app: &App, tenant: &'a Tenant) -> Result<Self, Error> {
        Ok(Self {
            sealer: tenants::sealer(app, tenant).await?,
            tx: app.db.begin().await?,
            tenant,
            now: app.now(),
        })
    }

    async fn oldest(&mut self) -> Result<Webhook, Error> {
        let all = endpoints::list(&mut self.tx, &self.tenant.id, &self.sealer).await?;
        all.into_iter().next().ok_or_else(not_found)
    }

    async fn edit(
        &mut self,
        id: &WebhookId,
        change: impl FnOnce(&mut Webhook) -> Result<(), Error>,
    ) -> Result<Webhook, Error> {
        let found = endpoints::take(&mut self.tx, &self.tenant.id, &self.sealer, id).await?;
        let mut webhook = found.ok_or_else(not_found)?;
        change(&mut webhook)?;
        webhook.updated_at = self.now;
        endpoints::put(&mut self.tx, &self.tenant.id, &self.sealer, &webhook).await?;
        Ok(webhook)
    }
}

/// An id that is none of this environment's webhooks, be it unknown or another tenant's: 400, as documented.
#[must_use]
pub fn not_found() -> Error {
    Error::Invalid {
        code: Code::ResourceNotFound,
        message: "Webhook not found".to_owned(),
    }
}
