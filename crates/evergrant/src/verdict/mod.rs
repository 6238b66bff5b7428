//! What one observation means.
//!
//! [`judge`] is pure: an [`Observation`] and the application's [`Rules`] go in, a [`Judgement`] comes out. It
//! promises:
//!
//! * it never panics, whatever the bytes, and looks at 64 KiB at most;
//! * passing trouble (no answer, 429, 5xx) is never [`Verdict::Reauth`], unless a rule names the status and says why;
//! * [`Verdict::Reauth`] always has a reason that may flag a connection;
//! * its evidence is redacted.
//!
//! Reading order: [`model`] is what goes in and out; `signals` (over `body`) reads an answer; `rules` are an
//! application's knowledge as values; `generic` and `calls` are
//! everyone's, with `words` for wording; `resolve` lets the
//! circumstances decide. [`corpus`] reads labelled observations and keeps the score; [`fuzz`] is
//! the entry for fuzzers.

mod body;
mod calls;
pub mod corpus;
pub mod fuzz;
mod generic;
pub mod model;
mod redact;
mod resolve;
mod rules;
mod signals;
mod words;

#[cfg(test)]
mod tests;

pub use model::{Auth, Circumstances, Evidence, Judgement, NetworkFault, Observation, Phase};
pub use redact::redact;
pub use rules::{Conclusion, Conditions, Example, Meaning, Rule, Rules, When};

use signals::Signals;

use crate::reason::{Confidence, Reason, Verdict};
use resolve::Finding;

/// Judges one observation: what the circumstances alone decide, then the rules in order, then generic knowledge.
#[must_use]
pub fn judge(seen: &Observation, rules: &Rules) -> Judgement {
    let signals = Signals::read(seen);
    let (finding, explicit) = if let Some(finding) = resolve::by_circumstances(seen) {
        (finding, false)
    } else if let Some(rule) = rules.first_match(seen, &signals) {
        let words = rule.matched_words(&signals);
        (Finding::of(rule, words), rules::names_passing(rule, seen.status))
    } else {
        (generic::find(seen, &signals), false)
    };
    let judgement = resolve::judgement(seen, finding);
    if judgement.verdict == Verdict::Reauth && rules::is_passing(seen.status) && !explicit {
        return passing(judgement);
    }
    judgement
}

/// The last line of defence for the first promise: outages and throttling never flag.
fn passing(judgement: Judgement) -> Judgement {
    let reason = match judgement.evidence.status {
        0 => Reason::Network,
        429 => Reason::RateLimited,
        _ => Reason::ProviderOutage,
    };
    Judgement {
        verdict: Verdict::Transient,
        reason: Some(reason),
        confidence: Confidence::Inferred,
        ..judgement
    }
}
