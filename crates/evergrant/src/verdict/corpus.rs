//! Labelled observations as JSON Lines, and the score against them.
//!
//! Pure over readers and writers: `evergrant judge` and the tests share it. Labels are optional and unknown fields
//! ignored, so that teams can run it on their own logs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read as _, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::model::{Auth, Circumstances, NetworkFault, Observation, Phase};
use super::rules::Rules;
use crate::reason::{Reason, Verdict};

/// One line of a corpus.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id; empty when it has none.
    pub id: String,
    /// A provider or an application's slug.
    pub provider: String,
    /// What was seen.
    pub observation: Observation,
    /// What it deserves, if somebody said so.
    pub label: Option<Label>,
}

/// What an observation deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason, if any.
    #[serde(default)]
    pub reason: Option<Reason>,
}

/// What `evergrant judge` prints for one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// As read.
    pub id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason; null where there is none.
    pub reason: Option<Reason>,
    /// `stated` or `inferred`.
    pub confidence: crate::reason::Confidence,
    /// Which rule decided.
    pub rule: String,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    id: Value,
    provider: Option<String>,
    auth: Auth,
    phase: Phase,
    status: u16,
    headers: Option<BTreeMap<String, Value>>,
    content_type: Option<String>,
    body: Option<Value>,
    context: Option<Map<String, Value>>,
    label: Option<Label>,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            id: Value::Null,
            provider: None,
            auth: Auth::OAuth2,
            phase: Phase::ApiCall,
            status: 0,
            headers: None,
            content_type: None,
            body: None,
            context: None,
            label: None,
        }
    }
}

impl Entry {
    /// Reads one line.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        if !line.starts_with('{') {
            return Err(serde::de::Error::custom("not a JSON object"));
        }
        let raw: Raw = serde_json::from_str(line)?;
        let context = raw.context.unwrap_or_default();
        let as_text = |value: Value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let fault = (raw.status == 0).then(|| fault(context.get("network_error").and_then(Value::as_str)));
        let headers = raw
            .headers
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), as_text(value)));
        Ok(Self {
            id: as_text(raw.id),
            provider: raw.provider.unwrap_or_default(),
            observation: Observation {
                headers: headers.collect(),
                content_type: raw.content_type.unwrap_or_default(),
                body: raw.body.map(as_text).unwrap_or_default().into_bytes(),
                fault,
                circumstances: circumstances(&context),
                ..Observation::answer(raw.auth, raw.phase, raw.status)
            },
            label: raw.label,
        })
    }

    /// Its judgement as a line.
    #[must_use]
    pub fn judge(&self, rules: &Rules) -> Line {
        let judgement = super::judge(&self.observation, rules);
        Line {
            id: self.id.clone(),
            verdict: judgement.verdict,
            reason: judgement.reason,
            confidence: judgement.confidence,
            rule: judgement.evidence.rule,
        }
    }
}

fn fault(name: Option<&str>) -> NetworkFault {
    let name = name.unwrap_or_default().to_ascii_uppercase();
    let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if any(&["TIMEDOUT", "TIMEOUT", "ESOCKETTIMEDOUT"]) {
        NetworkFault::Timeout
    } else if any(&["ENOTFOUND", "EAI_", "DNS"]) {
        NetworkFault::Dns
    } else if any(&["ECONNREFUSED", "UNREACH"]) {
        NetworkFault::Unreachable
    } else if any(&["CERT", "TLS", "SSL"]) {
        NetworkFault::Tls
    } else if any(&["ECONNRESET", "EPIPE", "SOCKET", "HANG UP", "BROKEN"]) {
        NetworkFault::Broken
    } else {
        NetworkFault::Other
    }
}

/// The corpus's own names for what is known besides the answer.
fn circumstances(context: &Map<String, Value>) -> Circumstances {
    let flag = |name: &str| context.get(name).and_then(Value::as_bool);
    let number = |name: &str, unit: f64| {
        let seconds = context.get(name).and_then(Value::as_f64)? * unit;
        Duration::try_from_secs_f64(seconds).ok()
    };
    let seconds = |name: &str| number(name, 1.0);
    let days = |name: &str| number(name, 86_400.0);
    let text = |name: &str| context.get(name).and_then(Value::as_str);
    let differ = |one: &str, other: &str| matches!((text(one), text(other)), (Some(a), Some(b)) if a != b);
    // ISO 8601 in UTC sorts as text.
    let password_changed = match (text("account_password_changed_at"), text("last_successful_refresh_at")) {
        (Some(changed), Some(refreshed)) => Some(changed > refreshed),
        _ => None,
    };
    let unset = text("client_id_sent").map(|id| matches!(id, "" | "undefined" | "null" | "None"));
    let misbuilt = differ("host_called", "host_required")
        || (text("credential_kind_configured") == Some("api_token") && text("sent_as") == Some("bearer"))
        || unset == Some(true);
    Circumstances {
        has_refresh_token: flag("has_refresh_token"),
        access_token_age: seconds("access_token_age_seconds"),
        access_token_lifetime: seconds("access_token_lifetime_seconds"),
        refresh_token_age: days("refresh_token_age_days"),
        refresh_token_lifetime: days("refresh_token_lifetime_days"),
        idle_for: days("days_since_last_successful_use"),
        idle_limit: days("refresh_token_inactivity_limit_days"),
        token_previously_worked: flag("token_previously_worked").or_else(|| flag("same_key_previously_worked")),
        fresh_from_refresh: flag("fresh_from_refresh"),
        reply_lost: flag("reply_lost"),
        newer_token_stored: flag("newer_access_token_stored"),
        password_changed_since: password_changed,
        session_ended: flag("sso_session_idle"),
        other_calls_succeed: flag("other_calls_with_same_token_ok"),
        works_from_elsewhere: flag("same_credential_from_another_network_ok"),
        many_refused_at_once: flag("many_connections_hit_at_once"),
        redirects_to_provider: flag("redirect_host_belongs_to_provider"),
        request_misbuilt: misbuilt.then_some(true),
    }
}

