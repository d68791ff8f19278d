#![forbid(unsafe_code)]
//! `corecast-bench`: see the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use corecast_bench::target;

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts each target, sends it an event and sees it arrive: what is measured must be there and work.
    CheckTargets {
        /// Which; else all.
        #[arg(value_parser = target::NAMES)]
        names: Vec<String>,
        /// The core that they run on.
        #[arg(long, default_value_t = 0)]
        core: usize,
        #[command(flatten)]
        options: target::Options,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corecast-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::CheckTargets { mut names, core, options } => {
            if names.is_empty() {
                names = target::NAMES.map(str::to_owned).to_vec();
            }
            target::check::check_all(&names, &options, core)
        }
    }
}
