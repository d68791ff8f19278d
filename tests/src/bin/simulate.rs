#![forbid(unsafe_code)]
//! Runs the simulator for longer than a test should: `simulate [--seeds N] [--steps N] [--seed S]`.

use std::process::ExitCode;

use corecast_tests::sim::Plan;

/// What the command line says.
struct Options {
    first_seed: u64,
    seeds: u64,
    steps: u64,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\nusage: simulate [--seeds N] [--steps N] [--seed S]");
            return ExitCode::from(2);
        }
    };
    let mut steps = 0;
    for seed in (0..options.seeds).map(|offset| options.first_seed.wrapping_add(offset)) {
        match Plan::new(seed, options.steps).run() {
            Ok(report) => {
                steps += report.steps;
                println!("seed {seed}: {} steps, hash {:016x}, {:?}", report.steps, report.hash, report.seen);
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{} seeds, {steps} steps, nothing wrong", options.seeds);
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { first_seed: 1, seeds: 100, steps: 20_000 };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a number"))?;
        let number = value.parse().map_err(|error| format!("{name} {value}: {error}"))?;
        match name.as_str() {
            "--seeds" => options.seeds = number,
            "--steps" => options.steps = number,
            "--seed" => (options.first_seed, options.seeds) = (number, 1),
            _ => return Err(format!("{name} is not known, allowed are --seeds, --steps, --seed")),
        }
    }
    Ok(options)
}
