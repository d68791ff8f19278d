//! `corecast serve`: the hub, as its configuration says.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::error::CliError;
use super::flags::{SettingFlags, load_config};
use crate::config::{Purpose, Source};
use crate::hub::{self, HubOptions};
use crate::logging;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  corecast serve --config /etc/corecast.toml
  CORECAST_AUTH__HMAC_KEY_FILE=/run/secrets/hmac corecast serve --log-format json

Every setting of the file can be overridden by the environment variable CORECAST_SECTION__KEY;
`corecast config defaults` lists them all.")]
pub(super) struct Args {
    /// The configuration file; without one, only the environment and flags are looked at.
    #[arg(long, value_name = "FILE", env = "CORECAST_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let (file, flags, purpose) = (args.config.clone(), args.settings.overrides(), Purpose::Serve);
    let loaded = load_config(file.clone(), flags.clone(), purpose)?;
    logging::start(&loaded.config.logging)?;
    let source = Source { file, flags, purpose, made_up_key: None };
    Ok(hub::run(HubOptions { loaded, source, dev: None })?)
}
