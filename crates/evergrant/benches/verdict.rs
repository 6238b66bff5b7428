//! How often the detector is right, with and without what it knows of a provider, and what a large body costs it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::Context as _;
use evergrant::catalog::Catalog;
use evergrant::verdict::corpus::{Entry, Score, judge_lines};
use evergrant::verdict::{Auth, Observation, Phase, Rules, judge};

/// What the program has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const METHOD: &str = "\
Verdicts: the labelled corpus of tests/data/corpus, judged three times in this run: with all rules; with none (generic knowledge
alone); and leaving one provider out, each provider's own file switched off for its own entries while all others keep theirs.
A provider's rules are never used for another, so the last equals the second unless two names of the corpus share a file;
what it adds is the table: where a file makes a difference. Generic knowledge was written with this corpus at hand, so neither
figure measures the unseen.";

const COST: &str = "\
Cost: one call of the detector on bodies of 4 KiB and of 64 KiB of the same kind, in turn, with the longest list of rules that
an application has; medians over the rounds, each round as many calls as one call at 64 KiB needs to stand out. Linear would be
16 times; what lies beyond 64 KiB is cut off.";

const CORPUS: &str = include_str!("../tests/data/corpus/observations.jsonl");
const ROUNDS: usize = 15;

fn main() -> anyhow::Result<()> {
    match run(&mut io::stdout().lock()) {
        // Whoever read it has seen enough.
        Err(error) if error.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe) => {
            Ok(())
        }
        done => done,
    }
}

fn run(out: &mut impl Write) -> anyhow::Result<()> {
    let catalog = Catalog::load(None, None)?;
    writeln!(out, "{METHOD}\n")?;
    let full = score(CORPUS, |name| Cow::Borrowed(catalog.rules_for(name)))?;
    let generic = score(CORPUS, |_| Cow::Owned(Rules::NONE))?;
    let mut left_out = Tally::default();
    let by_provider = by_provider()?;
    let mut table = Vec::new();
    for (provider, lines) in &by_provider {
        let with = score(lines, |name| Cow::Borrowed(catalog.rules_for(name)))?;
        let own = catalog.rules_for(provider);
        let without = score(lines, |name| {
            let rules = catalog.rules_for(name);
            if rules == own {
                Cow::Owned(Rules::NONE)
            } else {
                Cow::Borrowed(rules)
            }
        })?;
        left_out.add(&without);
        if !own.0.is_empty() {
            table.push((provider, own.0.len(), with, without));
        }
    }
    writeln!(
        out,
        "{:<28} entries  verdict  and reason  false flags  missed flags",
        "rules"
    )?;
    row(out, "all", &Tally::of(&full))?;
    row(out, "none (--generic)", &Tally::of(&generic))?;
    row(out, "leave one provider out", &left_out)?;
    writeln!(
        out,
        "\n{:<28} rules  entries  verdict exact with its file  without  false flags without",
        "provider"
    )?;
    for (provider, rules, with, without) in &table {
        let (with, without_share) = (with.verdict_share() * 100.0, without.verdict_share() * 100.0);
        writeln!(
            out,
            "  {provider:<26} {rules:>5}  {:>7}  {with:>27.1}  {without_share:>7.1}  {:>19}",
            without.entries, without.false_flags
        )?;
    }
    writeln!(out, "\n{COST}\n")?;
    cost(out, &catalog)
}

fn score<'r>(lines: &str, rules: impl Fn(&str) -> Cow<'r, Rules>) -> anyhow::Result<Score> {
    judge_lines(lines.as_bytes(), io::sink(), rules).context("the corpus cannot be judged")
}

/// The corpus's lines by the provider they name.
fn by_provider() -> anyhow::Result<BTreeMap<String, String>> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for line in CORPUS.lines() {
        let lines = all.entry(Entry::parse(line)?.provider).or_default();
        lines.push_str(line);
        lines.push('\n');
    }
    Ok(all)
}

#[derive(Default)]
struct Tally {
    entries: u32,
    verdicts: u32,
    reasons: u32,
    false_flags: u32,
    missed_flags: u32,
}

impl Tally {
    fn of(score: &Score) -> Self {
        let mut tally = Self::default();
        tally.add(score);
        tally
    }

    fn add(&mut self, score: &Score) {
        self.entries += score.entries;
        self.verdicts += score.verdicts;
        self.reasons += score.reasons;
        self.false_flags += score.false_flags;
        self.missed_flags += score.missed_flags;
    }
}

fn row(out: &mut impl Write, name: &str, tally: &Tally) -> io::Result<()> {
    let percent = |part: u32| f64::from(part) * 100.0 / f64::from(tally.entries.max(1));
    writeln!(
        out,
        "  {name:<26} {:>7}  {:>6.1}%  {:>9.1}%  {:>11}  {:>12}",
        tally.entries,
        percent(tally.verdicts),
        percent(tally.reasons),
        tally.false_flags,
        tally.missed_flags
    )
}

fn cost(out: &mut impl Write, catalog: &Catalog) -> anyhow::Result<()> {
    let longest = catalog.all().into_iter().max_by_key(|app| app.rules.0.len());
    let rules = &longest.context("the catalogue is empty")?.rules;
    writeln!(
        out,
        "{:<28} 4 KiB, \u{b5}s  64 KiB, \u{b5}s  ratio   ({} rules)",
        "body",
        rules.0.len()
    )?;
    let kinds = [
        (
            "JSON, many short members",
            "{\"name\":\"some value\",\"error\":\"none\"},",
        ),
        ("JSON, cut short", "{\"error\":{\"message\":\"the token "),
        ("form", "error=something+odd&description=refused&"),
        ("HTML", "<div class=\"row\"><p>Sign in to continue</p></div>"),
        ("XML", "<Fault><faultstring>Session</faultstring></Fault>"),
        (
            "words that almost decide",
            "the refresh token is not expired nor revoked. ",
        ),
        ("bytes that are no text", "\u{0}\u{7f}\u{fffd}"),
    ];
    for (name, part) in kinds {
        let (small, large) = (seen(part, 4 * 1024), seen(part, 64 * 1024));
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            fast.push(timed(&small, rules, 16));
            slow.push(timed(&large, rules, 2));
        }
        let (fast, slow) = (median(fast), median(slow));
        writeln!(out, "  {name:<26} {fast:>9.0}  {slow:>10.0}  {:>5.1}", slow / fast)?;
    }
    Ok(())
}

fn seen(part: &str, bytes: usize) -> Observation {
    let mut body = part.repeat(bytes / part.len() + 1).into_bytes();
    body.truncate(bytes);
    if part.ends_with("},") {
        // Whole JSON of that very length: the last member gives way to the closing bracket.
        body.insert(0, b'[');
        let end = body[..bytes - 1].iter().rposition(|byte| *byte == b'}').unwrap_or(0);
        body.truncate(end + 1);
        body.resize(bytes - 1, b' ');
        body.push(b']');
    }
    Observation {
        body,
        ..Observation::answer(Auth::OAuth2, Phase::ApiCall, 400)
    }
}

/// Microseconds a call.
fn timed(seen: &Observation, rules: &Rules, calls: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..calls {
        black_box(judge(black_box(seen), rules));
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
