//! Repairing by link: the page that a re-auth link opens, and the one connection that it is good for.
//!
//! `GET /reauth/{token}` changes nothing, so that mail scanners do no harm. Its button is a form that only this page can
//! send: it carries a value derived from a cookie that the page has set. The answer gives the browser the link as a cookie,
//! for an hour: a session that opens this one connection at `/repair`, and nothing at `/connect` or in the API. It ends when
//! the link does.

use std::time::Duration;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::account::AccountPage;
use super::connect::try_again;
use super::detail::DetailPage;
use super::message::{MessagePage, Tone};
use super::page::{Frame, PageError, send, with_headers};
use super::session::{Place, SentForm, cookie_value, csrf_of, is_https, sensitive};
use super::standing::Status;
use super::words::Reader;
use crate::app::App;
use crate::authorize::{self, Asker, Stopped};
use crate::catalog::{Application, AuthType};
use crate::connections::{self, Linked, Opened};
use crate::error::{Error, OtherAccount};
use crate::http::api::applications::application;
use crate::ids::random_token;
use crate::secret::Secret;

/// How long the button's session lives.
const LIFE: Duration = Duration::from_hours(1);

/// The page that a link opens.
#[derive(Debug, Template)]
#[template(path = "link.html")]
pub struct LinkPage {
    /// What stands around it.
    pub frame: Frame,
    /// What its form sends back.
    pub csrf: String,
    /// The application's name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The customer's name.
    pub account: String,
    /// How it stands.
    pub status: Status,
}

impl LinkPage {
    fn asks(&self) -> String {
        let values = [
            ("org", self.frame.org()),
            ("app", &self.name),
            ("account", &self.account),
        ];
        self.frame.reader.lang.fill("link.asks", &values)
    }
}

const fn visit_name(https: bool) -> &'static str {
    if https {
        "__Host-evergrant_visit"
    } else {
        "evergrant_visit"
    }
}

const fn repair_name(https: bool) -> &'static str {
    if https {
        "__Host-evergrant_repair"
    } else {
        "evergrant_repair"
    }
}

/// Whether the browser is on its way through a link; not whether that is still good.
pub(super) fn has_cookie(app: &App, headers: &HeaderMap) -> bool {
    cookie_value(headers, repair_name(is_https(app))).is_some()
}

/// What the link's form must send back: bound to the browser and to the link.
fn csrf(visit: &Secret, token: &str) -> String {
    csrf_of(&Secret::from(format!("{}\0{token}", visit.expose())))
}

fn token_of(path: Result<Path<String>, PathRejection>) -> String {
    path.map(|Path(token)| token).unwrap_or_default()
}

/// `GET /reauth/{token}`: says what is asked, and of whom.
pub async fn show_link(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let token = token_of(path);
    let linked = match opened(&app, &token).await? {
        Ok(linked) => linked,
        Err(ended) => return Ok(*ended),
    };
    let application = application(&app, &linked.environment.tenant, &linked.connection.slug)?;
    let https = is_https(&app);
    let visit = cookie_value(&headers, visit_name(https)).unwrap_or_else(|| random_token(""));
    let page = LinkPage {
        frame: Frame::of(&linked.environment),
        csrf: csrf(&visit, &token),
        slug: application.slug.clone(),
        name: application.name.clone(),
        account: linked
            .account
            .name
            .clone()
            .unwrap_or_else(|| linked.account.account_id.clone()),
        status: status(&application, &linked),
    };
    let mut response = send(StatusCode::OK, &page, &[]);
    let cookie = Place::of(https, false).cookie(visit_name(https), visit.expose(), LIFE);
    response.headers_mut().append(header::SET_COOKIE, sensitive(&cookie)?);
    Ok(response)
}

