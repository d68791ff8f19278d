#![forbid(unsafe_code)]
//! Runs the simulator for longer than a test should: `simulate [--log KIND] [--seeds N] [--steps N] [--seed S]`.
//!
//! `--log memory` and `--log file` run whole hubs with such a log; `--log alone` runs the file log without a hub. All
//! three without it.

use std::process::ExitCode;

use corecast_tests::sim::Plan;
use corecast_tests::sim::log_alone::LogPlan;
use corecast_tests::sim::scene::LogKind;

const USAGE: &str = "usage: simulate [--log memory|file|alone] [--seeds N] [--steps N] [--seed S]";

/// One step of a log alone is an append or a restart, and far more than one of a hub.
const STEPS_OF_LOG: u64 = 200;

/// What the command line says.
struct Options {
    hubs: Vec<LogKind>,
    /// Whether the log runs alone as well.
    alone: bool,
    first_seed: u64,
    seeds: u64,
    steps: u64,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut steps = 0;
    for seed in (0..options.seeds).map(|offset| options.first_seed.wrapping_add(offset)) {
        for &log in &options.hubs {
            match Plan::new(seed, options.steps, log).run() {
                Ok(report) => {
                    steps += report.steps;
                    println!(
                        "seed {seed} {log}: {} steps, hash {:016x}, {:?}",
                        report.steps, report.hash, report.seen
                    );
                }
                Err(failure) => {
                    eprintln!("{failure}");
                    return ExitCode::FAILURE;
                }
            }
        }
        if options.alone {
            // Printed first: it panics at what is wrong.
            println!("seed {seed} alone");
            let of_log = options.steps / STEPS_OF_LOG;
            let plan =
                LogPlan { has_faults: true, ..LogPlan::new(seed, u32::try_from(of_log).unwrap_or(u32::MAX)) };
            println!("seed {seed} alone: {:?}", plan.run());
            steps += of_log;
        }
    }
    println!("{} seeds, {steps} steps, nothing wrong", options.seeds);
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let hubs = vec![LogKind::Memory, LogKind::File];
    let mut options = Options { hubs, alone: true, first_seed: 1, seeds: 100, steps: 20_000 };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        if name == "--log" {
            (options.hubs, options.alone) = match value.as_str() {
                "memory" => (vec![LogKind::Memory], false),
                "file" => (vec![LogKind::File], false),
                "alone" => (Vec::new(), true),
                _ => return Err(format!("--log {value} is not known, allowed are memory, file, alone")),
            };
            continue;
        }
        let number = value.parse().map_err(|error| format!("{name} {value}: {error}"))?;
        match name.as_str() {
            "--seeds" => options.seeds = number,
            "--steps" => options.steps = number,
            "--seed" => (options.first_seed, options.seeds) = (number, 1),
            _ => return Err(format!("{name} is not known, allowed are --log, --seeds, --steps, --seed")),
        }
    }
    Ok(options)
}
