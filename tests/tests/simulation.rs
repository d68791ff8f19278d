//! The deterministic simulator as a test: real engines under a simulated kernel, network and clock.
//!
//! Seeds: those of `seeds.txt`, and a few that follow from `CORECAST_SIM_SEED` (CI gives the commit's hash).

use corecast_tests::sim::chance::Fault;
use corecast_tests::sim::plant::Plant;
use corecast_tests::sim::scene::LogKind;
use corecast_tests::sim::{Plan, Totals};

/// Steps with faults in each run; the healed rest is about as long again. A third of a second.
const STEPS: u64 = 5_000;

/// Runs with seeds that nobody chose.
const FRESH_SEEDS: u64 = 60;

fn known_seeds() -> impl Iterator<Item = u64> {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let seed = line.split_once(' ').map_or(line, |(seed, _)| seed);
        seed.parse().unwrap_or_else(|error| panic!("seeds.txt: {line}: {error}"))
    })
}

/// Any text is a source of seeds: a number, or a commit's hash.
fn fresh_seeds() -> impl Iterator<Item = u64> {
    let source = std::env::var("CORECAST_SIM_SEED").unwrap_or_else(|_| "2026".to_owned());
    let first = source.parse().unwrap_or_else(|_| {
        source.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte))
    });
    (0..FRESH_SEEDS).map(move |offset| first.wrapping_add(offset))
}

#[test]
fn every_stream_shows_what_it_must_whatever_goes_wrong() {
    let mut totals = Totals::default();
    for seed in known_seeds().chain(fresh_seeds()) {
        match Plan::new(seed, STEPS, LogKind::Memory).run() {
            Ok(report) => {
                println!("seed {seed}: {} steps, {:?}", report.steps, report.seen);
                totals.add_all(&report.seen.totals);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    let never: Vec<_> = totals.never().collect();
    assert!(never.is_empty(), "never happened in any run, so nothing was shown about it: {never:?}");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in known_seeds().take(3) {
        let runs = [(); 2].map(|()| {
            Plan::new(seed, STEPS, LogKind::Memory).run().unwrap_or_else(|failure| panic!("{failure}"))
        });
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

#[test]
fn other_seeds_give_other_runs() {
    let hash =
        |seed| Plan::new(seed, 500, LogKind::Memory).run().unwrap_or_else(|failure| panic!("{failure}")).hash;
    assert_ne!(hash(1), hash(2));
}

/// Each planted fault is noticed, and for the right reason.
#[test]
fn the_oracle_notices_what_must_not_be() {
    for (plant, rates, expected) in [
        // A lost byte can make anything of what follows.
        (Plant::LoseByte, &[][..], &[""][..]),
        (Plant::HideShortSend, &[(Fault::ShortSend, 0.1)], &[""]),
        (Plant::DuplicateEvent, &[], &["twice, or behind a later event"]),
        (Plant::SkipEvent, &[], &["before it", "was never shown", "goes on after"]),
        (Plant::SwapEvents, &[], &["before it", "twice, or behind a later event"]),
        (Plant::AcknowledgeUnkept, &[], &["which no log has", "the position of", "which is not in the log"]),
        (
            Plant::AnswerTwice,
            &[],
            &[
                "an answer that nobody asked for",
                "has no such event",
                "one line of the answer",
                "is answered",
            ],
        ),
        (Plant::AnswerNever, &[], &["without an answer", "that a drain left"]),
        (
            Plant::OversleepTimers,
            &[],
            &["is silent for", "was silent for", "took nothing for", "that a drain left"],
        ),
        (
            Plant::ForgetWritable,
            &[(Fault::ShortSend, 0.1)],
            &["took nothing for", "was never shown", "was well, and was closed"],
        ),
        (Plant::UncountedStreams, &[], &["streams, allowed are"]),
    ] {
        let mut noticed = 0;
        for seed in 1..=12 {
            let plan = Plan { plant, rates: rates.to_vec(), ..Plan::new(seed, STEPS, LogKind::Memory) };
            if let Err(failure) = plan.run() {
                assert!(
                    expected.iter().any(|part| failure.what.contains(part)),
                    "{plant:?} with seed {seed} is noticed as something else: {}",
                    failure.what
                );
                noticed += 1;
            }
        }
        println!("{plant:?} is noticed in {noticed} of 12 runs");
        assert!(noticed > 0, "{plant:?} goes unnoticed");
    }
}
