//! Tables of cases.

use std::borrow::Cow;

use super::*;

#[test]
fn generic_knowledge_alone_never_flags_what_is_alive() {
    let corpus = include_str!("../../tests/data/corpus/observations.jsonl");
    let score = corpus::judge_lines(corpus.as_bytes(), std::io::sink(), |_| Cow::Owned(Rules::NONE)).unwrap();
    println!("{score}");
    assert_eq!(score.false_flags, 0, "{score}");
    assert!(score.verdict_share() >= 0.85, "{score}");
}
