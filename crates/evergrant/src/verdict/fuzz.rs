//! The entry for fuzzers: any bytes are an observation, and the promises of [`super::judge`] must hold for it.
//!
//! A plain function, so that a fuzzer needs no more than a call to it; the seeds under `tests/data/fuzz` run through it, cut and
//! mangled, in the ordinary tests.

use super::corpus::Entry;
use super::model::{Auth, Judgement, NetworkFault, Observation, Phase};
use super::{Rules, judge, redact, rules};
use crate::reason::{Reason, Verdict};

/// Judges `bytes` with `rules`, and holds the judgement against the promises of [`super::judge`].
///
/// The form is legible, so that seeds can be written by hand: a first line `oauth2 refresh 400` (or a fault in place of the
/// status: `oauth2 refresh timeout`), header lines, an empty line, the body. Whatever is missing or odd takes a default, so
/// that no input is refused. The same bytes are read as a line of a log too.
///
/// # Panics
///
/// When a promise is broken; that is what a fuzzer looks for.
pub fn check(bytes: &[u8], rules: &Rules) -> Judgement {
    if let Ok(entry) = Entry::parse(&String::from_utf8_lossy(bytes)) {
        hold(&entry.observation, rules);
    }
    hold(&observation(bytes), rules)
}

fn hold(seen: &Observation, rules: &Rules) -> Judgement {
    let judged = judge(seen, rules);
    let words = &judged.evidence.words;
    assert!(words.chars().count() <= 200, "evidence is too long: {words}");
    assert_eq!(redact(words), *words, "evidence is not redacted");
    assert_eq!(judged.evidence.status, seen.status);
    if judged.verdict == Verdict::Reauth {
        assert!(judged.reason.is_some_and(Reason::may_flag), "a flag without a reason");
        let says_why = |rule: &&super::Rule| rule.name == judged.evidence.rule && rule.on.status.contains(&seen.status);
        let passing = rules::is_passing(seen.status) || seen.fault.is_some();
        assert!(
            !passing || rules.0.iter().any(|rule| says_why(&rule)),
            "passing trouble flags"
        );
    }
    judged
}

fn observation(bytes: &[u8]) -> Observation {
    let (head, body) = split(bytes, b"\n\n");
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_whitespace();
    let auth = match words.next() {
        Some("api_key") => Auth::ApiKey,
        _ => Auth::OAuth2,
    };
    let phase = match words.next() {
        Some("refresh") => Phase::Refresh,
        Some("authorize_callback") => Phase::AuthorizeCallback,
        Some("code_exchange") => Phase::CodeExchange,
        Some("probe") => Phase::Probe,
        _ => Phase::ApiCall,
    };
    let end = words.next().unwrap_or_default();
    let mut seen = fault(end).map_or_else(
        || Observation::answer(auth, phase, end.parse().unwrap_or(400)),
        |fault| Observation::fault(auth, phase, fault),
    );
    seen.headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
        .collect();
    seen.content_type = seen.header("content-type").unwrap_or_default().to_owned();
    seen.body = body.to_vec();
    seen
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at);
    found.map_or((bytes, &[]), |found| (&bytes[..found], &bytes[found + at.len()..]))
}

fn fault(word: &str) -> Option<NetworkFault> {
    use NetworkFault::{Broken, Dns, Other, Timeout, Tls, Unreachable};
    let all = [Dns, Unreachable, Tls, Timeout, Broken, Other];
    all.into_iter().find(|fault| fault.as_str() == word)
}
