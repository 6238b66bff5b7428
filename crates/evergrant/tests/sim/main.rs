//! A seeded simulation of the refresh engine.
//!
//! What runs is the production engine with its SQL on SQLite: several nodes on one file, each with its own memory and clock.
//! Only three things are replaced: time ([`gates`]), the provider ([`provider`]) and the scheduling. Everybody who waits stands
//! at a gate, one at a time is let on, and which one is drawn from the seed; so is what the provider does, when a node
//! dies, and every random value of the program. A seed is a run, and the same seed is the same run.
//!
//! `EVERGRANT_SIM_SEED=17` runs that one alone (`cargo test -p evergrant --test sim one_seed`); `EVERGRANT_SIM_SEEDS=100000`
//! that many (`more_seeds`, for `make soak`).
#![cfg(test)]
#![cfg(debug_assertions)]

mod chance;
mod gates;
mod judge;
mod provider;
mod run;
mod stage;

use run::{Failure, run};
use stage::Stage;

/// Runs seeds one after the other on one stage.
fn seeds(range: impl Iterator<Item = u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut stage = Stage::build().await;
        for (count, seed) in range.enumerate() {
            if let Err(Failure { why, trace }) = run(&mut stage, seed).await {
                let tail = trace.iter().rev().take(80).rev().cloned().collect::<Vec<_>>();
                panic!(
                    "seed {seed}, the {}th of this test: {why}\n  again: EVERGRANT_SIM_SEED={seed} cargo test -p evergrant --test sim one_seed\n{}",
                    count + 1,
                    tail.join("\n")
                );
            }
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told of seeds by the environment"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How many seeds each of the four tests below runs.
const EACH: u64 = 100;

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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut stage = Stage::build().await;
            run(&mut stage, seed).await.map_err(|failure| failure.why).unwrap()
        })
    };
    for seed in 7..17 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}
