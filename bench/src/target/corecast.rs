//! The hub of this repository, as anybody would run it: its release binary with a configuration file.
//!
//! Events to one user need `plan.authorized`: the hub knows a user by the token alone.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use corecast_core::selector::Selector;
use tempfile::TempDir;

use super::launch;
use super::request;
use super::scraper::Scraper;
use super::token::{HMAC_KEY, subscriber_token, token, user};
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};

/// What the hub takes at least, and by default.
const EVENT_BYTES_DEFAULT: u32 = 65_536;
const HISTORY_BYTES_DEFAULT: u64 = 64 << 20;

/// Field names and framing around the data of an event, and its entry in the history: more than they are.
const EVENT_OVERHEAD_BYTES: u32 = 512;

/// What the log of events takes by default.
const LOG_BYTES_DEFAULT: u64 = 1 << 30;

/// Where the hub keeps what it has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogKind {
    Memory,
    File,
}

/// See the module.
pub(super) struct Corecast {
    binary: Option<PathBuf>,
    data: Option<PathBuf>,
    log: LogKind,
    is_scraped: bool,
    driver: Driver,
}

/// What drives the hub's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Whatever the hub chooses by itself, which is io_uring where this program can run.
    Auto,
    /// monoio, which waits with io_uring.
    Monoio,
    /// monoio, which waits with epoll.
    Epoll,
}

impl Corecast {
    pub(super) fn new(options: &Options, log: LogKind) -> Self {
        let (binary, data) = (options.corecast.clone(), options.data.clone());
        Self { binary, data, log, is_scraped: false, driver: Driver::Auto }
    }

    /// The same on another driver.
    pub(super) fn driven_by(self, driver: Driver) -> Self {
        Self { driver, ..self }
    }

    /// The same, with its metrics read each second.
    pub(super) fn scraped(self) -> Self {
        Self { is_scraped: true, ..self }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        let remedy = "cargo build --release --package corecast";
        launch::find_program(self.binary.as_deref(), "corecast", &[launch::release_folder()?], remedy)
    }
}

impl Target for Corecast {
    fn name(&self) -> &'static str {
        match (self.log, self.driver) {
            (LogKind::Memory, Driver::Auto) if self.is_scraped => "corecast-scraped",
            (LogKind::Memory, Driver::Auto) => "corecast",
            (LogKind::File, _) => "corecast-file",
            (LogKind::Memory, Driver::Monoio) => "corecast-monoio",
            (LogKind::Memory, Driver::Epoll) => "corecast-epoll",
        }
    }

    fn version(&self) -> anyhow::Result<String> {
        let said = launch::output_of(std::process::Command::new(self.binary()?).arg("--version"))?;
        Ok(said.trim_start_matches("corecast ").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Streams
            | Need::Users
            | Need::Authorization
            | Need::Resume
            | Need::Heartbeats
            | Need::Batches
            | Need::Connections(_)
            | Need::Lasting(_) => None,
        }
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let binary = self.binary()?;
        let folder = launch::folder(self.data.as_deref())?;
        let config = folder.path().join("corecast.toml");
        let log = (self.log == LogKind::File).then(|| folder.path().join("log"));
        fs::write(&config, configuration(plan, log.as_deref()))
            .with_context(|| config.display().to_string())?;
        let mut command = launch::command(binary);
        command.args(["serve", "--log-format", "json", "--config"]).arg(&config);
        // A setting in the environment would be stronger than the file.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CORECAST_")) {
                command.env_remove(name);
            }
        }
        match self.driver {
            Driver::Auto => {}
            Driver::Monoio => _ = command.args(["--driver", "monoio"]),
            // monoio's own switch, for where io_uring would work.
            Driver::Epoll => {
                command.args(["--driver", "monoio"]).env("MONOIO_FORCE_LEGACY_DRIVER", "1");
            }
        }
        let tree = launch::start(&mut command, plan.core)?;
        let Listening { hub: address, admin } =
            launch::wait_for(&tree, "line that tells its addresses", || tree.find_said(listening))
                .context("corecast does not start")?;
        let ready = request::get("/readyz", "");
        launch::wait_for(&tree, "readiness", || {
            launch::status_of(address, &ready).is_ok_and(|status| status == 200).then_some(())
        })
        .context("corecast does not start")?;
        let publisher = token("publisher", &[Selector::parse("*").context("a grant of everything")?])?;
        let scraper = self.is_scraped.then(|| Scraper::of(admin));
        Ok(Box::new(Hub {
            _scraper: scraper,
            tree,
            address,
            publisher,
            authorized: plan.authorized,
            log,
            _folder: folder,
        }))
    }
}

