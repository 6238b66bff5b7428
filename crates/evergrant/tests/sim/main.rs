//! A seeded simulation of the refresh engine.
//!
//! What runs is the production engine with its SQL on SQLite: several nodes on one file, each with its own memory and clocks.
//! Only three things are replaced: time ([`gates`]), the provider ([`provider`], reached by a [`wire`]) and the scheduling.
//! Everybody who waits stands at a gate, one at a time is let on when all others are at [`rest`], and which one is drawn from the
//! seed; so is what the provider does, when a node dies or stands still, when the [`disk`] fails, and every random value of the
//! program. A seed is a run, and the same seed is the same run.
//!
//! [`deeds`] is what is done in a run, [`judge`] holds the promises against the database, and [`fate`] knows what a perfect client
//! would have lost.
//!
//! `EVERGRANT_SIM_SEED=17` runs that one alone (`make sim SEED=17`); `EVERGRANT_SIM_SEEDS=100000` that many, from
//! `EVERGRANT_SIM_FIRST` on (`make sim SEEDS=100000`).
#![cfg(test)]
#![cfg(debug_assertions)]

mod chance;
mod deeds;
mod disk;
mod fate;
mod gates;
mod judge;
mod provider;
mod rest;
mod run;
mod stage;
mod wire;

use rest::Rest;
use run::{Failure, run};
use stage::Stage;

/// Runs seeds one after the other on one stage; tells the first few that break a promise, and how the first one came to it.
fn seeds(range: impl Iterator<Item = u64>) {
    let rest = Rest::default();
    let told = number("EVERGRANT_SIM_FAILURES").map_or(TOLD, |most| usize::try_from(most).unwrap());
    let failed = rest.runtime().block_on(async {
        let mut stage = Stage::build(rest).await;
        let mut failed = Vec::new();
        for seed in range {
            if let Err(failure) = run(&mut stage, seed).await {
                failed.push((seed, failure));
                if failed.len() == told {
                    break;
                }
            }
        }
        failed
    });
    let Some((seed, Failure { why, trace })) = failed.first() else {
        return;
    };
    let tail = &trace[trace.len().saturating_sub(80)..];
    let others = failed
        .iter()
        .skip(1)
        .map(|(seed, other)| format!("  seed {seed}: {}", other.why));
    panic!(
        "seed {seed}: {why}\n  again: EVERGRANT_SIM_SEED={seed} cargo test -p evergrant --test sim one_seed\n{}\n{}",
        tail.join("\n"),
        others.collect::<Vec<_>>().join("\n")
    );
}

/// How many seeds that fail are told before a test gives up.
const TOLD: usize = 8;

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told of seeds by the environment"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How many seeds each of the four tests below runs.
const EACH: u64 = 500;

#[test]
fn no_seed_of_the_first_quarter_breaks_a_promise() {
    seeds(0..EACH);
}

#[test]
fn no_seed_of_the_second_quarter_breaks_a_promise() {
    seeds(EACH..2 * EACH);
}

#[test]
fn no_seed_of_the_third_quarter_breaks_a_promise() {
    seeds(2 * EACH..3 * EACH);
}

#[test]
fn no_seed_of_the_last_quarter_breaks_a_promise() {
    seeds(3 * EACH..4 * EACH);
}

#[test]
fn one_seed() {
    let seed = number("EVERGRANT_SIM_SEED").unwrap_or(0);
    seeds(seed..=seed);
}

#[test]
#[ignore = "make soak"]
fn more_seeds() {
    let first = number("EVERGRANT_SIM_FIRST").unwrap_or(1_000_000);
    seeds(first..first + number("EVERGRANT_SIM_SEEDS").unwrap_or(10_000));
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| {
        let rest = Rest::default();
        rest.runtime().block_on(async {
            let mut stage = Stage::build(rest).await;
            run(&mut stage, seed).await.map_err(|failure| failure.why).unwrap()
        })
    };
    for seed in 7..17 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}
