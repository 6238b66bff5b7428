//! `evergrant judge`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::out::print;
use super::{Loaded, open};
use crate::verdict::Rules;
use crate::verdict::corpus::{Score, Tally, judge_lines};

const EXAMPLES: &str = "\
Examples:
  evergrant judge observations.jsonl
  evergrant judge --score observations.jsonl          how often is it right?
  echo '{\"provider\":\"slack\",\"status\":200,\"body\":\"{\\\"ok\\\":false,\\\"error\\\":\\\"token_revoked\\\"}\"}' | evergrant judge

Each line is an observation: provider (or the slug of an application), auth (oauth2, api_key), phase (refresh, api_call, …),
status, headers, content_type, body, context. Each line of the answer: id, verdict, reason, confidence, rule. A line that
cannot be read is passed over, told by its number, and makes the exit code 1.";

/// Judge observations, one JSON object a line
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Judge {
    /// The observations; standard input when absent
    file: Option<PathBuf>,
    /// Add the score against the labels, and every miss; with --json a last line `{"score": …}`
    #[arg(long)]
    score: bool,
    /// Use no rules of applications and providers
    #[arg(long)]
    generic: bool,
}

impl Judge {
    pub(super) fn run(&self, loaded: &Loaded) -> anyhow::Result<()> {
        let config = &loaded.config;
        let catalog = open::catalog(config, &config.public_url(config.listen))?;
        let rules = |provider: &str| {
            Cow::Borrowed(if self.generic {
                const { &Rules::NONE }
            } else {
                catalog.rules_for(provider)
            })
        };
        let input: Box<dyn BufRead> = match &self.file {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
                Box::new(BufReader::new(file))
            }
            None => Box::new(io::stdin().lock()),
        };
        let output = io::BufWriter::new(io::stdout().lock());
        match judge_lines(input, output, rules).and_then(|score| self.tell(&score, loaded.out.json).map(|()| score)) {
            Ok(score) if score.unread > 0 => anyhow::bail!("{} lines could not be read", score.unread),
            Ok(_) => Ok(()),
            // Whoever reads has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(error).context("the observations cannot be judged"),
        }
    }

    fn tell(&self, score: &Score, json: bool) -> io::Result<()> {
        for line in &score.unread_lines {
            eprintln!("{}", super::out::printable(line));
        }
        if self.score && json {
            print(&json!({ "score": view(score) }).to_string())?;
        } else if self.score {
            print(&format!("\n{}", score.to_string().trim_end()))?;
        }
        Ok(())
    }
}

fn view(score: &Score) -> Value {
    let table = |table: &BTreeMap<&'static str, Tally>| -> Value {
        let one = |(word, tally): (&&str, &Tally)| {
            (
                (*word).to_owned(),
                json!({ "precision": tally.precision(), "recall": tally.recall() }),
            )
        };
        Value::Object(table.iter().map(one).collect())
    };
    json!({
        "labelled": score.entries,
        "false_flags": score.false_flags,
        "missed_flags": score.missed_flags,
        "verdict_exact": score.verdict_share(),
        "verdict_and_reason_exact": score.reason_share(),
        "by_verdict": table(&score.by_verdict),
        "by_reason": table(&score.by_reason),
        "wrong": score.wrong,
        "unread": score.unread,
    })
}
