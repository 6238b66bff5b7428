//! What a visitor does with one application: the form, connecting, disconnecting.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::form::{FieldOption, FormField, FormPage};
use super::message::MessagePage;
use super::page::{PageError, send, with_headers};
use super::session::{self, Posted, Visitor};
use crate::app::App;
use crate::authorize;
use crate::catalog::{Application, AuthType, InputField};
use crate::connections;
use crate::error::Error;
use crate::http::api::applications::application;
use crate::http::error::public_message;

/// What `GET /connect/{…}` may be asked for besides.
#[derive(Debug, Default, Deserialize)]
pub struct FormQuery {
    auth_type: Option<String>,
}

/// `GET /connect/{token}` opens a session, `GET /connect/{slug}` shows a form. No slug begins like a token does.
pub async fn open_or_form(
    State(app): State<App>,
    segment: Result<Path<String>, PathRejection>,
    query: Result<Query<FormQuery>, QueryRejection>,
    visitor: Result<Visitor, PageError>,
) -> Result<Response, PageError> {
    let Path(segment) = segment.map_err(|_| Error::InvalidSessionToken)?;
    if segment.contains('_') {
        return session::open(&app, &segment).await;
    }
    let visitor = visitor?;
    let application = application(&app, &visitor.account.tenant, &segment)?;
    let asked = query
        .ok()
        .and_then(|Query(query)| AuthType::parse(query.auth_type.as_deref()?));
    let auth_type = asked
        .filter(|kind| application.supports(*kind))
        .unwrap_or(application.auth_type);
    let again = is_connected(&app, &visitor, &application.slug).await?;
    let page = form(&visitor, (&application, auth_type, again), None);
    Ok(send(StatusCode::OK, &page, &visitor.environment.frame_origins))
}

/// `POST /connect/{slug}`: connects, reconnects or disconnects, as `action` says.
pub async fn act(
    State(app): State<App>,
    segment: Result<Path<String>, PathRejection>,
    posted: Posted,
) -> Result<Response, PageError> {
    let Path(slug) = segment.map_err(|_| Error::invalid("The address is not valid."))?;
    let visitor = &posted.visitor;
    let application = application(&app, &visitor.account.tenant, &slug)?;
    if posted.values.get("action").map(String::as_str) == Some("disconnect") {
        let on = &visitor.account;
        authorize::disconnect(&app, &on.tenant, &on.account, (&slug, None)).await?;
        return Ok(back_to_list(visitor, ("disconnected", &application.slug)));
    }
    let asked = posted.values.get("auth_type").and_then(|word| AuthType::parse(word));
    let auth_type = asked
        .filter(|kind| application.supports(*kind))
        .unwrap_or(application.auth_type);
    match connect(&app, &posted, (&application, auth_type)).await {
        Ok(response) => Ok(response),
        Err(error @ (Error::Invalid { .. } | Error::CredentialsRefused(_))) => {
            let message = match error {
                Error::CredentialsRefused(said) => format!("This was not accepted: {said}. Check it and try again."),
                error => public_message(&error),
            };
            let again = is_connected(&app, visitor, &slug).await?;
            let mut page = form(visitor, (&application, auth_type, again), Some(message));
            for field in page.fields.iter_mut().filter(|field| !field.secret) {
                field.value = posted.fields.get(&field.name).cloned();
            }
            Ok(send(StatusCode::BAD_REQUEST, &page, &visitor.environment.frame_origins))
        }
        Err(error) => Err(error.into()),
    }
}

async fn connect(
    app: &App,
    posted: &Posted,
    (application, auth_type): (&Application, AuthType),
) -> Result<Response, Error> {
    let on = &posted.visitor.account;
    let inputs = posted.fields.clone();
    match auth_type {
        AuthType::Keybased => {
            authorize::save_keys(app, &on.tenant, &on.account, (application, inputs)).await?;
            Ok(back_to_list(&posted.visitor, ("connected", &application.slug)))
        }
        AuthType::OAuth2 => {
            let url = authorize::begin(app, &on.tenant, &on.account, (application, inputs)).await?;
            let page = MessagePage::onward(posted.visitor.frame.clone(), &application.name, url);
            Ok(send(StatusCode::OK, &page, &posted.visitor.environment.frame_origins))
        }
    }
}

/// Back to the list, which says what was done; a reload repeats nothing. A slug is safe in a query as it is.
fn back_to_list(visitor: &Visitor, (done, slug): (&str, &str)) -> Response {
    let headers = [(header::LOCATION, format!("/connect?{done}={slug}"))];
    with_headers(
        (StatusCode::SEE_OTHER, headers, "").into_response(),
        &visitor.environment.frame_origins,
    )
}

async fn is_connected(app: &App, visitor: &Visitor, slug: &str) -> Result<bool, Error> {
    let on = &visitor.account;
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    Ok(live.iter().any(|one| one.slug == slug))
}

fn form(
    visitor: &Visitor,
    (application, auth_type, again): (&Application, AuthType, bool),
    error: Option<String>,
) -> FormPage {
    FormPage {
        frame: visitor.frame.clone(),
        csrf: visitor.csrf.clone(),
        slug: application.slug.clone(),
        name: application.name.clone(),
        verb: if again { "Reconnect" } else { "Connect" },
        auth_type: auth_type.as_str(),
        help: application.help.clone(),
        error,
        fields: application.inputs(auth_type).iter().map(FormField::from).collect(),
    }
}

impl From<&InputField> for FormField {
    fn from(field: &InputField) -> Self {
        let option = |option: &crate::catalog::InputOption| FieldOption {
            name: option.name.clone().unwrap_or_else(|| option.value.clone()),
            value: option.value.clone(),
        };
        Self {
            name: field.name.clone(),
            label: field.label.clone(),
            kind: field.kind.clone(),
            required: field.required,
            placeholder: field.placeholder.clone(),
            help: field.help_text.clone(),
            options: field.options.iter().flatten().map(option).collect(),
            secret: field.secret,
            value: None,
        }
    }
}
