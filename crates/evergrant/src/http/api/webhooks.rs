//! Webhooks of an environment (contract, sections 13.1 and 13.2). An API key is needed; a session token will not do.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody};
use crate::ids::WebhookId;
use crate::tenants::{Scope, Tenant};
use crate::webhooks::{self, Change, Method, Webhook, WebhookType};

/// A webhook as it is created or changed; on a change, only the fields that are sent change.
#[derive(Deserialize, ToSchema)]
pub struct WebhookRequest {
    /// Where events are sent; required on creation.
    #[schema(max_length = 2048, pattern = "^https?://", example = "https://hooks.example/cobalt")]
    webhook_url: Option<String>,
    /// Another name of `webhook_url`.
    url: Option<String>,
    /// Which events; at least one on creation.
    #[schema(example = json!(["Connection Expired"]))]
    webhook_events: Option<Vec<String>>,
    /// Another name of `webhook_events`.
    events: Option<Vec<String>>,
    /// Nothing is sent while this is false.
    is_enabled: Option<bool>,
    /// On a change, `webhook_body` is taken only together with `custom`.
    #[schema(inline)]
    webhook_type: Option<WebhookType>,
    /// The template of the body; `{{event}}` alone is the event itself.
    webhook_body: Option<Value>,
    /// Extra request headers with templates as values; replaces all of them.
    webhook_headers: Option<BTreeMap<String, String>>,
    /// How events are sent.
    #[schema(inline)]
    method: Option<Method>,
    /// Only events of this application; then, only workflow events can be named. Empty clears.
    slug: Option<String>,
    /// Only events of these workflows.
    workflow_ids: Option<Vec<String>>,
    /// Your own words. Empty clears.
    description: Option<String>,
    /// Your own words. Empty clears.
    webhook_description: Option<String>,
    /// What you file it under. Empty clears.
    group: Option<String>,
}

impl From<WebhookRequest> for Change {
    fn from(sent: WebhookRequest) -> Self {
        Self {
            url: sent.webhook_url.or(sent.url),
            events: sent.webhook_events.or(sent.events),
            enabled: sent.is_enabled,
            kind: sent.webhook_type,
            body: sent.webhook_body,
            headers: sent
                .webhook_headers
                .map(|all| all.into_iter().map(|(name, value)| (name, value.into())).collect()),
            method: sent.method,
            slug: sent.slug,
            workflow_ids: sent.workflow_ids,
            description: sent.description,
            webhook_description: sent.webhook_description,
            group: sent.group,
        }
    }
}

/// A webhook.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    /// Its id: 24 hexadecimal characters.
    #[serde(rename = "_id")]
    id: String,
    /// The organisation.
    org_id: String,
    /// `test` or `production`.
    environment: &'static str,
    /// Whether anything is sent.
    is_enabled: bool,
    /// Which events, in the spaced spelling.
    webhook_events: Vec<&'static str>,
    /// Only events of these workflows.
    workflow_ids: Vec<String>,
    /// Where events are sent.
    webhook_url: String,
    /// The template of the body.
    webhook_body: Value,
    /// Extra request headers. The one place where their values are shown, and only to a key with `write`; to others each reads
    /// `[redacted]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    webhook_headers: BTreeMap<String, String>,
    // No doc comments here: utoipa would add a second, contradicting type to an inlined schema that has one.
    #[schema(inline)]
    method: Method,
    #[schema(inline)]
    webhook_type: WebhookType,
    /// Only events of this application.
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<String>,
    /// Your own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Your own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_description: Option<String>,
    /// What you file it under.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// When it was made, ISO 8601.
    #[serde(rename = "createdAt")]
    created_at: String,
    /// When it was last changed, ISO 8601.
    #[serde(rename = "updatedAt")]
    updated_at: String,
    /// Counts changes.
    #[serde(rename = "__v")]
    version: i64,
}

