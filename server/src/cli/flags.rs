//! Flags that several commands share, and how they become settings.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use crate::config::units::{UnitError, parse_duration, show_duration};
use crate::config::{Loaded, Override, Purpose, Sources, load};

/// Flags that stand for a setting. Their values are checked like those of a file, with the same errors.
#[derive(Debug, Args)]
pub(super) struct SettingFlags {
    /// Where subscribers and publishers connect [setting: hub.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where metrics and the admin API are [setting: admin.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_listen: Option<String>,
    /// Threads that hold connections: auto, or a number [setting: hub.shards]
    #[arg(long, value_name = "N")]
    shards: Option<String>,
    /// What drives the sockets: auto, uring or monoio [setting: hub.driver]
    #[arg(long, value_name = "DRIVER")]
    driver: Option<String>,
    /// How messages look: text or json [setting: logging.format]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Which messages are written, such as debug [setting: logging.level]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl SettingFlags {
    /// The settings that were given.
    pub(super) fn overrides(&self) -> Vec<Override> {
        let rows = [
            ("--listen", "hub", "listen", &self.listen),
            ("--admin-listen", "admin", "listen", &self.admin_listen),
            ("--shards", "hub", "shards", &self.shards),
            ("--driver", "hub", "driver", &self.driver),
            ("--log-format", "logging", "format", &self.log_format),
            ("--log-level", "logging", "level", &self.log_level),
        ];
        rows.into_iter()
            .filter_map(|(flag, section, key, value)| {
                Some(Override { flag, section, key, value: value.clone()? })
            })
            .collect()
    }
}

/// The configuration from `file`, the environment of this process, and `flags`. Warnings are printed.
pub(super) fn load_config(
    file: Option<PathBuf>,
    flags: Vec<Override>,
    purpose: Purpose,
) -> Result<Loaded, CliError> {
    let loaded = load(&Sources { file, env: std::env::vars_os().collect(), flags }, purpose)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded)
}

/// A duration from `min` to `max`, written as in the configuration file.
pub(super) fn duration(
    flag: &'static str,
    value: &str,
    min: Duration,
    max: Duration,
) -> Result<Duration, CliError> {
    let refuse = |reason: String| CliError::Flag { flag, value: value.to_owned(), reason };
    let range = || format!("from {} to {}", show_duration(min), show_duration(max));
    match parse_duration(value) {
        Ok(duration) if (min..=max).contains(&duration) => Ok(duration),
        Ok(_) | Err(UnitError::TooLarge) => Err(refuse(format!("out of range, allowed is {}", range()))),
        Err(error) => Err(refuse(format!("{error}, allowed is {} (units ms, s, m, h, d)", range()))),
    }
}
