//! The page that asks for a key, or for what an application needs to know first.

use askama::Template;

use super::page::Frame;

/// The page. It posts `action=connect`, `auth_type` and each field as `f.` and its name to `/connect/{slug}`.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub struct FormPage {
    /// What stands around it.
    pub frame: Frame,
    /// What the form sends back.
    pub csrf: String,
    /// The application's name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// `Connect` or `Reconnect`.
    pub verb: &'static str,
    /// `oauth2` or `keybased`.
    pub auth_type: &'static str,
    /// A hint above the form.
    pub help: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// What is asked.
    pub fields: Vec<FormField>,
}

/// One field of the form.
#[derive(Clone, Debug, Default)]
pub struct FormField {
    /// The key to send back.
    pub name: String,
    /// The title.
    pub label: String,
    /// `text`, `password`, `number`, `boolean`, `select`, `textarea`.
    pub kind: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// Shown while empty.
    pub placeholder: String,
    /// Shown below the field.
    pub help: Option<String>,
    /// What a `select` offers.
    pub options: Vec<FieldOption>,
    /// Whether it is shown as dots and never sent back to the browser, whatever its type.
    pub secret: bool,
    /// What was typed in before.
    pub value: Option<String>,
}

/// One choice of a `select`.
#[derive(Clone, Debug)]
pub struct FieldOption {
    /// What people see.
    pub name: String,
    /// What is sent.
    pub value: String,
}

/// How a field is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// One of a few.
    Select,
    /// Several lines.
    Area,
    /// Yes or no.
    Check,
    /// One line, of this HTML type.
    Line(&'static str),
}

impl FormField {
    fn input(&self) -> Input {
        match self.kind.as_str() {
            "select" => Input::Select,
            "textarea" => Input::Area,
            "boolean" => Input::Check,
            "password" => Input::Line("password"),
            _ if self.secret => Input::Line("password"),
            "number" => Input::Line("number"),
            _ => Input::Line("text"),
        }
    }

    /// What the field starts with: a secret is never sent back.
    fn shown(&self) -> &str {
        if self.secret || self.kind == "password" {
            return "";
        }
        self.value.as_deref().unwrap_or_default()
    }

    fn is_value(&self, value: &str) -> bool {
        self.value.as_deref() == Some(value)
    }
}