impl WebhookView {
    fn new(tenant: &Tenant, webhook: Webhook) -> Self {
        let headers = webhook.headers.iter();
        Self {
            id: webhook.id.to_string(),
            org_id: tenant.org.to_string(),
            environment: tenant.environment.as_str(),
            is_enabled: webhook.enabled,
            webhook_events: webhook.events.iter().map(|kind| kind.as_str()).collect(),
            workflow_ids: webhook.workflow_ids,
            webhook_url: webhook.url,
            webhook_type: WebhookType::of(&webhook.body),
            webhook_body: webhook.body,
            webhook_headers: headers
                .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                .collect(),
            method: webhook.method,
            slug: webhook.slug,
            description: webhook.description,
            webhook_description: webhook.webhook_description,
            group: webhook.group,
            created_at: webhook.created_at.iso(),
            updated_at: webhook.updated_at.iso(),
            version: webhook.version,
        }
    }

    /// The same without the values of headers, which may be a receiver's token, where the key could not have set them.
    fn shown_to(mut self, admin: &Admin) -> Self {
        if !admin.key.scopes.has(Scope::Write) {
            self.webhook_headers
                .values_mut()
                .for_each(|value| "[redacted]".clone_into(value));
        }
        self
    }

    fn all(tenant: &Tenant, webhooks: Vec<Webhook>) -> Json<Vec<Self>> {
        Json(webhooks.into_iter().map(|webhook| Self::new(tenant, webhook)).collect())
    }
}

/// What deleting without an id answers.
#[derive(Serialize, ToSchema)]
pub struct DeletedWebhook {
    /// What happened.
    message: &'static str,
    /// Always true.
    success: bool,
    /// The webhook that is gone.
    #[serde(flatten)]
    webhook: WebhookView,
}

/// Which webhooks go into which group.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupRequest {
    /// The webhooks, by id.
    #[schema(required, min_items = 1)]
    webhook_ids: Option<Vec<String>>,
    /// The group; empty or left out clears it.
    group: Option<String>,
}

/// Events to subscribe to or to unsubscribe from; at least one, under any of the three names.
#[derive(Deserialize, ToSchema)]
pub struct SubscriptionRequest {
    /// Events to add or to remove.
    webhook_events: Option<Vec<String>>,
    /// Another name of `webhook_events`.
    events: Option<Vec<String>>,
    /// One event.
    webhook_event: Option<String>,
}

impl SubscriptionRequest {
    fn names(self) -> Result<Vec<String>, Error> {
        let mut names = self.webhook_events.or(self.events).unwrap_or_default();
        names.extend(self.webhook_event);
        if names.is_empty() {
            return Err(Error::invalid("webhook_events is required: name at least one event"));
        }
        Ok(names)
    }
}

/// An id that is no id at all is as unknown as any other.
fn webhook_id(path: Result<Path<String>, PathRejection>) -> Result<WebhookId, Error> {
    path.ok()
        .and_then(|Path(id)| id.parse().ok())
        .ok_or_else(webhooks::not_found)
}

