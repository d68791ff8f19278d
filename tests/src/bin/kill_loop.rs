#![forbid(unsafe_code)]
//! Kills a hub under load again and again: `kill-loop [KILLS] [--seed S] [--power-loss | --memory]`.
//!
//! Says what came of it in one line, and ends with 1 if a promise was broken. `--power-loss` puts the log on a disk that
//! loses what was not synced with every kill (as root). `--memory` gives the hub a log that does not outlive it, to see
//! that this is noticed.

use std::process::ExitCode;

use corecast_tests::kill_loop::{Ends, LogKind, Plan};

const KILLS_DEFAULT: u32 = 200;

fn main() -> ExitCode {
    let plan = match parse(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}\nusage: kill-loop [KILLS] [--seed S] [--power-loss | --memory]");
            return ExitCode::from(2);
        }
    };
    let report = plan.run();
    print!("{report}");
    if report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan =
        Plan { ends: Ends::Killed, kills: KILLS_DEFAULT, seed: fastrand::u64(..), log: LogKind::File };
    let number = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--power-loss" => plan.log = LogKind::FileLosingPower,
            "--memory" => plan.log = LogKind::Memory,
            "--seed" => plan.seed = number(&arguments.next().ok_or("--seed needs a number")?)?,
            kills => {
                plan.kills = u32::try_from(number(kills)?).map_err(|error| format!("{kills}: {error}"))?
            }
        }
    }
    Ok(plan)
}
