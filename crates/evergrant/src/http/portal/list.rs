//! The list of applications, each with its state and what can be done about it.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::page::{Frame, PageError, send};
use super::session::Visitor;
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::clock::Timestamp;
use crate::connections::{self, Connection};
use crate::error::Error;
use crate::http::api::applications::is_offered;
use crate::reason::Reason;

/// The page.
#[derive(Debug, Template)]
#[template(path = "list.html")]
pub struct ListPage {
    /// What stands around it.
    pub frame: Frame,
    /// What every form sends back.
    pub csrf: String,
    /// What has just happened.
    pub notice: Option<String>,
    /// The applications, in the order of [`AppCard::sort`].
    pub cards: Vec<AppCard>,
}

/// One application.
#[derive(Clone, Debug)]
pub struct AppCard {
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// Its first category.
    pub tag: Option<String>,
    /// An icon on this server; its first letter is shown instead of none.
    pub icon: Option<String>,
    /// Whether it is connected.
    pub state: CardState,
    /// How it can be connected, the primary way first.
    pub ways: Vec<Way>,
}

/// Whether an application is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardState {
    /// Never, or no longer.
    NotConnected,
    /// And works.
    Connected,
    /// Only the customer can bring it back.
    Expired {
        /// A sentence; see [`plain_reason`].
        reason: &'static str,
        /// Since when.
        since: Timestamp,
    },
}

impl CardState {
    const fn class(&self) -> &'static str {
        match self {
            Self::NotConnected => "new",
            Self::Connected => "connected",
            Self::Expired { .. } => "expired",
        }
    }

    const fn chip(&self) -> Option<&'static str> {
        match self {
            Self::NotConnected => None,
            Self::Connected => Some("Connected"),
            Self::Expired { .. } => Some("Expired"),
        }
    }

    /// Connecting again what works is possible and not what the page suggests.
    const fn emphasis(&self) -> &'static str {
        match self {
            Self::Connected => "",
            Self::NotConnected | Self::Expired { .. } => "primary",
        }
    }

    const fn is_connected(&self) -> bool {
        !matches!(self, Self::NotConnected)
    }

    /// Since which day it has been expired, in UTC: `02 Jan 2024`.
    fn day(&self) -> String {
        match self {
            Self::Expired { since, .. } => since.http_date().get(5..16).unwrap_or_default().to_owned(),
            Self::NotConnected | Self::Connected => String::new(),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Expired { .. } => 0,
            Self::Connected => 1,
            Self::NotConnected => 2,
        }
    }
}

/// One way of connecting an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// `oauth2` or `keybased`.
    pub auth_type: &'static str,
    /// Whether the customer is asked for something first, on a page of its own.
    pub asks: bool,
}

impl Way {
    fn name(&self) -> &'static str {
        if self.auth_type == "oauth2" {
            "OAuth 2.0"
        } else {
            "a key"
        }
    }
}

impl AppCard {
    /// Puts what needs the customer first, then what works, then the rest; each by name.
    pub fn sort(cards: &mut [Self]) {
        cards.sort_by_cached_key(|card| (card.state.rank(), card.name.to_lowercase(), card.slug.clone()));
    }

    const fn verb(&self) -> &'static str {
        match self.state {
            CardState::NotConnected => "Connect",
            CardState::Connected | CardState::Expired { .. } => "Reconnect",
        }
    }

    fn initial(&self) -> String {
        self.name.chars().take(1).flat_map(char::to_uppercase).collect()
    }
}

/// A reason as an end customer understands it.
#[must_use]
pub const fn plain_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ApiKeyInvalid => "The key is no longer accepted.",
        Reason::TokenRevoked => "Access was withdrawn.",
        Reason::PasswordChanged => "The password was changed.",
        Reason::UserDisabled => "The user who connected it is disabled.",
        Reason::RefreshTokenExpired | Reason::AccessTokenExpired => "Access has run out.",
        Reason::AppUninstalled => "The app was uninstalled there.",
        Reason::OauthAppDeleted => "The app that was used has been removed.",
        Reason::MfaOrConsentRequired => "You are asked to sign in and agree again.",
        Reason::OauthClientSecretInvalid
        | Reason::ScopeMissing
        | Reason::RateLimited
        | Reason::ProviderOutage
        | Reason::Network
        | Reason::BadRequest => "It needs to be connected again.",
    }
}

/// What a form has just done, for the notice above the list.
#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    connected: Option<String>,
    disconnected: Option<String>,
}

impl ListQuery {
    /// The notice, where the list bears it out: an address can claim anything.
    fn notice(&self, cards: &[AppCard]) -> Option<String> {
        let card = |slug: &Option<String>| cards.iter().find(|card| Some(&card.slug) == slug.as_ref());
        let connected = card(&self.connected).filter(|card| card.state == CardState::Connected);
        let disconnected = card(&self.disconnected).filter(|card| card.state == CardState::NotConnected);
        connected
            .map(|card| format!("{} is connected.", card.name))
            .or_else(|| disconnected.map(|card| format!("{} is disconnected.", card.name)))
    }
}

/// `GET /connect`: the visitor's applications.
pub async fn show_list(
    State(app): State<App>,
    visitor: Visitor,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query.unwrap_or_default();
    let mut cards = cards(&app, &visitor).await?;
    AppCard::sort(&mut cards);
    let page = ListPage {
        frame: visitor.frame,
        csrf: visitor.csrf,
        notice: query.notice(&cards),
        cards,
    };
    Ok(send(StatusCode::OK, &page, &visitor.environment.frame_origins))
}

async fn cards(app: &App, visitor: &Visitor) -> Result<Vec<AppCard>, Error> {
    let on = &visitor.account;
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    Ok(app
        .catalog
        .all()
        .into_iter()
        .filter(|application| is_offered(application, &on.tenant))
        .map(|application| card(application, &live))
        .collect())
}

fn card(application: &Application, live: &[Connection]) -> AppCard {
    let mine: Vec<_> = live.iter().filter(|one| one.slug == application.slug).collect();
    let flag = mine.iter().find_map(|one| one.status.flag());
    let state = match flag {
        Some(flag) => CardState::Expired {
            reason: plain_reason(flag.reason),
            since: flag.since,
        },
        None if mine.is_empty() => CardState::NotConnected,
        None => CardState::Connected,
    };
    let way = |auth_type: AuthType| Way {
        auth_type: auth_type.as_str(),
        asks: !application.inputs(auth_type).is_empty(),
    };
    AppCard {
        slug: application.slug.clone(),
        name: application.name.clone(),
        description: application.description.clone(),
        tag: application.tags.first().cloned(),
        icon: Some(format!("/icons/{}.svg", application.slug)),
        state,
        ways: application.auth_types().into_iter().map(way).collect(),
    }
}
