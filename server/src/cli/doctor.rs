//! `corecast doctor`: whether this machine can hold the hub that the configuration describes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::error::CliError;
use super::flags::load_config;
use super::output;
use crate::config::Purpose;
use crate::doctor::{Machine, Plan, examine, probe};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  corecast doctor --config /etc/corecast.toml
  CORECAST_LIMITS__CONNECTIONS=1000000 corecast doctor
  systemd-run --pty -p User=corecast -p LimitNOFILE=1048576 corecast doctor

It sees what its own process is given: run it as the hub is run, with the same user and limits.
Exits with 0 if the hub can start and reach limits.connections (warnings or not), 1 if it cannot, 2 for a wrong
configuration or flag.")]
pub(super) struct Args {
    /// The configuration file; without one, only the environment is looked at. Keys need not be set.
    #[arg(long, value_name = "FILE", env = "CORECAST_CONFIG")]
    config: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    // A demo needs no key, and a key says nothing about the machine: often only the service gets it.
    let config = load_config(args.config.clone(), Default::default(), Purpose::Dev)?.config;
    let report = examine(&Plan::of(&config), &Machine::at("/"), probe);
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
        output::line(&json)?;
    } else {
        output::text(&report.to_string())?;
    }
    match report.failures() {
        0 => Ok(()),
        failed => Err(CliError::Unfit { connections: report.connections, failed }),
    }
}
