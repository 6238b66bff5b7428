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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::catalog::Catalog;
    use crate::verdict::Circumstances;

    /// The rules of every application, each with its provider's.
    static EVERY: LazyLock<Vec<Rules>> = LazyLock::new(|| {
        let catalog = Catalog::load(None, None).unwrap();
        let rules = catalog.all().into_iter().map(|application| application.rules.clone());
        rules.filter(|rules| !rules.0.is_empty()).collect()
    });

    /// Bodies that look like what providers send, torn and mixed.
    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let words = prop::sample::select(vec![
            "invalid_grant",
            "token_revoked",
            "{\"error\":",
            "\"error_description\":",
            "expired",
            "revoked",
            "refresh token",
            "<html>",
            "invalid api key",
            "error=",
            "&",
            "}",
            "]",
            "user is disabled",
            "app not installed",
            "{\"ok\":false,",
            "\"code\":190",
            "password changed",
        ]);
        let mixed = prop::collection::vec(words, 0..12).prop_map(|parts| parts.concat().into_bytes());
        prop_oneof![
            mixed,
            prop::collection::vec(any::<u8>(), 0..200),
            ".{0,80}".prop_map(String::into_bytes)
        ]
    }

    /// Bodies from the rules' own examples, some of them torn.
    fn examples() -> impl Strategy<Value = Vec<u8>> {
        let rules = EVERY.iter().flat_map(|rules| &rules.0);
        let examples = rules.flat_map(|rule| rule.positive.iter().chain(&rule.near_miss));
        let bodies: Vec<_> = examples.map(|example| example.body.clone().into_bytes()).collect();
        (prop::sample::select(bodies), prop::option::of(0..200_usize)).prop_map(|(mut body, cut)| {
            body.truncate(cut.unwrap_or(usize::MAX));
            body
        })
    }

    /// Little is known as a rule, and anything may be.
    fn circumstances() -> impl Strategy<Value = Circumstances> {
        let known = prop::option::weighted(0.2, any::<bool>());
        let ages = prop::option::weighted(0.5, 0..400_000_u64);
        (prop::collection::vec(known, 12), prop::collection::vec(ages, 6)).prop_map(|(known, ages)| {
            let age = |at: usize| ages[at].map(Duration::from_secs);
            Circumstances {
                has_refresh_token: known[0],
                access_token_age: age(0),
                access_token_lifetime: age(1),
                refresh_token_age: age(2),
                refresh_token_lifetime: age(3),
                idle_for: age(4),
                idle_limit: age(5),
                token_previously_worked: known[1],
                fresh_from_refresh: known[2],
                reply_lost: known[3],
                newer_token_stored: known[4],
                password_changed_since: known[5],
                session_ended: known[6],
                other_calls_succeed: known[7],
                works_from_elsewhere: known[8],
                many_refused_at_once: known[9],
                redirects_to_provider: known[10],
                request_misbuilt: known[11],
            }
        })
    }

    fn observations() -> impl Strategy<Value = Observation> {
        use NetworkFault::{Broken, Dns, Other, Timeout, Tls, Unreachable};
        let phases = vec![
            Phase::Refresh,
            Phase::ApiCall,
            Phase::AuthorizeCallback,
            Phase::CodeExchange,
            Phase::Probe,
        ];
        let faults = vec![Dns, Unreachable, Tls, Timeout, Broken, Other];
        let about = (
            prop::sample::select(vec![Auth::OAuth2, Auth::ApiKey]),
            prop::sample::select(phases),
            prop_oneof![200_u16..600, any::<u16>()],
            prop::option::weighted(0.2, prop::sample::select(faults)),
        );
        let said = (".{0,40}", prop_oneof![bodies(), examples()]);
        (about, said, circumstances()).prop_map(|((auth, phase, status, fault), (header, body), circumstances)| {
            let headers = ["www-authenticate", "location", "content-type"];
            Observation {
                headers: headers.map(|name| (name.to_owned(), header.clone())).to_vec(),
                body,
                fault,
                circumstances,
                ..Observation::answer(auth, phase, status)
            }
        })
    }

    proptest! {
        #[test]
        fn nothing_panics_and_passing_trouble_never_flags(seen in observations()) {
            let judged = hold(&seen, &Rules::NONE);
            if judged.verdict == Verdict::Reauth {
                prop_assert!(judged.reason.is_some_and(Reason::may_flag));
                prop_assert!(seen.fault.is_none() && seen.status != 0 && seen.status != 429 && seen.status < 500);
            }
        }

        #[test]
        fn no_applications_rules_break_a_promise(seen in observations()) {
            for rules in EVERY.iter() {
                let judged = hold(&seen, rules);
                prop_assert!(judged.verdict != Verdict::Reauth || (seen.fault.is_none() && seen.status != 0));
            }
        }
    }
}
