//! Rules: what an application's answers mean, as values read from its file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{Auth, Circumstances, Observation, Phase};
use super::signals::Signals;
use crate::reason::{Confidence, Reason, Verdict};

/// An ordered list of rules; the first that matches decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// No rules: generic knowledge alone decides.
    pub const NONE: Self = Self(Vec::new());

    /// These rules, then those of `later`.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        Self(self.0.iter().chain(&later.0).cloned().collect())
    }

    /// Whether errors of API calls come under a success, as a rule's own examples show.
    #[must_use]
    pub fn speak_under_success(&self) -> bool {
        let of_calls = |rule: &&Rule| rule.on.phase.is_empty() || rule.on.phase.contains(&Phase::ApiCall);
        let under_success = |example: &Example| {
            example.status.is_some_and(|status| (200..300).contains(&status))
                && example.phase.is_none_or(|phase| phase == Phase::ApiCall)
        };
        self.0
            .iter()
            .filter(of_calls)
            .any(|rule| rule.positive.iter().any(under_success))
    }

    /// The first rule that matches.
    pub(super) fn first_match(&self, seen: &Observation, signals: &Signals) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.matches(seen, signals))
    }
}

/// What a provider means by an answer, before circumstances decide the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The access token or key was refused; the answer does not say why.
    CredentialRefused,
    /// The access token or key was refused for being expired.
    CredentialExpired,
    /// The access token or key was refused for being revoked.
    CredentialRevoked,
    /// The refresh token was refused; the answer does not say why.
    GrantDead,
    /// The refresh token was refused for being expired.
    GrantExpired,
    /// The refresh token was refused for being revoked.
    GrantRevoked,
}

/// What a rule concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Always this.
    Fixed(Verdict, Option<Reason>),
    /// A meaning whose verdict depends on the circumstances.
    Means(Meaning),
}

/// One rule of an application or provider.
///
/// All conditions that are given must hold; within one list any entry suffices. Codes and texts are compared
/// without regard to case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RuleFile", into = "RuleFile")]
pub struct Rule {
    /// A stable dotted name that begins with the provider or slug.
    pub name: String,
    /// Where the fact comes from.
    pub source: String,
    /// When it applies.
    pub on: Conditions,
    /// What follows.
    pub conclusion: Conclusion,
    /// Whether the answer states a fixed conclusion, or only suggests it.
    pub confidence: Confidence,
    /// Answers that it must match.
    pub positive: Vec<Example>,
    /// Answers that look alike and that it must leave alone.
    pub near_miss: Vec<Example>,
}

/// When a rule applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Phases; empty means any.
    pub phase: Vec<Phase>,
    /// How the connection authenticates; none means either.
    pub auth: Option<Auth>,
    /// Statuses; empty means any but 429, 5xx and none at all.
    pub status: Vec<u16>,
    /// Header name (lower case) and a part of its value; an empty part means: present.
    pub header: BTreeMap<String, String>,
    /// JSON pointer (RFC 6901) and the exact value there.
    pub pointer: BTreeMap<String, serde_json::Value>,
    /// Error codes wherever the answer carries codes.
    pub code: Vec<String>,
    /// Parts of the answer's texts.
    pub text: Vec<String>,
    /// The body is empty.
    pub empty_body: bool,
    /// Circumstances.
    pub when: When,
}

/// Circumstances that a rule asks for; each that is given must be known and so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// A refresh token is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_refresh_token: Option<bool>,
    /// The same credential has worked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_previously_worked: Option<bool>,
    /// The access token is younger than so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_younger_than: Option<u64>,
    /// The access token is (or is not) past its lifetime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_outlived: Option<bool>,
}

impl When {
    fn holds(&self, known: &Circumstances) -> bool {
        let same = |wanted: Option<bool>, is: Option<bool>| wanted.is_none() || wanted == is;
        let young = self.access_token_younger_than.is_none_or(|secs| {
            known
                .access_token_age
                .is_some_and(|age| age < Duration::from_secs(secs))
        });
        let outlived = self
            .access_token_outlived
            .is_none_or(|wanted| wanted == known.access_token_outlived());
        same(self.has_refresh_token, known.has_refresh_token)
            && same(self.token_previously_worked, known.token_previously_worked)
            && young
            && outlived
    }
}

/// An answer that illustrates a rule. What is not given is taken from the rule itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Example {
    /// The phase; by default the rule's first, else an API call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// By default the rule's, else OAuth 2.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// By default the rule's first status, else 400 (401 for calls).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// As sent.
    pub body: String,
    /// Circumstances, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_refresh_token: Option<bool>,
    /// The same credential has worked before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_previously_worked: Option<bool>,
    /// Seconds since the access token was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_age: Option<u64>,
    /// Its lifetime in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<u64>,
}

impl Rule {
    /// Whether every condition holds.
    pub(super) fn matches(&self, seen: &Observation, signals: &Signals) -> bool {
        let on = &self.on;
        (on.phase.is_empty() || on.phase.iter().any(|wanted| seen.phase.is_covered_by(*wanted)))
            && on.auth.is_none_or(|wanted| wanted == seen.auth)
            && on.covers_status(seen.status)
            && on.header.iter().all(|(name, part)| {
                let value = seen.header(name).map(str::to_lowercase);
                value.is_some_and(|value| value.contains(&part.to_lowercase()))
            })
            && on.pointer.iter().all(|(at, value)| signals.at(at) == Some(value))
            && (on.code.is_empty() || on.code.iter().any(|code| signals.has_code(code)))
            && (on.text.is_empty() || on.text.iter().any(|text| signals.has_text(text)))
            && (!on.empty_body || signals.is_empty())
            && on.when.holds(&seen.circumstances)
    }

