//! Why something was decided: the rule, where it comes from, the words.

use serde::Serialize;
use utoipa::ToSchema;

use crate::catalog::Application;
use crate::connections::TimelineEntry;
use crate::reason::{Confidence, Reason, Verdict};
use crate::verdict::Evidence;

/// Why a verdict was reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// A stable dotted name.
    rule: String,
    /// Where the fact behind the rule comes from: an address, an RFC, or who said it.
    source: Option<String>,
    /// The words or codes that decided, redacted.
    words: String,
    /// The HTTP status; 0 when no answer arrived.
    status: u16,
}

impl EvidenceView {
    /// Evidence about an application, which an operator may have taken out of the custom folder since.
    #[must_use]
    pub fn of(evidence: Evidence, application: Option<&Application>) -> Self {
        Self {
            source: source(&evidence.rule, application),
            rule: evidence.rule,
            words: evidence.words,
            status: evidence.status,
        }
    }
}

/// Where the fact behind a rule comes from.
#[must_use]
pub fn source(rule: &str, application: Option<&Application>) -> Option<String> {
    let stated = application.and_then(|application| application.source_of(rule));
    let ours = match rule.split('.').next().unwrap_or_default() {
        "generic" => "RFC 6749, RFC 6750 and common practice",
        "manual" | "client" | "incident" => "your team",
        "plan" => "the end that the provider gave the token",
        "callback" => "the provider's consent page",
        "probe" | "refresh" | "proxy" => "what Evergrant saw",
        _ => "",
    };
    stated
        .or(Some(ours))
        .filter(|source| !source.is_empty())
        .map(str::to_owned)
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineView {
    at: String,
    /// `connected`, `reconnected`, `trouble`, `recovered`, `flagged`, `healed`, `disconnected`; `observed` changed nothing.
    event: String,
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    confidence: Option<&'static str>,
    evidence: Option<EvidenceView>,
}

impl TimelineView {
    /// An entry in the timeline of a connection to `application`.
    #[must_use]
    pub fn of(entry: TimelineEntry, application: Option<&Application>) -> Self {
        Self {
            at: entry.at.iso(),
            event: entry.kind,
            verdict: entry.verdict.map(Verdict::as_str),
            reason: entry.reason.map(Reason::as_str),
            confidence: entry.confidence.map(Confidence::as_str),
            evidence: entry.evidence.map(|evidence| EvidenceView::of(evidence, application)),
        }
    }
}
