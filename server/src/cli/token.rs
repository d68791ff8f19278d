//! `corecast token`: signs a token with the shared secret.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use corecast_core::auth::mint;
use corecast_core::selector::Selector;

use super::error::CliError;
use super::flags::{duration, load_config};
use super::output;
use crate::clock;
use crate::config::keys::read_hmac_key;
use crate::config::{Purpose, Secret};

/// A token for longer than this is a password.
const TTL_MAX: Duration = Duration::from_secs(3650 * 86_400);

const EXAMPLES: &str = "\
Examples:
  corecast token --user alice --config /etc/corecast.toml
  corecast token --user alice --subscribe 'orders/{id}' --ttl 15m --hmac-key-file /etc/corecast/hmac.key
  corecast token --publish 'orders/{id}' --publish corecast:all --ttl 30d   # for a back end, without a user

The secret comes from --hmac-key-file, or from the configuration: auth.hmac_key or auth.hmac_key_file in
--config, or CORECAST_AUTH__HMAC_KEY.";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The user (`sub`): gets events addressed to it, and counts towards the limit per user.
    #[arg(long, required_unless_present_any = ["subscribe", "publish"])]
    user: Option<String>,
    /// A selector of topics whose private events may be seen; can be repeated.
    #[arg(long, value_name = "SELECTOR")]
    subscribe: Vec<String>,
    /// A selector of what may be published to; can be repeated.
    #[arg(long, value_name = "SELECTOR")]
    publish: Vec<String>,
    /// How long the token is good, such as 15m, 1h or 30d.
    #[arg(long, default_value = "1h")]
    ttl: String,
    /// The configuration file with the shared secret.
    #[arg(long, value_name = "FILE", env = "CORECAST_CONFIG")]
    config: Option<PathBuf>,
    /// The file with the shared secret; no configuration is read.
    #[arg(long, value_name = "FILE")]
    hmac_key_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let ttl = duration("--ttl", &args.ttl, Duration::from_secs(1), TTL_MAX)?;
    let subscribe = selectors("--subscribe", &args.subscribe)?;
    let publish = selectors("--publish", &args.publish)?;
    let secret = secret(args)?;
    let token = mint(secret.expose(), args.user.as_deref(), &subscribe, &publish, ttl, clock::unix_now())?;
    Ok(output::line(&token)?)
}

fn selectors(flag: &'static str, texts: &[String]) -> Result<Vec<Selector>, CliError> {
    let parse = |text: &String| {
        Selector::parse(text).map_err(|error| {
            // An oversized value would bury the message.
            let value: String = text.chars().take(80).collect();
            CliError::Flag { flag, value: format!("{value:?}"), reason: error.to_string() }
        })
    };
    texts.iter().map(parse).collect()
}

fn secret(args: &Args) -> Result<Secret, CliError> {
    if let Some(path) = &args.hmac_key_file {
        return match read_hmac_key(path) {
            Ok(key) => Ok(key.secret),
            Err(cause) => Err(CliError::Key { place: format!("--hmac-key-file {}", path.display()), cause }),
        };
    }
    let config = load_config(args.config.clone(), Vec::new(), Purpose::Sign)?.config;
    let secret = config.hmac_secret();
    let secret = secret.map_err(|cause| CliError::Key { place: "auth.hmac_key_file".to_owned(), cause })?;
    Ok(secret.expect("a configuration that was loaded for signing has a shared secret"))
}