/// Right, wrong and missed, per word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Said and deserved.
    pub hits: u32,
    /// Said though not deserved.
    pub false_alarms: u32,
    /// Deserved though not said.
    pub misses: u32,
}

impl Tally {
    /// Of what was said, the share that was deserved; 1 when nothing was said.
    #[must_use]
    pub fn precision(self) -> f64 {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// Of what was deserved, the share that was said; 1 when nothing was deserved.
    #[must_use]
    pub fn recall(self) -> f64 {
        share(self.hits, self.hits + self.misses)
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        1.0
    } else {
        f64::from(part) / f64::from(whole)
    }
}

/// The score against labels.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Labelled entries.
    pub entries: u32,
    /// Those with the exact verdict.
    pub verdicts: u32,
    /// Those with the exact verdict and reason.
    pub reasons: u32,
    /// Judged `reauth` though they are not: false alarms.
    pub false_flags: u32,
    /// Not judged `reauth` though they are: silent deaths.
    pub missed_flags: u32,
    /// Per verdict.
    pub by_verdict: BTreeMap<&'static str, Tally>,
    /// Per reason; `null` where there is none.
    pub by_reason: BTreeMap<&'static str, Tally>,
    /// Every entry judged otherwise than its label says.
    pub wrong: Vec<String>,
    /// How many lines could not be read.
    pub unread: u64,
    /// The first hundred of them: number and cause.
    pub unread_lines: Vec<String>,
}

impl Score {
    /// Counts one judged entry; entries without a label count nothing.
    pub fn add(&mut self, entry: &Entry, line: &Line) {
        let Some(label) = entry.label else { return };
        self.entries += 1;
        self.verdicts += u32::from(label.verdict == line.verdict);
        self.reasons += u32::from(label.verdict == line.verdict && label.reason == line.reason);
        self.false_flags += u32::from(line.verdict == Verdict::Reauth && label.verdict != Verdict::Reauth);
        self.missed_flags += u32::from(line.verdict != Verdict::Reauth && label.verdict == Verdict::Reauth);
        count(&mut self.by_verdict, line.verdict.as_str(), label.verdict.as_str());
        let (said, deserved) = (reason_word(line.reason), reason_word(label.reason));
        count(&mut self.by_reason, said, deserved);
        if (label.verdict, label.reason) != (line.verdict, line.reason) {
            let wanted = format!("{} {deserved}", label.verdict);
            let id = entry.id.replace(char::is_control, "\u{fffd}");
            self.wrong.push(format!(
                "{id}: {} {said} by {}, wanted {wanted}",
                line.verdict, line.rule
            ));
        }
    }

    fn could_not_read(&mut self, number: u64, what: &dyn fmt::Display) {
        self.unread += 1;
        if self.unread_lines.len() < 100 {
            self.unread_lines.push(format!("line {number}: {what}"));
        }
    }

    /// Share of exact verdicts.
    #[must_use]
    pub fn verdict_share(&self) -> f64 {
        share(self.verdicts, self.entries)
    }

    /// Share of exact verdicts with exact reasons.
    #[must_use]
    pub fn reason_share(&self) -> f64 {
        share(self.reasons, self.entries)
    }
}

fn reason_word(reason: Option<Reason>) -> &'static str {
    reason.map_or("null", Reason::as_str)
}

fn count(table: &mut BTreeMap<&'static str, Tally>, said: &'static str, deserved: &'static str) {
    if said == deserved {
        table.entry(said).or_default().hits += 1;
    } else {
        table.entry(said).or_default().false_alarms += 1;
        table.entry(deserved).or_default().misses += 1;
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        writeln!(
            f,
            "labelled {}  false flags {}  missed flags {}",
            self.entries, self.false_flags, self.missed_flags
        )?;
        let (verdict, reason) = (percent(self.verdict_share()), percent(self.reason_share()));
        writeln!(
            f,
            "verdict exact {verdict:.1} %  verdict and reason exact {reason:.1} %"
        )?;
        for (title, table) in [("verdict", &self.by_verdict), ("reason", &self.by_reason)] {
            writeln!(f, "{title:<30} precision  recall")?;
            for (word, tally) in table {
                let (precision, recall) = (percent(tally.precision()), percent(tally.recall()));
                writeln!(f, "  {word:<28} {precision:>8.1}  {recall:>6.1}")?;
            }
        }
        self.wrong.iter().try_for_each(|miss| writeln!(f, "  {miss}"))
    }
}

/// No line may be longer: a body is cut long before, and a file without line ends must not fill the memory.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Judges every line of `input` and writes one line each to `output`; empty lines are passed over.
///
/// `rules_for` gives the rules of a provider or slug. A line that cannot be read, or is longer than 16 MiB, is passed over and
/// told in [`Score::unread`] by its number. Bytes that are no UTF-8 are replaced; a byte order mark and carriage returns mean
/// nothing.
pub fn judge_lines<'r>(
    mut input: impl BufRead,
    mut output: impl Write,
    rules_for: impl Fn(&str) -> std::borrow::Cow<'r, Rules>,
) -> io::Result<Score> {
    let mut score = Score::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
            score.could_not_read(number, &"longer than 16 MiB");
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let entry = match Entry::parse(text) {
            Ok(entry) => entry,
            Err(error) => {
                score.could_not_read(number, &error);
                continue;
            }
        };
        let judged = entry.judge(&rules_for(&entry.provider));
        score.add(&entry, &judged);
        serde_json::to_writer(&mut output, &judged)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(score)
}
