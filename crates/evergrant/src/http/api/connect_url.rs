//! The address of the hosted page, and its properties (contract, section 10).

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use url::form_urlencoded::byte_serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::error::Error;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::extract::{AnyAccount, Bearer, JsonText, Params, SessionAccount};
use crate::sessions::{self, Wanted};

/// What the page is about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConnectQuery {
    /// Carried along in the address.
    config_id: Option<String>,
}

/// Properties of the hosted page. All are optional, and more are kept as they are.
#[derive(Debug, ToSchema)]
pub struct PropertiesBody {
    /// A CSS colour.
    #[schema(example = "#1f6feb")]
    pub color: Option<String>,
    /// A CSS colour.
    #[serde(rename = "bgColor")]
    pub bg_color: Option<String>,
    /// A CSS colour.
    pub base_color: Option<String>,
    /// A CSS colour.
    pub button_color: Option<String>,
    /// A text of at most 100 characters.
    pub name: Option<String>,
    /// An address whose origin is registered for the environment.
    pub redirect_url: Option<String>,
    /// `de`, `en`, `es`, `fr` or `ja`: the page's language, unless its reader has chosen another.
    pub lang: Option<String>,
}

/// Where the page is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostedUrl {
    /// Opens the page for this account; it holds a session token.
    hosted_url: String,
}

/// The address of a page on which the customer connects and repairs, with the properties it is to show.
#[utoipa::path(post, path = "/api/v2/public/connect-url", tag = "sessions", params(ConnectQuery),
    request_body = PropertiesBody, security(("session" = []), ("api_key" = [], "linked_account" = [])),
    responses((status = 200, body = HostedUrl), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create(
    State(app): State<App>,
    AnyAccount(on): AnyAccount,
    bearer: Result<Bearer, ApiError>,
    Params(query): Params<ConnectQuery>,
    JsonText(properties): JsonText,
) -> Result<Json<HostedUrl>, ApiError> {
    let (session, token) = if let Some(session) = on.session {
        (session, bearer?.0)
    } else {
        let issued = sessions::issue(&app, &on.tenant, &on.account, Wanted::default()).await?;
        (issued.id, issued.token)
    };
    sessions::put_properties(&app, &on.tenant, &session, &properties).await?;
    let mut hosted_url = app.url(&format!("/connect/{}", token.expose()));
    if let Some(config_id) = query.config_id.filter(|id| !id.is_empty()) {
        hosted_url.push_str("?config_id=");
        hosted_url.extend(byte_serialize(config_id.as_bytes()));
    }
    Ok(Json(HostedUrl { hosted_url }))
}

/// The properties of the session's hosted page, as they were sent; `{}` where there are none.
#[utoipa::path(get, path = "/api/v2/public/hosted-properties", tag = "sessions", security(("session" = [])),
    responses((status = 200, body = HashMap<String, serde_json::Value>), (status = 401, body = ErrorBody)))]
pub async fn properties(
    State(app): State<App>,
    SessionAccount(caller): SessionAccount,
) -> Result<impl IntoResponse, ApiError> {
    let session = caller.session.ok_or(Error::InvalidSessionToken)?;
    let text = sessions::properties(&app, &caller.tenant.id, &session).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text))
}
