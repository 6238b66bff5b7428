//! Who is asking, and what they sent. A handler that names one of these in its signature is authorised by it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::app::App;
use crate::error::Error;
use crate::tenants::{self, ApiKey, Scope, Tenant};

/// A caller with an API key: the team's back end.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The one environment that the key belongs to.
    pub tenant: Tenant,
    /// The key.
    pub key: ApiKey,
}

impl Admin {
    /// Demands a scope beyond the one that the method implies.
    pub fn demand(&self, scope: Scope) -> Result<(), Error> {
        if self.key.scopes.has(scope) {
            Ok(())
        } else {
            Err(Error::ScopeLacking(scope.as_str()))
        }
    }
}

/// Reading demands `read`, everything else `write`.
impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let value = header(parts, "x-api-key").ok_or(Error::InvalidApiKey)?;
        let key = tenants::authenticate(app, value).await?;
        let admin = Self {
            tenant: key.tenant.clone(),
            key,
        };
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        admin.demand(if reads { Scope::Read } else { Scope::Write })?;
        Ok(admin)
    }
}

/// A JSON body, whatever its declared content type; an empty one reads as `{}` (contract section 1, rule 5).
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Error::invalid("the body is too large or was cut off; at most 256 KiB are read"))?;
        let text: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) {
            b"{}"
        } else {
            &bytes
        };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            Error::invalid(format!(
                "the body is not the JSON that is wanted here: {}",
                without_values(&error)
            ))
            .into()
        })
    }
}

/// What serde says, without quoting values: a caller's secret does not belong in a message.
fn without_values(error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            let text = error.to_string();
            let shown = if text.starts_with("missing field") || text.starts_with("unknown field") {
                text.split(" at line").next().unwrap_or_default().to_owned()
            } else {
                text.split("expected").nth(1).map_or_else(
                    || "a value is not of the wanted type".to_owned(),
                    |wanted| format!("expected{}", wanted.split(" at line").next().unwrap_or_default()),
                )
            };
            format!("{shown} ({place})")
        }
        _ => format!("it is malformed ({place})"),
    }
}

/// The value of a header, if it is text.
pub(super) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
        .filter(|value| !value.is_empty())
}
