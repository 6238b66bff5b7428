//! What a visitor does with one application: looking at it, connecting, disconnecting.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::account::{self, AccountPage};
use super::consent;
use super::detail::{DetailPage, state_mark};
use super::message::MessagePage;
use super::page::{PageError, send, with_headers};
use super::session::{self, Posted, Visitor};
use super::standing::Status;
use crate::app::App;
use crate::authorize::{self, KeysSaved};
use crate::catalog::{Application, AuthType};
use crate::connections;
use crate::error::Error;
use crate::http::api::applications::application;
use crate::ids::random_token;

/// What `GET /connect/{…}` may be asked for besides.
#[derive(Debug, Default, Deserialize)]
pub struct DetailQuery {
    auth_type: Option<String>,
    done: Option<String>,
}

/// `GET /connect/{token}` opens a session, `GET /connect/{slug}` shows an application. No slug begins like a token does.
pub async fn open_or_detail(
    State(app): State<App>,
    segment: Result<Path<String>, PathRejection>,
    query: Result<Query<DetailQuery>, QueryRejection>,
    visitor: Result<Visitor, PageError>,
) -> Result<Response, PageError> {
    let Path(segment) = segment.map_err(|_| Error::InvalidSessionToken)?;
    if segment.contains('_') {
        return session::open(&app, &segment).await;
    }
    let visitor = visitor?;
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let application = application(&app, &visitor.account.tenant, &segment)
        .map_err(|error| PageError::within(&visitor.frame, error))?;
    let asked = query.auth_type.as_deref().and_then(AuthType::parse);
    let page = detail(&app, &visitor, (&application, asked)).await?;
    let page = page.noticed(query.done.as_deref());
    Ok(send(StatusCode::OK, &page, &visitor.environment.frame_origins))
}

/// `GET /connect/{slug}/state`: what a page follows while the visitor is at the provider, in another window.
pub async fn state(
    State(app): State<App>,
    segment: Result<Path<String>, PathRejection>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let Path(slug) = segment.map_err(|_| Error::NotFound("Application"))?;
    let application = application(&app, &visitor.account.tenant, &slug)?;
    let status = status(&app, &visitor, &application).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    let body = json!({ "state": status.standing.class(), "mark": state_mark(&status) });
    Ok((headers, Json(body)).into_response())
}

/// `POST /connect/{slug}`: connects, reconnects or disconnects, as `action` says.
pub async fn act(
    State(app): State<App>,
    segment: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, PageError> {
    let Path(slug) = segment.map_err(|_| Error::NotFound("Application"))?;
    let (visitor, form) = (&posted.visitor, &posted.form);
    let application =
        application(&app, &visitor.account.tenant, &slug).map_err(|error| PageError::within(&visitor.frame, error))?;
    let on = &visitor.account;
    if form.values.get("action").map(String::as_str) == Some("disconnect") {
        authorize::disconnect(&app, &on.tenant, &on.account, (&slug, None)).await?;
        return Ok(back(visitor, ("disconnected", &application.slug)));
    }
    let asked = form.values.get("auth_type").and_then(|word| AuthType::parse(word));
    let auth_type = asked
        .filter(|kind| application.supports(*kind))
        .unwrap_or(application.auth_type);
    match connect(&app, (&posted, &headers), (&application, auth_type)).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let Some(status) = try_again(&error) else {
                return Err(PageError::within(&visitor.frame, error));
            };
            let page = detail(&app, visitor, (&application, Some(auth_type))).await?;
            let page = page.after(&application, &form.fields, &error);
            Ok(send(status, &page, &visitor.environment.frame_origins))
        }
    }
}

/// The status under which the form is shown again, where it can mend the error.
pub(super) const fn try_again(error: &Error) -> Option<StatusCode> {
    match error {
        Error::Invalid { .. } | Error::CredentialsRefused(_) => Some(StatusCode::BAD_REQUEST),
        Error::ProviderUnavailable { .. } => Some(StatusCode::BAD_GATEWAY),
        _ => None,
    }
}

async fn connect(
    app: &App,
    (posted, headers): (&Posted, &HeaderMap),
    (application, auth_type): (&Application, AuthType),
) -> Result<Response, Error> {
    let (visitor, form) = (&posted.visitor, &posted.form);
    let on = &visitor.account;
    let inputs = form.fields.clone();
    match auth_type {
        AuthType::Keybased => {
            let browser = consent::browser(app, headers).unwrap_or_else(|| random_token(""));
            let (whose, wish) = ((&on.tenant, &on.account), (application, inputs));
            match authorize::save_keys_in_browser(app, whose, wish, browser.expose()).await? {
                KeysSaved::Stored(_) => {
                    let proved = application.proves(AuthType::Keybased);
                    let done = if proved { "connected" } else { "unverified" };
                    Ok(back(visitor, (done, &application.slug)))
                }
                KeysSaved::Stopped(stopped) => {
                    let page = AccountPage::new(
                        visitor.frame.clone(),
                        (&application.slug, &stopped),
                        Some(visitor.frame.at("/connect")),
                    );
                    account::ask(app, &page, (&browser, &visitor.environment.frame_origins))
                }
            }
        }
        AuthType::OAuth2 => {
            let url = authorize::begin(app, &on.tenant, &on.account, (application, inputs)).await?;
            if form.by_script {
                let headers = [(header::CACHE_CONTROL, "no-store")];
                return Ok((headers, Json(json!({ "url": url }))).into_response());
            }
            let here = visitor.frame.at(&format!("/connect/{}", application.slug));
            let page = MessagePage::onward(visitor.frame.clone(), &application.name, (url, &here));
            Ok(send(StatusCode::OK, &page, &visitor.environment.frame_origins))
        }
    }
}

/// Back to the application, whose page says what was done; a reload repeats nothing. A slug is safe in a path as it is.
fn back(visitor: &Visitor, (done, slug): (&str, &str)) -> Response {
    let headers = [(
        header::LOCATION,
        visitor.frame.at(&format!("/connect/{slug}?done={done}")),
    )];
    with_headers(
        (StatusCode::SEE_OTHER, headers, "").into_response(),
        &visitor.environment.frame_origins,
    )
}

async fn status(app: &App, visitor: &Visitor, application: &Application) -> Result<Status, Error> {
    let on = &visitor.account;
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    Ok(Status::of(application, &live))
}

async fn detail(
    app: &App,
    visitor: &Visitor,
    (application, asked): (&Application, Option<AuthType>),
) -> Result<DetailPage, Error> {
    let status = status(app, visitor, application).await?;
    let around = (visitor.frame.clone(), visitor.csrf.clone());
    Ok(DetailPage::new(around, application, status, asked))
}