/// All webhooks of the environment, the oldest first.
#[utoipa::path(get, path = "/api/v2/public/webhook", tag = "webhooks", security(("api_key" = [])),
    responses((status = 200, body = Vec<WebhookView>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn list(State(app): State<App>, admin: Admin) -> Result<Json<Vec<WebhookView>>, ApiError> {
    let all = webhooks::list(&app, &admin.tenant).await?;
    let shown = |webhook| WebhookView::new(&admin.tenant, webhook).shown_to(&admin);
    Ok(Json(all.into_iter().map(shown).collect()))
}

/// Adds a webhook.
#[utoipa::path(post, path = "/api/v2/public/webhook", tag = "webhooks", security(("api_key" = [])),
    request_body = WebhookRequest,
    responses((status = 200, body = WebhookView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(sent): JsonBody<WebhookRequest>,
) -> Result<Json<WebhookView>, ApiError> {
    let made = webhooks::create(&app, &admin.tenant, sent.into()).await?;
    Ok(Json(WebhookView::new(&admin.tenant, made)))
}

/// Deletes the oldest webhook: from the time when an environment had one.
#[utoipa::path(delete, path = "/api/v2/public/webhook", tag = "webhooks", security(("api_key" = [])),
    responses((status = 200, body = DeletedWebhook), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn delete_oldest(State(app): State<App>, admin: Admin) -> Result<Json<DeletedWebhook>, ApiError> {
    let gone = webhooks::delete_oldest(&app, &admin.tenant).await?;
    Ok(Json(DeletedWebhook {
        message: "Webhook deleted",
        success: true,
        webhook: WebhookView::new(&admin.tenant, gone),
    }))
}

/// One webhook.
#[utoipa::path(get, path = "/api/v2/public/webhook/{id}", tag = "webhooks", security(("api_key" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = WebhookView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn get(
    State(app): State<App>,
    admin: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<WebhookView>, ApiError> {
    let found = webhooks::get(&app, &admin.tenant, &webhook_id(id)?).await?;
    Ok(Json(WebhookView::new(&admin.tenant, found).shown_to(&admin)))
}

/// Changes the fields of a webhook that are sent.
#[utoipa::path(put, path = "/api/v2/public/webhook/{id}", tag = "webhooks", security(("api_key" = [])),
    params(("id" = String, Path)), request_body = WebhookRequest,
    responses((status = 200, body = WebhookView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn update(
    State(app): State<App>,
    admin: Admin,
    id: Result<Path<String>, PathRejection>,
    JsonBody(sent): JsonBody<WebhookRequest>,
) -> Result<Json<WebhookView>, ApiError> {
    let changed = webhooks::update(&app, &admin.tenant, &webhook_id(id)?, sent.into()).await?;
    Ok(Json(WebhookView::new(&admin.tenant, changed)))
}

/// Deletes a webhook with its deliveries; answers with those that remain.
#[utoipa::path(delete, path = "/api/v2/public/webhook/{id}", tag = "webhooks", security(("api_key" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Vec<WebhookView>), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Vec<WebhookView>>, ApiError> {
    let rest = webhooks::delete(&app, &admin.tenant, &webhook_id(id)?).await?;
    Ok(WebhookView::all(&admin.tenant, rest))
}

/// Files webhooks under a group: all of them, or none if one is unknown.
#[utoipa::path(put, path = "/api/v2/public/webhooks/group/edit", tag = "webhooks", security(("api_key" = [])),
    request_body = GroupRequest,
    responses((status = 200, body = Vec<WebhookView>), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn edit_group(
    State(app): State<App>,
    admin: Admin,
    JsonBody(sent): JsonBody<GroupRequest>,
) -> Result<Json<Vec<WebhookView>>, ApiError> {
    let ids = sent.webhook_ids.filter(|ids| !ids.is_empty());
    let ids = ids.ok_or_else(|| Error::invalid("webhookIds is required"))?;
    let ids: Vec<WebhookId> = ids
        .iter()
        .map(|id| id.parse().map_err(|_| webhooks::not_found()))
        .collect::<Result<_, _>>()?;
    let changed = webhooks::edit_group(&app, &admin.tenant, &ids, sent.group).await?;
    Ok(WebhookView::all(&admin.tenant, changed))
}

/// Adds events to the oldest webhook.
#[utoipa::path(post, path = "/api/v2/public/webhook/subscribe", tag = "webhooks", security(("api_key" = [])),
    request_body = SubscriptionRequest,
    responses((status = 200, body = WebhookView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn subscribe(
    State(app): State<App>,
    admin: Admin,
    JsonBody(sent): JsonBody<SubscriptionRequest>,
) -> Result<Json<WebhookView>, ApiError> {
    let changed = webhooks::subscribe(&app, &admin.tenant, &sent.names()?).await?;
    Ok(Json(WebhookView::new(&admin.tenant, changed)))
}

/// Removes events from the oldest webhook.
#[utoipa::path(post, path = "/api/v2/public/webhook/unsubscribe", tag = "webhooks", security(("api_key" = [])),
    request_body = SubscriptionRequest,
    responses((status = 200, body = WebhookView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub async fn unsubscribe(
    State(app): State<App>,
    admin: Admin,
    JsonBody(sent): JsonBody<SubscriptionRequest>,
) -> Result<Json<WebhookView>, ApiError> {
    let changed = webhooks::unsubscribe(&app, &admin.tenant, &sent.names()?).await?;
    Ok(Json(WebhookView::new(&admin.tenant, changed)))
}
