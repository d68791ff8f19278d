//! The command line: what can be typed, and which command does it.
//!
//! Standard output is what was measured; everything about it goes to standard error. Exit codes: 0 done, 1 it could not be
//! done or a measurement failed, 2 it was asked for wrongly. Not here: measuring.

mod check;
mod compare;
mod report;
mod run;
mod session;
mod smoke;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::bare::{self, BareOptions};
use crate::{scenario, target};

#[derive(Debug, Parser)]
#[command(name = "corecast-bench", version, max_term_width = 100)]
#[command(
    about = "Measures Server-Sent Events hubs: corecast, others, and a bare loop that shows the machine's limit."
)]
#[command(after_help = "Start with `corecast-bench run fanout --target corecast --quick`.\n\
    Server and load run on a core each; nothing else should run on the machine meanwhile.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one scenario on one target, and print its figures.
    Run(run::RunArgs),
    /// Run all scenarios on all targets in turns, and write results and a report.
    Compare(compare::CompareArgs),
    /// Write a report from results of earlier comparisons.
    Report(report::ReportArgs),
    /// Start each target, send it an event and see it arrive: what is measured must be there and work.
    CheckTargets(check::CheckArgs),
    /// Run every scenario very small, and say whether every event came: no figures, less than a minute.
    Smoke(smoke::SmokeArgs),
    /// Serve as the limit of the machine; other commands start it themselves.
    #[command(hide = true)]
    Bare(BareOptions),
}

/// Where server and load run.
#[derive(Debug, Args)]
struct Cores {
    /// The core that all threads of the target are pinned to.
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    server_core: usize,
    /// The core that the load is pinned to.
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    load_core: usize,
}

/// Takes the name of a scenario.
fn scenario_names() -> PossibleValuesParser {
    PossibleValuesParser::new(scenario::ALL.iter().map(|scenario| scenario.name))
}

/// Takes the name of a target.
fn target_names() -> PossibleValuesParser {
    PossibleValuesParser::new(target::NAMES)
}

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Report(args) => report::run(&args),
        Command::CheckTargets(args) => check::run(args),
        Command::Smoke(args) => smoke::run(args),
        Command::Bare(options) => bare::serve(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_of_the_help_texts_can_be_typed() {
        use clap::Parser;
        let mut examples = 0;
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            let lines = help.lines().map(str::trim).filter(|line| line.starts_with("corecast-bench "));
            for line in lines {
                let words = line.split("  ").next().unwrap_or_default().split_whitespace();
                Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
                examples += 1;
            }
        }
        assert!(examples >= 6, "only {examples} examples");
    }

    #[test]
    fn unknown_scenarios_and_targets_are_refused() {
        use clap::Parser;
        for (line, word) in [
            ("corecast-bench run dance --target corecast", "dance"),
            ("corecast-bench run fanout --target nobody", "nobody"),
            ("corecast-bench compare --targets corecast,nobody", "nobody"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
