//! The fields of a form that asks for a key, or for what an application needs to know first.

use super::words::Lang;
use crate::authorize::{Inputs, Misfit, misfit};
use crate::catalog::InputField;

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
    /// What is wrong with it.
    pub error: Option<String>,
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
    pub(super) fn input(&self) -> Input {
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
    pub(super) fn shown(&self) -> &str {
        if self.secret || self.kind == "password" {
            return "";
        }
        self.value.as_deref().unwrap_or_default()
    }

    pub(super) fn is_value(&self, value: &str) -> bool {
        self.value.as_deref() == Some(value)
    }

    pub(super) fn is_described(&self) -> bool {
        self.error.is_some() || self.help.is_some()
    }

    /// The ids of what describes the field numbered `at`.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    pub(super) fn described_by(&self, at: &usize) -> String {
        let parts = [(self.error.is_some(), 'e'), (self.help.is_some(), 'h')];
        let ids = parts
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, kind)| format!("{kind}-{at}"));
        ids.collect::<Vec<_>>().join(" ")
    }

    /// Keeps what was typed in, a secret excepted, and says what is wrong with it.
    pub(super) fn keep(&mut self, (field, lang): (&InputField, Lang), typed: &Inputs) {
        let value = typed.get(&self.name);
        self.error = misfit(field, value.map(String::as_str)).map(|misfit| {
            lang.say(match misfit {
                Misfit::Missing => "form.missing",
                Misfit::Long | Misfit::Form => "form.misfit",
            })
            .to_owned()
        });
        if !self.secret {
            self.value = value.cloned();
        }
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
            error: None,
        }
    }
}
