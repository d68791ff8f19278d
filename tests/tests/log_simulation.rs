//! The file log alone on a disk that crashes and fails: what it has acknowledged it has for good, in order, once.
//!
//! Not here: the hub around it (`simulation.rs`).

use corecast_tests::sim::log_alone::{LogPlan, LogReport};

/// Short runs that are crashed at each of their operations.
const EXHAUSTED_SEEDS: u64 = 60;

/// Seeds and steps that have noticed: a segment that could neither be begun nor removed, left in the middle of the log; a
/// refused batch that came back in one segment when the next had been begun at its positions.
const KNOWN: [(u64, u32); 2] = [(100, 60), (5583, 100)];

/// Long runs in which everything goes wrong now and then.
const FAULTY_SEEDS: u64 = 300;

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut total = LogReport::default();
    let mut runs = 0;
    for seed in 0..EXHAUSTED_SEEDS {
        let plan = LogPlan::new(seed, 12);
        let operations = plan.run().operations;
        for operation in 1..=operations {
            println!("seed {seed}, power lost in operation {operation}");
            total.add(&LogPlan { crash_at: Some(operation), ..plan.clone() }.run());
            runs += 1;
        }
    }
    println!("{runs} runs: {total:?}");
    assert!(
        total.recovered > 0,
        "no batch that nobody was told of ever survived, so nothing was shown about it"
    );
}

#[test]
fn a_disk_that_fails_in_every_way_loses_nothing_that_was_acknowledged() {
    let mut total = LogReport::default();
    for (seed, steps) in KNOWN.into_iter().chain((0..FAULTY_SEEDS).map(|seed| (seed, 60))) {
        println!("seed {seed}");
        total.add(&LogPlan { has_faults: true, ..LogPlan::new(seed, steps) }.run());
    }
    println!("{total:?}");
    for (what, count) in [
        ("refused", total.refused),
        ("recovered", total.recovered),
        ("let go", total.let_go),
        ("full", total.full),
        ("failed", total.failed),
        ("failed starts", total.failed_starts),
    ] {
        assert!(count > 0, "never {what} in any run, so nothing was shown about it");
    }
}

#[test]
fn a_disk_that_lies_about_its_syncs_is_noticed() {
    let noticed = (0..50).filter(|&seed| {
        let plan = LogPlan { lies: true, ..LogPlan::new(seed, 100) };
        std::panic::catch_unwind(|| plan.run()).is_err()
    });
    let noticed = noticed.count();
    assert!(noticed > 25, "{noticed} of 50");
}

#[test]
fn a_plan_gives_the_same_run_again() {
    let plan = LogPlan { has_faults: true, ..LogPlan::new(7, 60) };
    assert_eq!(plan.run(), plan.run());
}
