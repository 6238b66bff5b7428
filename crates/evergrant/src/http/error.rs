//! The one table from what went wrong to what a caller is told (contract, section 2).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::middleware::request_id;
use crate::error::{CallFault, Code, Error, ReauthRequired};

/// The body of every error: all four documented spellings at once.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Equals the HTTP status.
    #[schema(example = 400)]
    pub status_code: u16,
    /// The class of the error.
    #[schema(example = "BAD_REQUEST")]
    pub http_error_type: &'static str,
    /// The same, under its older name.
    pub error_type: &'static str,
    /// The stable internal code.
    #[schema(example = "SERVER_ERROR")]
    pub error: &'static str,
    /// The same, under its older name.
    pub error_code: &'static str,
    /// What happened, to what, and what to do.
    pub message: String,
    /// Names this request in the server's log.
    pub request_id: String,
    /// Only with `REAUTH_REQUIRED`: what to repair, why, and where.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub reauth: Option<ReauthBody>,
}

/// What a dead connection's error says besides (contract section 19, row 2). Flattened into [`ErrorBody`], where all of
/// it may be absent: that is what `required = false` tells the schema.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReauthBody {
    /// The application.
    #[schema(required = false)]
    pub slug: String,
    /// The caller's id of its customer.
    #[schema(required = false)]
    pub linked_account_id: String,
    /// The connection to repair.
    #[schema(required = false)]
    pub connection_id: String,
    /// A reason code.
    #[schema(required = false)]
    pub reason: &'static str,
    /// Since when, ISO 8601.
    #[schema(required = false)]
    pub since: String,
    /// Where the customer can reconnect.
    pub reauth_url: Option<String>,
}

impl From<&ReauthRequired> for ReauthBody {
    fn from(error: &ReauthRequired) -> Self {
        Self {
            slug: error.slug.clone(),
            linked_account_id: error.linked_account_id.clone(),
            connection_id: error.connection_id.to_string(),
            reason: error.reason.as_str(),
            since: error.since.iso(),
            reauth_url: error.reauth_url.clone(),
        }
    }
}

/// An [`Error`] on its way to a caller.
#[derive(Debug)]
pub struct ApiError(pub Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

const SERVER_ERROR: &str = "SERVER_ERROR";
const RESOURCE_NOT_FOUND: &str = "RESOURCE_NOT_FOUND";

/// Status, class and code of each error. No wildcard arm: a new variant must pick all three.
pub(super) fn class(error: &Error) -> (StatusCode, &'static str, &'static str) {
    match error {
        Error::Invalid { code, .. } => (StatusCode::BAD_REQUEST, "BAD_REQUEST", code_word(*code)),
        Error::CredentialsRefused(_) | Error::NoOAuthClient { .. } => {
            (StatusCode::BAD_REQUEST, "BAD_REQUEST", SERVER_ERROR)
        }
        Error::InvalidApiKey | Error::NoticeRefused => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", SERVER_ERROR),
        Error::InvalidSessionToken | Error::MissingSessionToken => {
            (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "INVALID_TOKEN")
        }
        Error::ScopeLacking(_) => (StatusCode::FORBIDDEN, "FORBIDDEN", "SCOPE_MISSING"),
        Error::AccountNotFound { .. } | Error::SchemaNotFound(_) => (StatusCode::NOT_FOUND, "NOT_FOUND", SERVER_ERROR),
        Error::ApplicationNotFound { .. } => (StatusCode::NOT_FOUND, "EXTERNAL_API_ERROR", "EXTERNAL_API_FAILURE"),
        Error::NotFound(_) | Error::DefaultAppNotFound(_) | Error::CredentialNotFound(_) => {
            (StatusCode::NOT_FOUND, "NOT_FOUND", RESOURCE_NOT_FOUND)
        }
        Error::Conflict(_) => (StatusCode::CONFLICT, "CONFLICT", "CONFLICT"),
        Error::OtherAccount(_) => (StatusCode::CONFLICT, "CONFLICT", "ACCOUNT_MISMATCH"),
        Error::ReauthRequired(_) => (StatusCode::CONFLICT, "CONFLICT", "REAUTH_REQUIRED"),
        Error::ProviderUnavailable { .. } => (StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "PROVIDER_UNAVAILABLE"),
        Error::Call(fault) => class_of_call(*fault),
        Error::Busy => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "BUSY"),
        Error::Database(_) | Error::Sealed { .. } | Error::Corrupt { .. } | Error::Internal(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", SERVER_ERROR)
        }
    }
}

