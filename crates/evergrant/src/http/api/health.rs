//! Whether the server lives, whether it can work, and what it offers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::error::{ApiError, ErrorBody};

/// The answer of the health routes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, always: anything else is an error.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The version of the program.
    pub version: &'static str,
}

const OK: Health = Health {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
};

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(OK)
}

/// The process can work: its database answers.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = Health), (status = 500, body = ErrorBody)))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.db.ping().await?;
    Ok(Json(OK))
}

/// This API's OpenAPI document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "the document")))]
pub async fn openapi_json() -> Json<utoipa::openapi::OpenApi> {
    Json(crate::http::document())
}
