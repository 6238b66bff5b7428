//! The list of applications, each with its state.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::page::{Frame, PageError, send};
use super::session::Visitor;
use super::standing::Status;
use crate::app::App;
use crate::catalog::{Application, AuthType};
use crate::connections;
use crate::error::Error;
use crate::http::api::applications::is_offered;

/// The page.
#[derive(Debug, Template)]
#[template(path = "list.html")]
pub struct ListPage {
    /// What stands around it.
    pub frame: Frame,
    /// What every form sends back.
    pub csrf: String,
    /// What needs the customer, shown above all others.
    pub attention: Vec<AppCard>,
    /// The applications, in the order of [`AppCard::sort`].
    pub cards: Vec<AppCard>,
    /// All categories.
    pub categories: BTreeSet<String>,
    /// What is looked for.
    pub filter: ListQuery,
    /// Whether there is anything to look for.
    pub any: bool,
}

/// One application.
#[derive(Clone, Debug)]
pub struct AppCard {
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its categories.
    pub tags: Vec<String>,
    /// How the account stands with it.
    pub status: Status,
    /// Whether reconnecting asks for something first, on a page of its own.
    pub asks: bool,
    /// How it would be reconnected.
    pub auth_type: AuthType,
}

impl AppCard {
    /// Puts what needs the customer first, then what works, then the rest; each by name.
    pub fn sort(cards: &mut [Self]) {
        cards.sort_by_cached_key(|card| (card.status.standing.rank(), card.name.to_lowercase(), card.slug.clone()));
    }

    fn is_expired(&self) -> bool {
        self.status.standing.rank() == 0
    }

    fn new(application: &Application, status: Status) -> Self {
        let auth_type = status.auth_type.unwrap_or(application.auth_type);
        Self {
            slug: application.slug.clone(),
            name: application.name.clone(),
            tags: application.tags.clone(),
            status,
            asks: !application.inputs(auth_type).is_empty(),
            auth_type,
        }
    }
}

/// What of the list is looked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ListQuery {
    /// A part of a name.
    #[serde(default)]
    pub q: String,
    /// A category; all where it is empty.
    #[serde(default)]
    pub category: String,
}

impl ListQuery {
    fn keeps(&self, card: &AppCard) -> bool {
        let category = self.category.trim();
        let named = card.name.to_lowercase().contains(&self.q.trim().to_lowercase());
        named && (category.is_empty() || card.tags.iter().any(|tag| tag == category))
    }

    fn is_empty(&self) -> bool {
        self.q.trim().is_empty() && self.category.trim().is_empty()
    }

    fn is_category(&self, category: &str) -> bool {
        self.category.trim() == category
    }
}

/// `GET /connect`: the visitor's applications.
pub async fn show_list(
    State(app): State<App>,
    visitor: Visitor,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let filter = query.map(|Query(query)| query).unwrap_or_default();
    let mut cards = cards(&app, &visitor).await?;
    AppCard::sort(&mut cards);
    let page = ListPage::new(visitor.frame, visitor.csrf, (cards, filter));
    Ok(send(StatusCode::OK, &page, &visitor.environment.frame_origins))
}

impl ListPage {
    /// The page of these cards, as far as they are looked for.
    #[must_use]
    pub fn new(frame: Frame, csrf: String, (mut cards, filter): (Vec<AppCard>, ListQuery)) -> Self {
        let any = !cards.is_empty();
        let categories = cards.iter().flat_map(|card| card.tags.clone()).collect();
        let attention = cards
            .iter()
            .filter(|card| filter.is_empty() && card.is_expired())
            .cloned()
            .collect();
        cards.retain(|card| filter.keeps(card));
        Self {
            frame,
            csrf,
            attention,
            cards,
            categories,
            filter,
            any,
        }
    }

    /// How many are shown, for those who do not see it.
    fn shown(&self) -> String {
        self.frame
            .reader
            .lang
            .fill("list.shown", &[("count", &self.cards.len().to_string())])
    }
}

async fn cards(app: &App, visitor: &Visitor) -> Result<Vec<AppCard>, Error> {
    let on = &visitor.account;
    let live = connections::store::of_account(&mut *app.db.read().await?, &on.tenant.id, &on.account.id).await?;
    let offered = app
        .catalog
        .all()
        .into_iter()
        .filter(|application| is_offered(application, &on.tenant));
    Ok(offered
        .map(|application| AppCard::new(application, Status::of(application, &live)))
        .collect())
}