const fn class_of_call(fault: CallFault) -> (StatusCode, &'static str, &'static str) {
    match fault {
        CallFault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "BODY_TOO_LARGE"),
        CallFault::BrokenOff => (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "REQUEST_BROKEN_OFF"),
        CallFault::NotConnected => (StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "PROVIDER_UNAVAILABLE"),
        CallFault::ReplyLost => (StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "REPLY_LOST"),
        CallFault::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "GATEWAY_TIMEOUT", "PROVIDER_TIMED_OUT"),
        CallFault::Repeat => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "SEND_AGAIN"),
    }
}

const fn code_word(code: Code) -> &'static str {
    match code {
        Code::ServerError => SERVER_ERROR,
        Code::InvalidLinkedAccountId => "INVALID_LINKED_ACCOUNT_ID",
        Code::InvalidEvent => "INVALID_EVENT",
        Code::ResourceNotFound => RESOURCE_NOT_FOUND,
    }
}

/// What a stranger may read: nothing of our own causes.
pub(super) fn public_message(error: &Error) -> String {
    if class(error).0 == StatusCode::INTERNAL_SERVER_ERROR {
        "Something went wrong on our side; the request_id names it in the server's log".to_owned()
    } else {
        error.to_string()
    }
}

/// Logs an error once, with its causes where they are ours.
pub(super) fn log(error: &Error) {
    if let Error::Call(fault) = error {
        // The provider's or the caller's trouble, not ours.
        tracing::info!(%fault, "a call brought no answer");
    } else if class(error).0.is_server_error() {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(error = %error, cause, "request failed");
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(error) = self;
        log(&error);
        let (status, class, code) = class(&error);
        let reauth = if let Error::ReauthRequired(dead) = &error {
            Some(ReauthBody::from(&**dead))
        } else {
            None
        };
        let mut response = body(status, class, code, &public_message(&error), reauth);
        let retry_after = match &error {
            Error::ProviderUnavailable { retry_after } => *retry_after,
            Error::Busy | Error::Call(CallFault::Repeat) => Some(Duration::from_secs(1)),
            _ => None,
        };
        if let Some(wait) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// An error that has no [`Error`]: wrong path, wrong method, too large, a panic.
pub(crate) fn plain(status: StatusCode, class: &'static str, message: &str) -> Response {
    body(status, class, SERVER_ERROR, message, None)
}

/// Asked too often. `Retry-After` is in whole seconds, rounded up (RFC 9110, section 10.2.3).
pub(super) fn too_many(wait: Duration) -> Response {
    let class = "TOO_MANY_REQUESTS";
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let message = "Too many requests with this credential; wait as long as `Retry-After` says";
    let mut response = body(StatusCode::TOO_MANY_REQUESTS, class, "RATE_LIMITED", message, None);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// The longest message, in characters.
const MAX_MESSAGE: usize = 600;

/// Messages repeat what a caller sent: neither control characters nor an endless text is echoed.
fn presentable(message: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    message.chars().take(MAX_MESSAGE).map(plain).collect()
}

fn body(
    status: StatusCode,
    class: &'static str,
    code: &'static str,
    message: &str,
    reauth: Option<ReauthBody>,
) -> Response {
    let body = ErrorBody {
        status_code: status.as_u16(),
        http_error_type: class,
        error_type: class,
        error: code,
        error_code: code,
        message: presentable(message),
        request_id: request_id(),
        reauth,
    };
    (status, axum::Json(body)).into_response()
}
