//! The deterministic simulator as a test: real engines under a simulated kernel, network and clock.
//!
//! Seeds: those of `seeds.txt`, and a few that follow from `CORECAST_SIM_SEED` (CI gives the commit's hash).

use corecast_tests::sim::chance::Fault;
use corecast_tests::sim::plant::Plant;
use corecast_tests::sim::scene::LogKind;
use corecast_tests::sim::{Plan, Totals};

/// Steps with faults in each run; the healed rest is about as long again. A third of a second.
const STEPS: u64 = 5_000;

/// Runs with seeds that nobody chose, with a log in memory and with one in a folder.
const FRESH_SEEDS: [(LogKind, u64); 2] = [(LogKind::Memory, 25), (LogKind::File, 45)];

/// `SEED LOG REASON`, one a line.
fn known_seeds() -> impl Iterator<Item = (u64, LogKind)> {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let mut words = line.split(' ');
        let seed = words.next().and_then(|seed| seed.parse().ok());
        let log = words.next().and_then(LogKind::parse);
        seed.zip(log).unwrap_or_else(|| panic!("seeds.txt: {line}: begins with no seed and kind of log"))
    })
}

/// Any text is a source of seeds: a number, or a commit's hash.
fn fresh_seeds() -> impl Iterator<Item = (u64, LogKind)> {
    let source = std::env::var("CORECAST_SIM_SEED").unwrap_or_else(|_| "2026".to_owned());
    let first: u64 = source.parse().unwrap_or_else(|_| {
        source.bytes().fold(0_u64, |seed, byte| seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte))
    });
    let of_kind = move |(log, seeds)| (0..seeds).map(move |offset| (first.wrapping_add(offset), log));
    FRESH_SEEDS.into_iter().flat_map(of_kind)
}

#[test]
fn every_stream_shows_what_it_must_whatever_goes_wrong() {
    let mut totals = Totals::default();
    for (seed, log) in known_seeds().chain(fresh_seeds()) {
        match Plan::new(seed, STEPS, log).run() {
            Ok(report) => {
                println!("seed {seed} {log}: {} steps, {:?}", report.steps, report.seen);
                totals.add_all(&report.seen.totals);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{totals:?}");
    let never: Vec<_> = totals.never().collect();
    assert!(never.is_empty(), "never happened in any run, so nothing was shown about it: {never:?}");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for (seed, log) in [(1, LogKind::Memory), (5, LogKind::Memory), (1, LogKind::File), (5, LogKind::File)] {
        let run = || Plan::new(seed, STEPS, log).run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(run(), run(), "seed {seed} {log}");
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
    check_plants(LogKind::Memory, 12, MISTAKES_OF_HOSTS);
}

/// The same for what can be wrong with a log that outlives its hub.
#[test]
fn the_oracle_notices_what_a_file_log_must_not_do() {
    check_plants(LogKind::File, 12, MISTAKES_OF_LOGS);
}

/// A mistake, how often faults strike that are needed to bring it out, and what it may be noticed as.
type Mistake = (Plant, &'static [(Fault, f64)], &'static [&'static str]);

const MISTAKES_OF_LOGS: &[Mistake] = &[
    (Plant::AcknowledgeBeforeSync, &[(Fault::Restart, 0.3)], &["the log has kept event", "nobody handed in"]),
    (
        Plant::ShowBeforeSync,
        &[(Fault::SyncFailure, 0.02), (Fault::FullDisk, 0.2)],
        &["which is not in the log", "before it", "before the gap", "is not after"],
    ),
    (Plant::ForgetLastEvent, &[(Fault::Restart, 0.3)], &["the log has kept event"]),
    (Plant::SkipSeam, &[(Fault::Restart, 0.1)], &["before it", "was never shown", "before the gap"]),
];

const MISTAKES_OF_HOSTS: &[Mistake] = &[
    // A lost byte can make anything of what follows.
    (Plant::LoseByte, &[], &[""]),
    (Plant::HideShortSend, &[(Fault::ShortSend, 0.1)], &[""]),
    (Plant::DuplicateEvent, &[], &["twice, or behind a later event"]),
    (Plant::SkipEvent, &[], &["before it", "was never shown", "goes on after"]),
    (Plant::SwapEvents, &[], &["before it", "twice, or behind a later event"]),
    (Plant::AcknowledgeUnkept, &[], &["which no log has", "the position of", "which is not in the log"]),
    (
        Plant::AnswerTwice,
        &[],
        &["an answer that nobody asked for", "has no such event", "one line of the answer", "is answered"],
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
];

fn check_plants(log: LogKind, seeds: u64, mistakes: &[Mistake]) {
    for &(plant, rates, expected) in mistakes {
        let mut noticed = 0;
        for seed in 1..=seeds {
            let plan = Plan { plant, rates: rates.to_vec(), ..Plan::new(seed, STEPS, log) };
            if let Err(failure) = plan.run() {
                assert!(
                    expected.iter().any(|part| failure.what.contains(part)),
                    "{plant:?} with seed {seed} is noticed as something else: {}",
                    failure.what
                );
                noticed += 1;
            }
        }
        println!("{plant:?} is noticed in {noticed} of {seeds} runs");
        assert!(noticed > 0, "{plant:?} goes unnoticed");
    }
}
