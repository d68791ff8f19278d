//! Counts the instructions of the core's hot paths, and fails if one takes more than its bound.
//!
//! `instructions [NAME...]`. Times on shared machines are noise; instructions hardly change from run to run, so a few
//! per cent more are a fact. Everything is seeded, and sockets are not involved: the core does no I/O.
//! Not here: how fast anything is. Cache misses and the kernel are most of that, and a load test shows it.
#![forbid(unsafe_code)]

mod scenarios;

mod host;

mod counted;
mod valgrind;
mod verdict;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use scenarios::{SCENARIOS, Scenario};
use verdict::Verdict;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [inside, name] if inside == valgrind::INSIDE => named(name).map(|scenario| {
            println!("{}", (scenario.run)());
            ExitCode::SUCCESS
        }),
        [] => Ok(check(&SCENARIOS.iter().collect::<Vec<_>>())),
        names => names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>().map(|some| check(&some)),
    };
    outcome.unwrap_or_else(|message| {
        eprintln!("{message}");
        ExitCode::from(2)
    })
}

fn named(name: &str) -> Result<&'static Scenario, String> {
    SCENARIOS.iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("unknown scenario {name}, allowed are {}", names.join(", "))
    })
}

/// Counts these scenarios and prints the table; fails if one has no count or breaks its bound.
fn check(scenarios: &[&Scenario]) -> ExitCode {
    let folder = folder();
    let counts = valgrind::count_all(scenarios, &folder);
    let mut advice = Vec::new();
    let mut failed = 0;
    println!("{}", verdict::heading());
    for (scenario, count) in scenarios.iter().zip(counts) {
        match count {
            Ok(count) => {
                let verdict = Verdict::of(scenario, count);
                failed += u32::from(verdict == Verdict::Above);
                advice.extend(verdict.advice(scenario, count));
                println!("{}", verdict::line(scenario, count));
            }
            Err(error) => {
                failed += 1;
                advice.push(format!("{}: {error}", scenario.name));
            }
        }
    }
    for text in advice {
        println!("\n{text}");
    }
    println!("\nprofiles: {}", folder.display());
    if !JUDGES {
        println!("The bounds are for x86-64, so nothing is judged here.");
        return ExitCode::SUCCESS;
    }
    if failed > 0 {
        println!("{failed} of {} scenarios break their bounds", scenarios.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Other processors need another number of instructions for the same.
const JUDGES: bool = cfg!(target_arch = "x86_64");

/// Beside what cargo builds.
fn folder() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map_or_else(env::temp_dir, |target| target.join("instructions"))
}
