//! The built-in files, and what a custom one may and may not be.

use std::borrow::Cow;

use super::*;
use crate::reason::Verdict;
use crate::verdict::{Conclusion, Rule, judge};

fn sandbox() -> url::Url {
    "http://127.0.0.1:8080/sandbox".parse().unwrap()
}

fn built_in() -> Catalog {
    Catalog::load(None, Some(&sandbox())).unwrap_or_else(|error| panic!("{error}"))
}

fn every_rule(catalog: &Catalog) -> Vec<(String, Rule, Rules)> {
    let owned = |name: &str, rules: &Rules| {
        let each = rules
            .0
            .iter()
            .map(|rule| (name.to_owned(), rule.clone(), rules.clone()));
        each.collect::<Vec<_>>()
    };
    let applications = catalog
        .inner
        .applications
        .iter()
        .flat_map(|(slug, app)| owned(slug, &app.rules));
    let providers = catalog
        .inner
        .providers
        .iter()
        .flat_map(|(name, rules)| owned(name, rules));
    applications.chain(providers).collect()
}

#[test]
fn every_rule_judges_its_examples_as_it_says_and_leaves_near_misses_alone() {
    for (owner, rule, rules) in every_rule(&built_in()) {
        assert!(
            rule.positive.len() >= 2,
            "{}: two positive examples are wanted",
            rule.name
        );
        assert!(!rule.near_miss.is_empty(), "{}: a near miss is wanted", rule.name);
        for example in &rule.positive {
            let judged = judge(&rule.observation(example), &rules);
            assert_eq!(judged.evidence.rule, rule.name, "{owner}: {example:?}");
            if let Conclusion::Fixed(verdict, reason) = rule.conclusion {
                assert_eq!(
                    (judged.verdict, judged.reason),
                    (verdict, reason),
                    "{owner}: {example:?}"
                );
            }
        }
        for example in &rule.near_miss {
            let judged = judge(&rule.observation(example), &rules);
            assert_ne!(judged.evidence.rule, rule.name, "{owner}: {example:?}");
        }
    }
}

#[test]
fn no_rule_matches_an_id_a_placeholder_or_a_whole_body() {
    let long_number = regex::Regex::new(r"\d{8,}|0000|AAAA|(?i)placeholder|example\.").unwrap();
    for (owner, rule, _) in every_rule(&built_in()) {
        let on = &rule.on;
        let pointed = on.pointer.values().map(ToString::to_string);
        for text in on.code.iter().chain(&on.text).cloned().chain(pointed) {
            assert!(!long_number.is_match(&text), "{owner}: {} matches `{text}`", rule.name);
            assert!(text.len() <= 60, "{owner}: {} matches a whole body", rule.name);
        }
    }
}

#[test]
fn rules_that_flag_say_why_when_the_status_speaks_of_passing_trouble() {
    for (owner, rule, _) in every_rule(&built_in()) {
        let passing = rule.on.status.iter().any(|status| *status >= 500 || *status == 429);
        let flags = !matches!(rule.conclusion, Conclusion::Fixed(verdict, _) if verdict != Verdict::Reauth);
        assert!(!(passing && flags), "{owner}: {}", rule.name);
    }
}

#[test]
fn the_corpus_is_judged_as_the_issue_demands() {
    let corpus = include_str!("../../tests/data/corpus/observations.jsonl");
    let catalog = built_in();
    let rules = |name: &str| Cow::Owned(catalog.rules_for(name).clone());
    let score = crate::verdict::corpus::judge_lines(corpus.as_bytes(), std::io::sink(), rules).unwrap();
    println!("{score}");
    assert_eq!(score.false_flags, 0, "{score}");
    assert_eq!(score.missed_flags, 0, "{score}");
    assert!(score.verdict_share() >= 0.99, "{score}");
    assert!(score.reason_share() >= 0.95, "{score}");
}
