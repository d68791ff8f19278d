//! `durable-streams`: one binary that serves append-only streams over HTTP, also as event streams.
//!
//! In JSON mode, which alone keeps the boundaries of events. In memory mode it keeps its log in files without waiting for
//! the disk; in wal mode it waits. It has streams and offsets where hubs have users and event ids.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::launch;
use super::request;
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};

const REMEDY: &str = "cargo install --locked --version 0.1.5 --root target/peers durable-streams";

/// The stream that all subscribers follow.
const STREAM: &str = "/all";

const JSON: &str = "Content-Type: application/json\r\n";

/// It ends each event stream after 60 s; a scenario needs some of it to set up.
const LASTS_SECONDS_MAX: u32 = 50;

/// The permits that its connections share.
const CONNECTIONS_MAX: u32 = 65_000;

/// When it answers publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Once an event is in the page cache.
    Memory,
    /// Once a write-ahead log that has it is synced, by one sync for all that wait.
    Wal,
}

/// See the module.
pub(super) struct DurableStreams {
    binary: Option<PathBuf>,
    data: Option<PathBuf>,
    durability: Durability,
}

impl DurableStreams {
    pub(super) fn new(options: &Options, durability: Durability) -> Self {
        Self { binary: options.durable_streams.clone(), data: options.data.clone(), durability }
    }

    /// Installed beside the folder that this program was built into: `target/peers/bin`.
    fn binary(&self) -> anyhow::Result<PathBuf> {
        let peers = launch::peers_folder()?.join("bin");
        launch::find_program(self.binary.as_deref(), "durable-streams-server", &[peers], REMEDY)
    }
}

impl Target for DurableStreams {
    fn name(&self) -> &'static str {
        match self.durability {
            Durability::Memory => "durable-streams",
            Durability::Wal => "durable-streams-wal",
        }
    }

    fn version(&self) -> anyhow::Result<String> {
        let binary = self.binary()?;
        // The program does not tell its version; cargo knows what it has installed beside it.
        let root =
            binary.parent().and_then(|bin| bin.parent()).context("the folder that it is installed in")?;
        let list = launch::output_of(Command::new("cargo").args(["install", "--list", "--root"]).arg(root));
        Ok(list.ok().as_deref().and_then(installed_version).unwrap_or("of unknown version").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Users => Some("it has no users: a subscriber follows one stream, for which it has the URL"),
            Need::Authorization => Some("it verifies no tokens"),
            Need::Lasting(seconds) if seconds > LASTS_SECONDS_MAX => Some("it ends each stream after 60 s"),
            Need::Connections(count) if count > CONNECTIONS_MAX => Some("it takes 65,536 connections"),
            Need::Connections(count) => launch::beyond_nofile(count),
            Need::Streams | Need::Resume | Need::Heartbeats | Need::Batches | Need::Lasting(_) => None,
        }
    }

    /// Heartbeats are its own, after 15 s, whatever the plan says.
    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let folder = launch::folder(self.data.as_deref())?;
        let durability = match self.durability {
            Durability::Memory => "memory",
            Durability::Wal => "wal",
        };
        let address = SocketAddr::from(([0, 0, 0, 0], launch::free_port()?));
        let mut command = launch::command(self.binary()?);
        command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
        command.args(["--durability", durability, "--worker-threads", &plan.workers.to_string()]);
        command.arg("--data-dir").arg(folder.path());
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("durable-streams-server does not start")?;
        let create = format!("PUT {STREAM} HTTP/1.1\r\nHost: bench\r\n{JSON}Content-Length: 0\r\n\r\n");
        let status = launch::status_of(address, create.as_bytes()).context("creating a stream")?;
        if status != 201 {
            bail!("creating a stream was answered with {status}");
        }
        Ok(Box::new(Hub { tree, address, folder }))
    }
}

/// Of the line `stream-next-offset: 0000_0017`.
fn next_offset(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("stream-next-offset").then_some(value.trim())
}

/// Of the line `durable-streams v0.1.5:`.
fn installed_version(list: &str) -> Option<&str> {
    list.lines().find_map(|line| line.strip_prefix("durable-streams v")?.strip_suffix(':'))
}

struct Hub {
    tree: ProcessTree,
    address: SocketAddr,
    // Last: the files go when the process is gone.
    folder: TempDir,
}

impl Running for Hub {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.address
    }

    fn publish_address(&self) -> SocketAddr {
        self.address
    }

    /// Who comes back names an offset in the URL, which clients keep from control events.
    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8> {
        let offset = subscriber.last_event_id.unwrap_or("now");
        request::get(&format!("{STREAM}?offset={offset}&live=sse"), "")
    }

    fn cursor(&self) -> anyhow::Result<Option<String>> {
        let head = format!("HEAD {STREAM} HTTP/1.1\r\nHost: bench\r\n\r\n");
        let answer =
            launch::head_of(self.address, head.as_bytes()).context("asking for the end of the stream")?;
        let offset = answer.lines().find_map(next_offset).map(str::to_owned);
        offset.map(Some).with_context(|| format!("the answer tells no Stream-Next-Offset: {answer}"))
    }

    fn log_folder(&self) -> Option<&Path> {
        Some(self.folder.path())
    }

    fn publish_request(&self, _to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(data.len() + 2);
        request::json_string(data, &mut body);
        request::post(STREAM, JSON, &body, out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        let mut body = Vec::new();
        for (_, data) in events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            request::json_string(data, &mut body);
        }
        body.push(b']');
        request::post(STREAM, JSON, &body, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_stream_is_read_from_its_header() {
        assert_eq!(
            next_offset("Stream-Next-Offset: 0000000000000000_0000000000000017"),
            Some("0000000000000000_0000000000000017")
        );
        for other in ["HTTP/1.1 200 OK", "Content-Length: 3"] {
            assert_eq!(next_offset(other), None, "{other}");
        }
    }

    #[test]
    fn the_version_is_read_from_the_list_of_cargo() {
        let list =
            "cargo-deny v0.18.3:\n    cargo-deny\ndurable-streams v0.1.5:\n    durable-streams-server\n";
        assert_eq!(installed_version(list), Some("0.1.5"));
        assert_eq!(installed_version("durable-streams-server v0.3.0:\n"), None);
    }
}
