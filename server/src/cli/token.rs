//! `corecast token`: signs a token with the shared secret.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;
use corecast_core::limits::{GRANTS_MAX, NAME_BYTES_MAX, TOKEN_BYTES_MAX, TOPIC_BYTES_MAX};
use corecast_core::time::UnixMillis;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::error::CliError;
use super::flags::{duration, load_config};
use super::output;
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

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    iat: u64,
    exp: u64,
    corecast: Grants<'a>,
}

#[derive(Serialize)]
struct Grants<'a> {
    subscribe: &'a [String],
    publish: &'a [String],
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let ttl = duration("--ttl", &args.ttl, Duration::from_secs(1), TTL_MAX)?;
    check(args)?;
    let secret = secret(args)?;
    let token = mint(&secret, args.user.as_deref(), &args.subscribe, &args.publish, ttl, unix_now())?;
    if token.len() > TOKEN_BYTES_MAX {
        let reason =
            format!("the token would have {} bytes, at most {TOKEN_BYTES_MAX} are taken", token.len());
        let value = format!("({} selectors)", args.subscribe.len() + args.publish.len());
        return Err(CliError::Flag { flag: "--subscribe, --publish", value, reason });
    }
    Ok(output::line(&token)?)
}

/// A token that the hub would refuse is not worth printing.
fn check(args: &Args) -> Result<(), CliError> {
    let refuse = |flag, value: &str, reason: String| {
        // An oversized value would bury the message.
        let value: String = value.chars().take(80).collect();
        Err(CliError::Flag { flag, value: format!("{value:?}"), reason })
    };
    if let Some(user) = &args.user
        && !(1..=NAME_BYTES_MAX).contains(&user.len())
    {
        return refuse(
            "--user",
            user,
            format!("has {} bytes, allowed are 1 to {NAME_BYTES_MAX}", user.len()),
        );
    }
    for (flag, selectors) in [("--subscribe", &args.subscribe), ("--publish", &args.publish)] {
        if selectors.len() > GRANTS_MAX {
            let reason = format!("{} selectors, at most {GRANTS_MAX} are taken", selectors.len());
            return refuse(flag, "", reason);
        }
        if let Some(selector) = selectors.iter().find(|s| !(1..=TOPIC_BYTES_MAX).contains(&s.len())) {
            let reason = format!("has {} bytes, allowed are 1 to {TOPIC_BYTES_MAX}", selector.len());
            return refuse(flag, selector, reason);
        }
    }
    Ok(())
}

fn secret(args: &Args) -> Result<Secret, CliError> {
    if let Some(path) = &args.hmac_key_file {
        return match read_hmac_key(path) {
            Ok(key) => Ok(key.secret),
            Err(cause) => Err(CliError::Key { place: format!("--hmac-key-file {}", path.display()), cause }),
        };
    }
    let config = load_config(args.config.clone(), None, Purpose::Sign)?.config;
    let secret = config.hmac_secret();
    let secret = secret.map_err(|cause| CliError::Key { place: "auth.hmac_key_file".to_owned(), cause })?;
    Ok(secret.expect("a configuration that was loaded for signing has a shared secret"))
}

/// What time it is; a clock before 1970 counts as 1970.
pub(super) fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Signs a token with HS256.
pub(super) fn mint(
    secret: &Secret,
    user: Option<&str>,
    subscribe: &[String],
    publish: &[String],
    ttl: Duration,
    now: UnixMillis,
) -> Result<String, jsonwebtoken::errors::Error> {
    let iat = now.as_secs();
    let claims = Claims {
        sub: user,
        iat,
        exp: iat.saturating_add(ttl.as_secs()),
        corecast: Grants { subscribe, publish },
    };
    let key = EncodingKey::from_secret(secret.expose());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
}
