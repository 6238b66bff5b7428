//! What commands print: tables for people, JSON for programs, both to standard output.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde_json::Value;

use crate::clock::Timestamp;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) json: bool,
}

impl Out {
    /// Many things: an array, or a table.
    pub(super) fn list<R: IntoIterator<Item = String>>(
        self,
        json: impl IntoIterator<Item = Value>,
        head: &[&str],
        rows: impl IntoIterator<Item = R>,
    ) -> io::Result<()> {
        if self.json {
            return print_json(&json.into_iter().collect());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head);
        let mut any = false;
        for row in rows {
            any = true;
            table.add_row(row.into_iter().map(|cell| printable(&cell)));
        }
        if !any {
            return print("none");
        }
        print(&table.trim_fmt())
    }

    /// One thing: an object, or its fields, one a line.
    pub(super) fn one(self, json: &Value, fields: &[(&str, String)]) -> io::Result<()> {
        if self.json {
            return print_json(json);
        }
        let wide = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = fields
            .iter()
            .map(|(name, value)| format!("{name:wide$}  {}", printable(value)).trim_end().to_owned());
        print(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// Something is explained: an object, or sentences, one a line.
    pub(super) fn told(self, json: &Value, lines: impl Iterator<Item = String>) -> io::Result<()> {
        if self.json {
            return print_json(json);
        }
        print(&lines.map(|line| printable(&line)).collect::<Vec<_>>().join("\n"))
    }

    /// Something was done: an object, or a sentence.
    pub(super) fn done(self, json: &Value, sentence: &str) -> io::Result<()> {
        if self.json {
            print_json(json)
        } else {
            print(&printable(sentence))
        }
    }
}

fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value:#}"))
}

pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Text from outside must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A time for people and programs; a dash where there is none.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), Timestamp::iso)
}

/// A time for programs.
pub(super) fn json_time(at: Option<Timestamp>) -> Value {
    at.map(Timestamp::iso).into()
}

/// A word, or a dash.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_printed_steers_a_terminal() {
        assert_eq!(super::printable("a\u{1b}[31mb\r"), "a\u{fffd}[31mb\u{fffd}");
    }
}
