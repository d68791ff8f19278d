#![forbid(unsafe_code)]
//! `corecast-bench`: see the library.

use clap::{Parser, Subcommand};
use corecast_bench::bare::{self, BareOptions};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves as the limit of the machine; other commands start it themselves.
    #[command(hide = true)]
    Bare(BareOptions),
}

fn main() {
    match Cli::parse().command {
        Command::Bare(options) => bare::serve(&options),
    }
}
