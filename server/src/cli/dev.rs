//! `corecast dev`: a hub to try, that leaves nothing behind.

mod streams;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args as ClapArgs;
use corecast_core::auth::mint;
use corecast_core::selector::Selector;

use super::error::CliError;
use super::flags::{SettingFlags, load_config};
use crate::clock;
use crate::config::{LogKind, Override, Purpose, Secret, Source};
use crate::hub::{self, DevOptions, HubOptions};
use crate::logging;
use crate::reachable::reachable;

/// The page that the demo hub serves. `{{token}}` stands where the demo token goes.
const PAGE: &str = include_str!("../../assets/dev.html");

const TOKEN_PLACE: &str = "{{token}}";

/// A working day, and the night after it.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

const DEMO_USER: &str = "dev";

/// The setting `auth.hmac_key`.
const KEY_VARIABLE: &str = "CORECAST_AUTH__HMAC_KEY";

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  corecast dev
  corecast dev --listen 127.0.0.1:9000 --shards 1
  corecast dev --log-path /tmp/corecast-log")]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingFlags,
    /// Keep events in a file log in this folder, over restarts; without it they are in memory [setting: log.path]
    #[arg(long, value_name = "FOLDER")]
    log_path: Option<String>,
}

impl Args {
    fn overrides(&self) -> Vec<Override> {
        let mut overrides = self.settings.overrides();
        if let Some(path) = &self.log_path {
            let row = |key, value: &str| Override {
                flag: "--log-path",
                section: "log",
                key,
                value: value.to_owned(),
            };
            overrides.extend([row("kind", "file"), row("path", path)]);
        }
        overrides
    }
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let flags = args.overrides();
    let mut loaded = load_config(None, flags.clone(), Purpose::Dev)?;
    let mut made_up_key = None;
    let config = &mut loaded.config;
    logging::start(&config.logging)?;
    let given = config.hmac_secret();
    let given = given.map_err(|cause| CliError::Key { place: "auth.hmac_key_file".to_owned(), cause })?;
    let mut environment = Vec::new();
    let secret = match given {
        Some(secret) => secret,
        None => {
            let key = throw_away_key()?;
            // A process that takes over would otherwise make another, and the token would be of no use.
            environment.push((KEY_VARIABLE.to_owned(), key.clone()));
            let key = made_up_key.insert(Secret::new(key.into_bytes()));
            config.auth.hmac_key.insert(key.clone()).clone()
        }
    };
    let token = mint(
        secret.expose(),
        Some(DEMO_USER),
        &[Selector::Any],
        &[Selector::Any],
        TOKEN_TTL,
        clock::unix_now(),
    )?;
    let page = PAGE.replace(TOKEN_PLACE, &token);
    let log = (config.log.kind == LogKind::File).then(|| config.log.path.clone());
    let banner = Box::new(move |hub, admin| {
        streams::tell(reachable(hub), reachable(admin), token.clone());
        dev_banner(hub, admin, &token, log.as_deref())
    });
    let source = Source { file: None, flags, purpose: Purpose::Dev, made_up_key };
    Ok(hub::run(HubOptions { loaded, source, dev: Some(DevOptions { page, banner, environment }) })?)
}

/// 256 random bits as text.
fn throw_away_key() -> Result<String, getrandom::Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a developer needs to begin: a page, a token, and two commands to paste. `log` is the folder of a file log.
#[must_use]
pub fn dev_banner(hub: SocketAddr, admin: SocketAddr, token: &str, log: Option<&Path>) -> String {
    let (hub, admin) = (reachable(hub), reachable(admin));
    let gone = match log {
        None => "its key, its token and its events are gone when it ends (Ctrl-C).".to_owned(),
        Some(log) => format!(
            "its events are kept in {}; its key and its token are gone when it ends (Ctrl-C).",
            log.display()
        ),
    };
    format!(
        "corecast is running; {gone}

  page     http://{hub}/
  metrics  http://{admin}/metrics
  token    {token}

Subscribe:

  curl -N 'http://{hub}/events?topic=demo'

Publish:

  curl 'http://{hub}/publish' \\
    -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {token}' \\
    -d '{{\"topics\":[\"demo\"],\"data\":\"hello\"}}'
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_place_for_the_token() {
        assert_eq!(PAGE.matches(TOKEN_PLACE).count(), 1);
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = PAGE.replace("<script src=\"/client.js\">", "");
        for outside in ["http://", "https://", "src=\"", "@import", "url(", "innerHTML"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_banner_names_addresses_that_can_be_opened() {
        let banner = dev_banner("0.0.0.0:8080".parse().unwrap(), "[::]:9180".parse().unwrap(), "TOKEN", None);
        assert!(banner.contains("page     http://127.0.0.1:8080/\n"), "{banner}");
        assert!(banner.contains("metrics  http://[::1]:9180/metrics\n"), "{banner}");
        assert!(banner.contains("-d '{\"topics\":[\"demo\"],\"data\":\"hello\"}'"), "{banner}");
        assert_eq!(banner.matches("TOKEN").count(), 2);
        assert!(banner.contains("its events are gone when it ends"), "{banner}");
        let addr = "127.0.0.1:1".parse().unwrap();
        let banner = dev_banner(addr, addr, "TOKEN", Some(Path::new("/srv/log")));
        assert!(banner.contains("its events are kept in /srv/log;"), "{banner}");
    }

    #[test]
    fn throw_away_keys_differ() {
        assert_ne!(throw_away_key().unwrap(), throw_away_key().unwrap());
    }
}
