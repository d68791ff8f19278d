//! `durable-streams`: one binary that serves append-only streams over HTTP, also as event streams.
//!
//! In JSON mode, which alone keeps the boundaries of events, and in memory mode, which keeps its log in files without
//! waiting for the disk. It has streams and offsets where hubs have users and event ids.

use std::net::SocketAddr;
use std::path::PathBuf;
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

/// See the module.
pub(super) struct DurableStreams {
    binary: Option<PathBuf>,
}

impl DurableStreams {
    pub(super) fn new(options: &Options) -> Self {
        Self { binary: options.durable_streams.clone() }
    }

    /// Installed beside the folder that this program was built into: `target/peers/bin`.
    fn binary(&self) -> anyhow::Result<PathBuf> {
        let peers = launch::release_folder()?.with_file_name("peers").join("bin");
        launch::find_program(self.binary.as_deref(), "durable-streams-server", &[peers], REMEDY)
    }
}

impl Target for DurableStreams {
    fn name(&self) -> &'static str {
        "durable-streams"
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
            Need::Resume => Some(
                "it has no event ids: who comes back must name an offset in the URL, kept from control events",
            ),
            Need::Lasting(seconds) if seconds > LASTS_SECONDS_MAX => Some("it ends each stream after 60 s"),
            Need::Connections(count) if count > CONNECTIONS_MAX => Some("it takes 65,536 connections"),
            Need::Connections(count) => launch::beyond_nofile(count),
            Need::Heartbeats | Need::Batches | Need::Lasting(_) => None,
        }
    }

    /// Heartbeats are its own, after 15 s, whatever the plan says.
    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let address = SocketAddr::from(([0, 0, 0, 0], launch::free_port()?));
        let mut command = launch::command(self.binary()?);
        command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
        command.args(["--durability", "memory", "--worker-threads", &plan.workers.to_string()]);
        command.arg("--data-dir").arg(folder.path());
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("durable-streams-server does not start")?;
        let create = format!("PUT {STREAM} HTTP/1.1\r\nHost: bench\r\n{JSON}Content-Length: 0\r\n\r\n");
        let status = launch::status_of(address, create.as_bytes()).context("creating a stream")?;
        if status != 201 {
            bail!("creating a stream was answered with {status}");
        }
        Ok(Box::new(Hub { tree, address, _folder: folder }))
    }
}

/// Of the line `durable-streams v0.1.5:`.
fn installed_version(list: &str) -> Option<&str> {
    list.lines().find_map(|line| line.strip_prefix("durable-streams v")?.strip_suffix(':'))
}

struct Hub {
    tree: ProcessTree,
    address: SocketAddr,
    // Last: the files go when the process is gone.
    _folder: TempDir,
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

    fn subscribe_request(&self, _subscriber: &Subscriber<'_>) -> Vec<u8> {
        request::get(&format!("{STREAM}?offset=now&live=sse"), "")
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
    fn the_version_is_read_from_the_list_of_cargo() {
        let list =
            "cargo-deny v0.18.3:\n    cargo-deny\ndurable-streams v0.1.5:\n    durable-streams-server\n";
        assert_eq!(installed_version(list), Some("0.1.5"));
        assert_eq!(installed_version("durable-streams-server v0.3.0:\n"), None);
    }
}
