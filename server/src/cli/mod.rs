//! The command line: what can be typed, and which command does it.
//!
//! Standard output is what was asked for and nothing else; everything about it goes to standard error.
//! Exit codes: 0 done, 1 it could not be done, 2 it was asked for wrongly (flags, configuration).

mod config;
pub mod dev;
mod doctor;
mod error;
pub mod event_stream;
mod flags;
mod log;
mod output;
mod publish;
mod remote;
mod serve;
mod subscribe;
pub mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "corecast", version, about = "A Server-Sent Events hub for Linux.", max_term_width = 100)]
#[command(after_help = "Start with `corecast dev`. Every command has its own --help, with examples.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a demo hub on this machine, with a throw-away key and a page to try it.
    Dev(dev::Args),
    /// Run a hub.
    Serve(serve::Args),
    /// Check what this machine lets a hub hold, and print what would raise it.
    Doctor(doctor::Args),
    /// Sign a token and print it.
    Token(token::Args),
    /// Publish an event, or a stream of them, and print the id of each.
    Publish(publish::Args),
    /// Print events as they come, for as long as the hub has some.
    Subscribe(subscribe::Args),
    /// Check a configuration, or print all defaults.
    #[command(subcommand)]
    Config(config::Command),
    /// Look at a file log, or mend it.
    #[command(subcommand)]
    Log(log::Command),
}

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Dev(args) => dev::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Token(args) => token::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Subscribe(args) => subscribe::run(args),
        Command::Config(command) => config::run(&command),
        Command::Log(command) => log::run(&command),
    };
    done.map_or_else(|error| error.report(), |()| ExitCode::SUCCESS)
}

/// Flags that cannot be parsed would otherwise be found by a user.
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_has_no_contradictions() {
        Cli::command().debug_assert();
    }
}