/// What differs from the defaults, and what the plan asks for. Accepting is not paced, as it is not with others: what is
/// measured is how fast it can be. A folder for the log makes it one of files.
fn configuration(plan: &Plan, log: Option<&Path>) -> String {
    let Plan { workers, event_bytes, authorized, heartbeat_seconds, .. } = plan;
    // Whoever comes back at once may be there before the hub knows that it was gone.
    let connections = plan.connections + plan.connections / 16 + plan.publishers + 64;
    let block_bytes = event_bytes + EVENT_OVERHEAD_BYTES;
    let event_bytes_max = block_bytes.max(EVENT_BYTES_DEFAULT);
    let history_events = match log {
        Some(_) => plan.history_events,
        None => plan.history_events.max(plan.log_events),
    };
    let history_events = history_events.max(1);
    let history_bytes = HISTORY_BYTES_DEFAULT
        .max(u64::from(history_events) * u64::from(block_bytes))
        .max(u64::from(event_bytes_max));
    let anonymous = !authorized;
    // As the default has it, twice the heartbeat: the hub refuses one that is shorter.
    let dead_peer_seconds = 30.max(2 * heartbeat_seconds);
    let heartbeat = if *heartbeat_seconds == 0 { "off".to_owned() } else { format!("{heartbeat_seconds}s") };
    let mut toml = String::new();
    write!(
        toml,
        "hub.listen = \"0.0.0.0:0\"\n\
         hub.shards = {workers}\n\
         admin.listen = \"127.0.0.1:0\"\n\
         auth.hmac_key = \"{HMAC_KEY}\"\n\
         auth.anonymous = {anonymous}\n\
         limits.connections = {connections}\n\
         limits.per_user = 1\n\
         limits.accept_rate = 0\n\
         limits.event_bytes = {event_bytes_max}\n\
         stream.heartbeat = \"{heartbeat}\"\n\
         stream.dead_peer = \"{dead_peer_seconds}s\"\n\
         history.events = {history_events}\n\
         history.bytes = {history_bytes}\n"
    )
    .expect("a string takes everything");
    if let Some(folder) = log {
        let bytes = LOG_BYTES_DEFAULT.max(2 * u64::from(plan.log_events) * u64::from(block_bytes));
        write!(toml, "log.kind = \"file\"\nlog.path = \"{}\"\nlog.bytes = {bytes}\n", folder.display())
            .expect("a string takes everything");
    }
    toml
}

/// Where a hub listens.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    hub: SocketAddr,
    admin: SocketAddr,
}

/// The addresses in the line `{"message":"listening","hub":"0.0.0.0:7","admin":"127.0.0.1:9"}`.
fn listening(line: &str) -> Option<Listening> {
    let record: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = record.get("fields").unwrap_or(&record);
    let address = |field: &str| fields[field].as_str()?.parse().ok();
    (fields["message"] == "listening")
        .then(|| Some(Listening { hub: address("hub")?, admin: address("admin")? }))?
}

struct Hub {
    // First: nobody asks a process that is gone.
    _scraper: Option<Scraper>,
    tree: ProcessTree,
    address: SocketAddr,
    publisher: String,
    authorized: bool,
    log: Option<PathBuf>,
    // Last: the files go when the process is gone.
    _folder: TempDir,
}

impl Running for Hub {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn log_folder(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.address
    }

    fn publish_address(&self) -> SocketAddr {
        self.address
    }

    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8> {
        let token = self.authorized.then(|| subscriber_token(subscriber.user));
        let fields = request::bearer(token.as_deref()) + &request::last_event_id(subscriber.last_event_id);
        request::get("/events", &fields)
    }

    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(data.len() + 64);
        draft(to, data, &mut body);
        self.post("application/json", &body, out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        let mut body = Vec::new();
        for &(to, data) in events {
            draft(to, data, &mut body);
            body.push(b'\n');
        }
        self.post("application/x-ndjson", &body, out);
    }
}

impl Hub {
    fn post(&self, media_type: &str, body: &[u8], out: &mut Vec<u8>) {
        let fields = format!("Content-Type: {media_type}\r\n{}", request::bearer(Some(&self.publisher)));
        request::post("/publish", &fields, body, out);
    }
}

/// An event in JSON.
fn draft(to: Audience, data: &[u8], out: &mut Vec<u8>) {
    match to {
        Audience::All => out.extend_from_slice(b"{\"all\":true,\"data\":"),
        Audience::User(number) => {
            out.extend_from_slice(format!("{{\"users\":[\"{}\"],\"data\":", user(number)).as_bytes());
        }
    }
    request::json_string(data, out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_read_from_the_log() {
        let line =
            r#"{"level":"INFO","fields":{"message":"listening","hub":"0.0.0.0:81","admin":"127.0.0.1:2"}}"#;
        let [hub, admin] = [([0, 0, 0, 0], 81), ([127, 0, 0, 1], 2)].map(SocketAddr::from);
        assert_eq!(listening(line), Some(Listening { hub, admin }));
        for other in ["no JSON", r#"{"message":"stopping"}"#, r#"{"message":"listening","hub":"?"}"#] {
            assert_eq!(listening(other), None, "{other}");
        }
    }

    #[test]
    fn only_a_log_in_files_goes_back_further_than_memory() {
        let plan = Plan {
            connections: 10,
            publishers: 2,
            core: 0,
            workers: 1,
            event_bytes: 128,
            authorized: false,
            history_events: 1_000,
            log_events: 100_000,
            heartbeat_seconds: 15,
        };
        for (log, history, kind) in [
            (None, "history.events = 100000\n", None),
            (Some(Path::new("/d/log")), "history.events = 1000\n", Some("log.path = \"/d/log\"\n")),
        ] {
            let toml = configuration(&plan, log);
            assert!(toml.contains(history), "{toml}");
            assert_eq!(kind, kind.filter(|line| toml.contains(line)), "{toml}");
            assert_eq!(toml.contains("log.kind = \"file\""), log.is_some(), "{toml}");
        }
    }

    #[test]
    fn drafts_are_what_the_hub_reads() {
        for (to, expected) in [
            (Audience::All, r#"{"all":true,"data":"~1"}"#),
            (Audience::User(7), r#"{"users":["user-7"],"data":"~1"}"#),
        ] {
            let mut out = Vec::new();
            draft(to, b"~1", &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
