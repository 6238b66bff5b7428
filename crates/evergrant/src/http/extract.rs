//! Who is asking, and what they sent. A handler that names one of these in its signature is authorised by it.

mod account;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::Method;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

pub use account::{
    Account, AnyAccount, Bearer, Caller, KeyAccount, SessionAccount, WriterAccount, account_header, linked_account_id,
};

use super::error::ApiError;
use crate::app::App;
use crate::error::Error;
use crate::ids::ApiKeyId;
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

/// The caller whose key it is, whatever it may do.
async fn caller(parts: &Parts, app: &App) -> Result<Admin, Error> {
    let value = header(parts, "x-api-key").ok_or(Error::InvalidApiKey)?;
    let key = Arc::unwrap_or_clone(tenants::authenticate(app, value).await?);
    Ok(Admin {
        tenant: key.tenant.clone(),
        key,
    })
}

/// A caller that is given credentials: an API key with the scope `credentials`, whatever else it may do. No session token
/// makes one.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The one environment that the key belongs to.
    pub tenant: Tenant,
    /// The key, for the audit trail.
    pub key: ApiKeyId,
    /// The customer it names, as header or else in the query.
    pub linked_account_id: Option<String>,
}

impl FromRequestParts<App> for Recipient {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let admin = caller(parts, app).await?;
        admin.demand(Scope::Credentials)?;
        Ok(Self {
            tenant: admin.tenant,
            key: admin.key.id,
            linked_account_id: linked_account_id(parts)?,
        })
    }
}

/// Reading demands `read`, everything else `write`.
impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let admin = caller(parts, app).await?;
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
        let bytes = body(request, state).await?;
        // JSON is UTF-8 (RFC 8259, section 8.1), also where serde would skip it.
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::invalid("the body is not UTF-8"))?;
        // serde would read a list as a struct, member by member; every body of this API is an object.
        if !text.trim_start().starts_with('{') {
            return Err(Error::invalid("the body must be a JSON object").into());
        }
        let parsed = serde_json::from_str(text).map(Self);
        Ok(parsed.map_err(|error| not_wanted(&error))?)
    }
}

/// A JSON body word for word; an empty one reads as `{}`.
#[derive(Debug)]
pub struct JsonText(pub String);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = body(request, state).await?;
        serde_json::from_slice::<IgnoredAny>(&bytes).map_err(|error| not_wanted(&error))?;
        let text = String::from_utf8(bytes.into());
        Ok(Self(text.map_err(|_| Error::invalid("the body is not UTF-8"))?))
    }
}

/// A body byte for byte, as its sender signed it.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(whole(request, state).await?))
    }
}

async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state)
        .await
        .map_err(|_| Error::invalid("the body is too large or was cut off; at most 256 KiB are read"))
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    let bytes = whole(request, state).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        Ok(Bytes::from_static(b"{}"))
    } else {
        Ok(bytes)
    }
}

fn not_wanted(error: &serde_json::Error) -> Error {
    Error::invalid(format!(
        "the body is not the JSON that is wanted here: {}",
        without_values(error)
    ))
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

/// The query, with every mistake in the contract's shape.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|_| Error::invalid("a query parameter is not of the wanted type").into())
    }
}

/// The one variable segment of a path, decoded.
#[derive(Debug)]
pub struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .map(|Path(segment)| Self(segment))
            .map_err(|_| Error::invalid("the path is not UTF-8").into())
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
