//! Where an application's notices arrive, for the team; and the door itself, for providers.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::application;
use crate::app::App;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{Admin, JsonBody, RawBody, Segment};
use crate::notices::{self, Address, Answer, Heard};
use crate::secret::Secret;

/// An address for notices, without its signing secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticesView {
    slug: String,
    /// What to paste at the provider.
    url: String,
    /// Where to paste it.
    setup: String,
    /// Whether the provider signs with a secret of its own, to be given here; else your OAuth client proves the sender.
    takes_signing_secret: bool,
    /// Whether a signing secret is stored; it is never shown.
    has_signing_secret: bool,
    /// When a verified notice last arrived.
    last_heard_at: Option<String>,
    /// When one was last refused.
    last_refused_at: Option<String>,
    /// Why it was; the sender does not learn it.
    last_refused_for: Option<String>,
    created_at: String,
    updated_at: String,
}

impl NoticesView {
    fn new(app: &App, address: Address) -> Self {
        let application = app.catalog.get(&address.slug);
        let notices = application.and_then(|application| application.notices.as_ref());
        let refused = address.refused.as_ref();
        Self {
            url: app.url(&address.path()),
            setup: notices.map(|notices| notices.setup.clone()).unwrap_or_default(),
            takes_signing_secret: notices.is_some_and(|notices| notices.verified_by.takes_own_secret()),
            has_signing_secret: address.sealed_secret.is_some(),
            last_heard_at: address.heard_at.map(crate::clock::Timestamp::iso),
            last_refused_at: refused.map(|(at, _)| at.iso()),
            last_refused_for: refused.map(|(_, why)| why.clone()),
            created_at: address.created_at.iso(),
            updated_at: address.updated_at.iso(),
            slug: address.slug,
        }
    }
}

/// The signing secret that the provider shows.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "a JSON object")]
pub struct NoticesBody {
    /// Left out where the OAuth client proves the sender, or to make the address first. A replaced one is accepted for
    /// another day.
    signing_secret: Option<String>,
}

/// The address for an application's notices.
#[utoipa::path(get, path = "/api/v2/public/application/{slug}/notices", tag = "notices",
    params(("slug" = String, Path, description = "The application")), security(("api_key" = [])),
    responses((status = 200, body = NoticesView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn get(State(app): State<App>, admin: Admin, Segment(slug): Segment) -> Result<Json<NoticesView>, ApiError> {
    application(&app, &admin.tenant, &slug)?;
    let found = notices::find(&app, &admin.tenant, &slug).await?;
    Ok(Json(NoticesView::new(&app, found)))
}

/// Makes the address for an application's notices, or gives it another signing secret.
#[utoipa::path(put, path = "/api/v2/public/application/{slug}/notices", tag = "notices",
    params(("slug" = String, Path, description = "The application")), request_body = NoticesBody,
    security(("api_key" = [])),
    responses((status = 200, body = NoticesView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn put(
    State(app): State<App>,
    admin: Admin,
    Segment(slug): Segment,
    JsonBody(body): JsonBody<NoticesBody>,
) -> Result<Json<NoticesView>, ApiError> {
    let secret = body.signing_secret.map(Secret::from);
    let made = notices::provide(&app, &admin.tenant, &slug, secret, admin.key.id.as_str()).await?;
    Ok(Json(NoticesView::new(&app, made)))
}

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticesRemoved {
    removed: bool,
}

/// Removes the address: what is sent to it finds nothing any more.
#[utoipa::path(delete, path = "/api/v2/public/application/{slug}/notices", tag = "notices",
    params(("slug" = String, Path, description = "The application")), security(("api_key" = [])),
    responses((status = 200, body = NoticesRemoved), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub async fn remove(
    State(app): State<App>,
    admin: Admin,
    Segment(slug): Segment,
) -> Result<Json<NoticesRemoved>, ApiError> {
    application(&app, &admin.tenant, &slug)?;
    notices::remove(&app, &admin.tenant, &slug, admin.key.id.as_str()).await?;
    Ok(Json(NoticesRemoved { removed: true }))
}

/// `ANY /notices/{id}`: a notice of a provider.
pub async fn hear(
    State(app): State<App>,
    Segment(id): Segment,
    parts: Parts,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let (url, headers) = as_values(&app, &parts);
    let heard = Heard {
        method: parts.method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    Ok(answered(notices::hear(&app, &id, &heard).await?))
}

/// `DELETE /api/v1/{slug}/callback`: a notice of a provider that knows no other address than the callback's.
pub async fn hear_of_client(
    State(app): State<App>,
    Segment(slug): Segment,
    parts: Parts,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let (url, headers) = as_values(&app, &parts);
    let heard = Heard {
        method: parts.method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    Ok(answered(notices::hear_of_client(&app, &slug, &heard).await?))
}

/// The address as the provider knows it, whatever a proxy in front has made of it; and the headers that are text.
fn as_values(app: &App, parts: &Parts) -> (String, Vec<(String, String)>) {
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value
            .to_str()
            .ok()
            .map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    (app.url(path), parts.headers.iter().filter_map(text).collect())
}

/// The result of hearing a notice.
#[derive(Debug, Serialize)]
struct Received {
    received: bool,
}

fn answered(answer: Answer) -> Response {
    let (status, body) = match answer {
        Answer::Received => (StatusCode::OK, Json(Received { received: true }).into_response()),
        Answer::Accepted => (StatusCode::ACCEPTED, ().into_response()),
        Answer::Challenge(value) => (StatusCode::OK, Json(value).into_response()),
    };
    (
        status,
        [("x-content-type-options", "nosniff"), ("cache-control", "no-store")],
        body,
    )
        .into_response()
}