    /// What in the answer made it match: a code, a text, or nothing but the status.
    pub(super) fn matched_words(&self, signals: &Signals) -> String {
        let code = self.on.code.iter().find(|code| signals.has_code(code));
        let text = self.on.text.iter().find(|text| signals.has_text(text));
        let pointer = self.on.pointer.values().next().map(ToString::to_string);
        [code.cloned(), text.cloned(), pointer]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// The observation that an example of this rule describes.
    #[must_use]
    pub fn observation(&self, example: &Example) -> Observation {
        let phase = example
            .phase
            .or(self.on.phase.first().copied())
            .unwrap_or(Phase::ApiCall);
        let auth = example.auth.or(self.on.auth).unwrap_or(Auth::OAuth2);
        let usual = if phase.is_call() { 401 } else { 400 };
        let status = example.status.or(self.on.status.first().copied()).unwrap_or(usual);
        Observation {
            headers: example.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            body: example.body.clone().into_bytes(),
            circumstances: Circumstances {
                has_refresh_token: example.has_refresh_token,
                token_previously_worked: example.token_previously_worked,
                access_token_age: example.access_token_age.map(Duration::from_secs),
                access_token_lifetime: example.access_token_lifetime.map(Duration::from_secs),
                ..Circumstances::default()
            },
            ..Observation::answer(auth, phase, status)
        }
    }
}

impl Conditions {
    /// Passing trouble is never taken for anything else unless the rule names the status.
    fn covers_status(&self, status: u16) -> bool {
        if self.status.is_empty() {
            !is_passing(status)
        } else {
            self.status.contains(&status)
        }
    }

    fn asks_for_nothing(&self) -> bool {
        self.header.is_empty()
            && self.pointer.is_empty()
            && self.code.is_empty()
            && self.text.is_empty()
            && self.status.is_empty()
    }
}

/// Statuses that by themselves speak of passing trouble: none, 429, 5xx.
pub(super) const fn is_passing(status: u16) -> bool {
    status == 0 || status == 429 || status >= 500
}

/// A rule as it stands in a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleFile {
    name: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    means: Option<Meaning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    phase: Vec<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Auth>,
    status: Vec<u16>,
    header: BTreeMap<String, String>,
    pointer: BTreeMap<String, serde_json::Value>,
    code: Vec<String>,
    text: Vec<String>,
    empty_body: bool,
    when: When,
    positive: Vec<Example>,
    near_miss: Vec<Example>,
}

impl TryFrom<RuleFile> for Rule {
    type Error = String;

    fn try_from(file: RuleFile) -> Result<Self, String> {
        let name = file.name;
        let wrong = |what: &str| Err(format!("rule `{name}`: {what}"));
        let conclusion = match (file.verdict, file.means) {
            (Some(verdict), None) => Conclusion::Fixed(verdict, file.reason),
            (None, Some(_)) if file.reason.is_some() => return wrong("`reason` goes with `verdict`, not with `means`"),
            (None, Some(means)) => Conclusion::Means(means),
            _ => return wrong("exactly one of `verdict` and `means` is wanted"),
        };
        if file.means.is_some() && file.confidence.is_some() {
            return wrong("`confidence` goes with `verdict`; with `means` the circumstances decide it");
        }
        if let Conclusion::Fixed(Verdict::Reauth, reason) = conclusion
            && !reason.is_some_and(Reason::may_flag)
        {
            return wrong("`reauth` needs a reason that can flag a connection");
        }
        let on = Conditions {
            phase: file.phase,
            auth: file.auth,
            status: file.status,
            header: file.header,
            pointer: file.pointer,
            code: file.code,
            text: file.text,
            empty_body: file.empty_body,
            when: file.when,
        };
        if !name.contains('.') {
            return wrong("`name` wants the form `provider.what`");
        }
        if file.source.is_empty() {
            return wrong("`source` is missing: say where the fact comes from, or `unverified`");
        }
        if on.asks_for_nothing() {
            return wrong("a condition is wanted: status, header, pointer, code or text");
        }
        Ok(Self {
            name,
            source: file.source,
            on,
            conclusion,
            confidence: file.confidence.unwrap_or(Confidence::Stated),
            positive: file.positive,
            near_miss: file.near_miss,
        })
    }
}

impl From<Rule> for RuleFile {
    fn from(rule: Rule) -> Self {
        let (verdict, reason, means) = match rule.conclusion {
            Conclusion::Fixed(verdict, reason) => (Some(verdict), reason, None),
            Conclusion::Means(means) => (None, None, Some(means)),
        };
        let on = rule.on;
        Self {
            name: rule.name,
            source: rule.source,
            means,
            verdict,
            reason,
            confidence: (rule.confidence == Confidence::Inferred).then_some(rule.confidence),
            phase: on.phase,
            auth: on.auth,
            status: on.status,
            header: on.header,
            pointer: on.pointer,
            code: on.code,
            text: on.text,
            empty_body: on.empty_body,
            when: on.when,
            positive: rule.positive,
            near_miss: rule.near_miss,
        }
    }
}

/// Whether the rule itself names the status of passing trouble, and thereby says why.
pub(super) fn names_passing(rule: &Rule, status: u16) -> bool {
    rule.on.status.contains(&status)
}