/// `POST /reauth/{token}`: the button. Gives the browser its session, and begins.
pub async fn follow_link(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, PageError> {
    let (token, https) = (token_of(path), is_https(&app));
    let visit = cookie_value(request.headers(), visit_name(https))
        .ok_or_else(|| Error::invalid("The form did not come from this page."))?;
    SentForm::read(request, &app, &csrf(&visit, &token)).await?;
    let linked = match opened(&app, &token).await? {
        Ok(linked) => linked,
        Err(ended) => return Ok(*ended),
    };
    let application = application(&app, &linked.environment.tenant, &linked.connection.slug)?;
    let asks = !application.inputs(linked.connection.auth_type).is_empty();
    let mut response = if asks || linked.connection.auth_type == AuthType::Keybased {
        let headers = [(header::LOCATION, Reader::current().at("/repair"))];
        with_headers((StatusCode::SEE_OTHER, headers, "").into_response(), &[])
    } else {
        repair(&app, &linked, (&application, &SentForm::empty())).await?
    };
    let cookie = Place::of(https, false).cookie(repair_name(https), &token, LIFE);
    response.headers_mut().append(header::SET_COOKIE, sensitive(&cookie)?);
    Ok(response)
}

/// `GET /repair`: the one connection of the link, with its form.
pub async fn show_repair(State(app): State<App>, headers: HeaderMap) -> Result<Response, PageError> {
    let token = repair_token(&app, &headers)?;
    let linked = match opened(&app, token.expose()).await? {
        Ok(linked) => linked,
        Err(ended) => return Ok(*ended),
    };
    let application = application(&app, &linked.environment.tenant, &linked.connection.slug)?;
    let page = detail(&linked, (&application, &token));
    Ok(send(StatusCode::OK, &page, &[]))
}

/// `POST /repair`: reconnects it. Nothing else can be asked for.
pub async fn act_on_repair(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (parts, body): (Parts, _) = request.into_parts();
    let token = repair_token(&app, &parts.headers)?;
    let form = SentForm::read(Request::from_parts(parts, body), &app, &csrf_of(&token)).await?;
    let linked = match opened(&app, token.expose()).await? {
        Ok(linked) => linked,
        Err(ended) => return Ok(*ended),
    };
    let application = application(&app, &linked.environment.tenant, &linked.connection.slug)?;
    match repair(&app, &linked, (&application, &form)).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let Some(status) = try_again(&error) else {
                return Err(error.into());
            };
            let page = detail(&linked, (&application, &token));
            let page = page.after(&application, &form.fields, &error);
            Ok(send(status, &page, &[]))
        }
    }
}

fn repair_token(app: &App, headers: &HeaderMap) -> Result<Secret, Error> {
    cookie_value(headers, repair_name(is_https(app))).ok_or(Error::MissingSessionToken)
}

/// The broken connection of a token, or the page that says why there is none.
async fn opened(app: &App, token: &str) -> Result<Result<Box<Linked>, Box<Response>>, Error> {
    Ok(match connections::open_link(app, token).await? {
        Opened::Broken(linked) => Ok(linked),
        Opened::Mended(linked) => {
            let application = application(app, &linked.environment.tenant, &linked.connection.slug)?;
            let frame = Frame::of(&linked.environment);
            let title = frame.app("link.mended", &application.name);
            let text = frame.say("link.mended_text");
            let page = MessagePage::new(frame, Tone::Success, &title, text);
            Err(Box::new(send(StatusCode::OK, &page, &[])))
        }
        Opened::Ended => {
            let frame = Frame::anonymous();
            let (title, text) = (frame.say("link.ended"), frame.say("link.ended_text"));
            let page = MessagePage::new(frame, Tone::Error, title, text);
            Err(Box::new(send(StatusCode::GONE, &page, &[])))
        }
    })
}

/// Reconnects with what the form holds, by the connection's own auth type.
async fn repair(app: &App, linked: &Linked, (application, form): (&Application, &SentForm)) -> Result<Response, Error> {
    let (tenant, account) = (&linked.environment.tenant, &linked.account);
    let frame = Frame::of(&linked.environment);
    let inputs = form.fields.clone();
    let page = match linked.connection.auth_type {
        AuthType::Keybased => {
            let saved = authorize::save_keys(app, tenant, account, (application, inputs)).await;
            if let Err(Error::OtherAccount(other)) = saved {
                return Ok(another_account(frame, application, *other));
            }
            saved?;
            let title = frame.app("done.connected", &application.name);
            let text = frame.say("done.connected_text");
            MessagePage::new(frame, Tone::Success, &title, text)
        }
        AuthType::OAuth2 => {
            // Whoever holds the link must come back with the account that was connected before, whatever the environment allows.
            let begun = authorize::begin_for(app, (tenant, account), (application, inputs), Asker::strict()).await?;
            let here = frame.at("/repair");
            MessagePage::onward(frame, &application.name, (begun.url, &here))
        }
    };
    Ok(send(StatusCode::OK, &page, &[]))
}

fn status(application: &Application, linked: &Linked) -> Status {
    Status::of(application, std::slice::from_ref(&linked.connection))
}

fn detail(linked: &Linked, (application, token): (&Application, &Secret)) -> DetailPage {
    let around = (Frame::of(&linked.environment), csrf_of(token));
    let own = linked.connection.auth_type;
    DetailPage {
        at: around.0.at("/repair"),
        whole: false,
        ways: vec![own],
        ..DetailPage::new(around, application, status(application, linked), Some(own))
    }
}

/// Says which account was expected. There is nothing to decide: whoever holds the link may be anybody.
fn another_account(frame: Frame, application: &Application, other: OtherAccount) -> Response {
    let stopped = Stopped {
        application: application.name.clone(),
        other,
        token: None,
    };
    let back = frame.at("/repair");
    let page = AccountPage::new(frame, (&application.slug, &stopped), Some(back));
    send(StatusCode::CONFLICT, &page, &[])
}
