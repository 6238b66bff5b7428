//! One application: how the account stands with it, and what can be done about it.

use askama::Template;
use evergrant_oauth::TemplateError;

use super::form::{FormField, Input};
use super::page::Frame;
use super::standing::{Standing, Status};
use crate::authorize::Inputs;
use crate::catalog::{Application, AuthType};
use crate::clock::Timestamp;
use crate::error::Error;

/// The page. Its form posts `action=connect`, `auth_type` and each field as `f.` and its name to `at`.
#[derive(Debug, Template)]
#[template(path = "detail.html")]
pub struct DetailPage {
    /// What stands around it.
    pub frame: Frame,
    /// What the forms send back.
    pub csrf: String,
    /// Where the page is, and its forms go.
    pub at: String,
    /// Whether there is a list to go back to, and the connection can be ended: a re-auth link opens neither.
    pub whole: bool,
    /// The application's name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// Its first category.
    pub tag: Option<String>,
    /// A hint above the form.
    pub help: Option<String>,
    /// How the account stands with it.
    pub status: Status,
    /// How it can be connected, the primary way first.
    pub ways: Vec<AuthType>,
    /// The way that is shown.
    pub auth_type: AuthType,
    /// Whether the visitor chose that way just now.
    pub chose: bool,
    /// Whether a key can be checked with the provider; one that cannot is not said to work.
    pub proves_keys: bool,
    /// What is asked.
    pub fields: Vec<FormField>,
    /// What has just been done.
    pub notice: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl DetailPage {
    /// The page of an application.
    #[must_use]
    pub fn new(
        (frame, csrf): (Frame, String),
        application: &Application,
        status: Status,
        asked: Option<AuthType>,
    ) -> Self {
        let asked = asked.filter(|kind| application.supports(*kind));
        let auth_type = asked.or(status.auth_type).unwrap_or(application.auth_type);
        Self {
            at: frame.at(&format!("/connect/{}", application.slug)),
            frame,
            csrf,
            whole: true,
            slug: application.slug.clone(),
            name: application.name.clone(),
            description: application.description.clone(),
            tag: application.tags.first().cloned(),
            help: application.help.clone(),
            status,
            ways: application.auth_types(),
            auth_type,
            chose: asked.is_some(),
            proves_keys: application.proves(AuthType::Keybased),
            fields: application.inputs(auth_type).iter().map(FormField::from).collect(),
            notice: None,
            error: None,
        }
    }

    /// The page after a try that failed: what was typed in is kept, secrets excepted, and what is wrong is marked.
    #[must_use]
    pub fn after(mut self, application: &Application, typed: &Inputs, error: &Error) -> Self {
        let lang = self.frame.reader.lang;
        let asked = application.inputs(self.auth_type);
        for (field, shown) in asked.iter().zip(&mut self.fields) {
            shown.keep((field, lang), typed);
        }
        // Each value may be fine, and one of them still make no address.
        let fine = self.fields.iter().all(|field| field.error.is_none());
        if fine && let Err(TemplateError::Refused(name)) = application.check_addresses(self.auth_type, typed) {
            let refused = self.fields.iter_mut().filter(|shown| shown.name == name);
            refused.for_each(|shown| shown.error = Some(lang.say("form.misfit").to_owned()));
        }
        let marked = self.fields.iter().any(|field| field.error.is_some());
        self.chose = true;
        self.error = Some(match error {
            Error::CredentialsRefused(said) => {
                let reason = said.trim_end_matches('.');
                lang.fill("form.refused", &[("app", &self.name), ("reason", reason)])
            }
            Error::ProviderUnavailable { .. } => {
                let (what, now) = (
                    self.frame.app("error.unavailable", &self.name),
                    lang.say("error.unavailable_text"),
                );
                format!("{what}. {now}")
            }
            _ if marked => lang.say("form.check").to_owned(),
            _ => lang.say("error.failed_text").to_owned(),
        });
        self
    }

    /// What has just been done, where the page bears it out: an address can claim anything.
    pub(super) fn noticed(mut self, done: Option<&str>) -> Self {
        let standing = &self.status.standing;
        let works = standing.is_connected() && !matches!(standing, Standing::Expired { .. });
        let key = match done {
            Some("connected") if works => Some("detail.now_connected"),
            Some("unverified") if works => Some("detail.now_unverified"),
            Some("disconnected") if *standing == Standing::New => Some("detail.now_disconnected"),
            _ => None,
        };
        self.notice = key.map(|key| self.frame.app(key, &self.name));
        self
    }

    /// Whether the form is folded away: what works needs none.
    fn is_folded(&self) -> bool {
        self.status.standing.is_well() && self.error.is_none() && !self.chose
    }

    fn is_key(&self) -> bool {
        self.auth_type == AuthType::Keybased
    }

    fn advice(&self) -> String {
        let key = match (self.status.standing.is_connected(), self.is_key()) {
            (false, false) => "detail.new_oauth",
            (false, true) if self.proves_keys => "detail.new_key",
            (false, true) => "detail.new_key_unproved",
            (true, false) => "detail.again_oauth",
            (true, true) if self.proves_keys => "detail.again_key",
            (true, true) => "detail.again_key_unproved",
        };
        self.frame.app(key, &self.name)
    }

    /// What is said of a connection that nothing is known against.
    fn well(&self) -> String {
        let unproved = self.status.auth_type == Some(AuthType::Keybased) && !self.proves_keys;
        let key = if unproved { "detail.stored" } else { "detail.works" };
        self.frame.app(key, &self.name)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn is_shown(&self, way: &AuthType) -> bool {
        *way == self.auth_type
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn way_name(&self, way: &AuthType) -> &'static str {
        self.frame.say(match way {
            AuthType::OAuth2 => "detail.oauth2",
            AuthType::Keybased => "detail.keybased",
        })
    }

    /// What a script compares, to see that the visitor has finished in another window.
    fn mark(&self) -> String {
        state_mark(&self.status)
    }

    fn connected_on(&self) -> Option<String> {
        self.status.connected_at.map(|at| self.frame.reader.lang.day(at))
    }
}

/// Changes with every new credential.
pub(super) fn state_mark(status: &Status) -> String {
    let at = status.connected_at.map_or(0, Timestamp::as_millis);
    format!("{}-{at}", status.standing.class())
}
