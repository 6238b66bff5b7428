//! Calls that pass through to an application's API (contract, section 19, rows 2 and 12).

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use axum::response::IntoResponse as _;
use http_body::{Frame, SizeHint};

use super::applications::application;
use crate::app::App;
use crate::egress::{BoxError, Download};
use crate::error::{Code, Error};
use crate::http::error::{ErrorBody, plain};
use crate::http::extract::account_header;
use crate::proxy::{self, Call, Caller, Successes};
use crate::tenants::{self, Scope};

/// Who calls.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const PREFIX: &str = "/api/v2/public/proxy/";

/// What the proxy needs.
#[derive(Clone)]
pub(in crate::http) struct Gateway {
    app: App,
    successes: Successes,
}

impl Gateway {
    pub(in crate::http) fn new(app: App) -> Self {
        Self {
            app,
            successes: Successes::default(),
        }
    }
}

/// The route that a path stands for, if it is one of a call that passes through.
pub(in crate::http) fn route(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix(PREFIX)?;
    match rest.find('/') {
        _ if rest.is_empty() || rest.starts_with('/') => None,
        None => Some("/api/v2/public/proxy/{slug}"),
        Some(slash) if slash + 1 == rest.len() => Some("/api/v2/public/proxy/{slug}/"),
        Some(_) => Some("/api/v2/public/proxy/{slug}/{*path}"),
    }
}

/// Passes a call on, whatever its method.
pub(in crate::http) async fn forward<B>(gateway: &Gateway, request: Request<B>) -> Result<Response<Download>, Error>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let app = &gateway.app;
    let (parts, body) = request.into_parts();
    let key = parts.headers.get(API_KEY).and_then(|value| value.to_str().ok());
    let key = key.map(str::trim).ok_or(Error::InvalidApiKey)?;
    let since = app.db.glance();
    let key = tenants::authenticate_since(app, (since, key)).await?;
    if !key.scopes.has(Scope::Write) {
        return Err(Error::ScopeLacking(Scope::Write.as_str()));
    }
    let account = linked_account(&parts.headers)?;
    let whole = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let slug = whole.split_once('/').map_or(whole, |(slug, _)| slug);
    let behind_slug = PREFIX.len() + slug.len();
    let application = application(app, &key.tenant, slug)?;
    let body = (Box::pin(FromCaller(body)) as _, app.egress.limits());
    let call = Call::read(parts, behind_slug, body)?;
    let caller = Caller {
        tenant: &key.tenant,
        linked_account_id: &account,
        since,
    };
    proxy::forward(app, caller, (&application, call), &gateway.successes).await
}

/// By header only: the query is the provider's (contract, section 19, row 12).
fn linked_account(headers: &HeaderMap) -> Result<String, Error> {
    account_header(headers)?.ok_or_else(|| Error::Invalid {
        code: Code::InvalidLinkedAccountId,
        message: "linked_account_id required, as a header".to_owned(),
    })
}

/// A caller's body, with errors of any kind.
struct FromCaller<B>(B);

impl<B> http_body::Body for FromCaller<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

// What follows is for the document: it has no word for "any method".

/// Passes a `GET` on to the application's API, with the customer's credential.
#[utoipa::path(get, path = "/api/v2/public/proxy/{slug}/{path}", operation_id = "proxy_get", tag = "proxy",
    params(("slug" = String, Path, description = "The application"), ("path" = String, Path, description = PATH), Passed),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, description = "The provider's own answer, whatever its status: it carries `x-evergrant-answered-by: provider`"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody)))]
pub(in crate::http) async fn get() -> Response<Body> {
    unseen()
}

/// Passes a `POST` on to the application's API, with the customer's credential.
#[utoipa::path(post, path = "/api/v2/public/proxy/{slug}/{path}", operation_id = "proxy_post", tag = "proxy",
    params(("slug" = String, Path, description = "The application"), ("path" = String, Path, description = PATH), Passed),
    security(("api_key" = [], "linked_account" = [])),
    request_body(content = Vec<u8>, content_type = "*/*", description = "Whatever the application's API takes"),
    responses((status = 200, description = "The provider's own answer, whatever its status: it carries `x-evergrant-answered-by: provider`"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody)))]
pub(in crate::http) async fn post() -> Response<Body> {
    unseen()
}

/// Passes a `PUT` on to the application's API, with the customer's credential.
#[utoipa::path(put, path = "/api/v2/public/proxy/{slug}/{path}", operation_id = "proxy_put", tag = "proxy",
    params(("slug" = String, Path, description = "The application"), ("path" = String, Path, description = PATH), Passed),
    security(("api_key" = [], "linked_account" = [])),
    request_body(content = Vec<u8>, content_type = "*/*", description = "Whatever the application's API takes"),
    responses((status = 200, description = "The provider's own answer, whatever its status: it carries `x-evergrant-answered-by: provider`"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody)))]
pub(in crate::http) async fn put() -> Response<Body> {
    unseen()
}

/// Passes a `PATCH` on to the application's API, with the customer's credential.
#[utoipa::path(patch, path = "/api/v2/public/proxy/{slug}/{path}", operation_id = "proxy_patch", tag = "proxy",
    params(("slug" = String, Path, description = "The application"), ("path" = String, Path, description = PATH), Passed),
    security(("api_key" = [], "linked_account" = [])),
    request_body(content = Vec<u8>, content_type = "*/*", description = "Whatever the application's API takes"),
    responses((status = 200, description = "The provider's own answer, whatever its status: it carries `x-evergrant-answered-by: provider`"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody)))]
pub(in crate::http) async fn patch() -> Response<Body> {
    unseen()
}

/// Passes a `DELETE` on to the application's API, with the customer's credential.
#[utoipa::path(delete, path = "/api/v2/public/proxy/{slug}/{path}", operation_id = "proxy_delete", tag = "proxy",
    params(("slug" = String, Path, description = "The application"), ("path" = String, Path, description = PATH), Passed),
    security(("api_key" = [], "linked_account" = [])),
    responses((status = 200, description = "The provider's own answer, whatever its status: it carries `x-evergrant-answered-by: provider`"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 408, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
        (status = 504, body = ErrorBody)))]
pub(in crate::http) async fn delete() -> Response<Body> {
    unseen()
}

const PATH: &str = "Below the application's API base, as it is to go out. `.`, `..`, `//`, and encoded slashes, backslashes and \
    dots are refused";

/// What a call may say besides. Here `linked_account_id` is read from its header only.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the document only")]
struct Passed {
    /// `oauth2` or `keybased`, where the customer has connections of both; by default the one that works, OAuth first.
    #[param(rename = "x-evergrant-auth-type")]
    auth_type: Option<String>,
    /// How many redirects are followed, at most 10; by default none.
    #[param(rename = "x-evergrant-follow-redirects")]
    follow_redirects: Option<u8>,
}

fn unseen() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path").into_response()
}
