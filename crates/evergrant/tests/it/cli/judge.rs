//! `evergrant judge` on a team's own logs, which are as they are.

use super::Program;

const THROTTLED: &str = "{\"status\": 429}";

#[test]
fn lines_that_cannot_be_read_are_named_and_stop_nothing() {
    let program = Program::bare();
    let input = format!("{THROTTLED}\nnonsense\n{{\"status\": 200}}\n[1]\n{{\"status\": \"x\"}}\n{THROTTLED}");
    let done = program.run_with(&["judge"], &input);
    assert_eq!((done.code, done.out.lines().count()), (1, 3), "{}", done.err);
    for named in ["line 2: ", "line 4: ", "line 5: ", "error: 3 lines could not be read"] {
        assert!(done.err.contains(named), "{named}: {}", done.err);
    }
    let scored = program.run_with(&["judge", "--score", "--json"], &input);
    let last: serde_json::Value = serde_json::from_str(scored.out.lines().last().unwrap()).unwrap();
    assert_eq!((scored.code, &last["score"]["unread"]), (1, &3.into()));
}

#[test]
fn carriage_returns_byte_order_marks_and_empty_lines_mean_nothing() {
    let input = format!("\u{feff}\r\n\u{feff}{THROTTLED}\r\n\r\n   \r\n{THROTTLED}\r\n");
    let done = Program::bare().run_with(&["judge"], &input);
    assert_eq!((done.code, done.out.lines().count()), (0, 2), "{}", done.err);
    assert!(
        done.out.lines().all(|line| line.contains("rate_limited")),
        "{}",
        done.out
    );
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory_and_the_next_one_is_read() {
    let body = "x".repeat(1024 * 1024);
    let long = format!("{{\"status\": 401, \"body\": \"{body}\"}}");
    let endless = "y".repeat(17 * 1024 * 1024);
    let done = Program::bare().run_with(&["judge"], &format!("{long}\n{endless}\n{THROTTLED}\n"));
    assert_eq!((done.code, done.out.lines().count()), (1, 2), "{}", done.err);
    assert!(done.err.contains("line 2: longer than 16 MiB"), "{}", done.err);
    assert!(done.err.len() < 1000);
}

#[test]
fn a_reader_that_has_read_enough_ends_it_quietly() {
    let input = format!("{THROTTLED}\n").repeat(50_000);
    let (code, err) = Program::bare().run_unread(&["judge", "--score"], &input);
    assert_eq!((code, err.as_str()), (0, ""));
}
