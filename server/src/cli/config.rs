//! `corecast config check|defaults`: the configuration without a hub.

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::flags::load_config;
use super::output;
use crate::config::{Purpose, show};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the settings in force as `corecast serve` would see them, or every error.
    #[command(after_help = "\
Examples:
  corecast config check --config /etc/corecast.toml
  CORECAST_LIMITS__PER_USER=3 corecast config check --config corecast.toml

Secrets are shown as <set>. Exits with 2 if there is an error. A key set (auth.jwks_url) is not fetched.")]
    Check {
        /// The configuration file; without one, only the environment is looked at.
        #[arg(long, value_name = "FILE", env = "CORECAST_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Print a configuration file with every setting, its default, range, unit and meaning.
    #[command(after_help = "Example:\n  corecast config defaults > corecast.toml")]
    Defaults,
}

pub(super) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Check { config } => {
            let loaded = load_config(config.clone(), Vec::new(), Purpose::Serve)?;
            Ok(output::text(&show::in_force(&loaded))?)
        }
        Command::Defaults => Ok(output::text(&show::defaults())?),
    }
}
