//! Redis with one stream, in an append-only file that is synced before publishers are answered.
//!
//! For what durable publishing costs elsewhere: it serves no event streams.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use tempfile::TempDir;

use super::launch;
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};
use crate::load::Protocol;

const REMEDY: &str = "apt-get install --no-install-recommends redis-server";

/// The key of the stream.
const STREAM: &str = "events";

/// See the module.
pub(super) struct Redis {
    binary: Option<PathBuf>,
    data: Option<PathBuf>,
}

impl Redis {
    pub(super) fn new(options: &Options) -> Self {
        Self { binary: options.redis.clone(), data: options.data.clone() }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        launch::find_program(self.binary.as_deref(), "redis-server", &[], REMEDY)
    }
}

impl Target for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn version(&self) -> anyhow::Result<String> {
        let said = launch::output_of(Command::new(self.binary()?).arg("--version"))?;
        let version = said.split_ascii_whitespace().find_map(|word| word.strip_prefix("v="));
        Ok(version.unwrap_or("of unknown version").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Batches => Some("each of its requests is one event"),
            _ => Some("it serves no event streams"),
        }
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let folder = launch::folder(self.data.as_deref())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, launch::free_port()?));
        let config = folder.path().join("redis.conf");
        fs::write(&config, configuration(address, folder.path(), plan.publishers))
            .with_context(|| config.display().to_string())?;
        let mut command = launch::command(self.binary()?);
        command.arg(&config);
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("redis-server does not start")?;
        launch::wait_for(&tree, "answer to PING", || {
            let said = launch::answer_of(address, b"PING\r\n", |answer| answer.ends_with(b"\r\n"));
            said.is_ok_and(|said| said.starts_with("+PONG")).then_some(())
        })
        .context("redis-server does not start")?;
        Ok(Box::new(Server { tree, address, folder }))
    }
}

/// Without snapshots and rewrites of the file, which would fall into one measurement and not into another.
fn configuration(address: SocketAddr, folder: &Path, publishers: u32) -> String {
    format!(
        "bind {}\nport {}\ndaemonize no\ndir \"{}\"\nsave \"\"\nappendonly yes\nappendfsync always\n\
         auto-aof-rewrite-percentage 0\nmaxclients {}\n",
        address.ip(),
        address.port(),
        folder.display(),
        publishers + 64
    )
}

struct Server {
    tree: ProcessTree,
    address: SocketAddr,
    // Last: the files go when the process is gone.
    folder: TempDir,
}

impl Running for Server {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn log_folder(&self) -> Option<&Path> {
        Some(self.folder.path())
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.address
    }

    fn protocol(&self) -> Protocol {
        Protocol::Resp
    }

    fn publish_address(&self) -> SocketAddr {
        self.address
    }

    /// Never asked for ([`Need::Streams`]).
    fn subscribe_request(&self, _subscriber: &Subscriber<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn publish_request(&self, _to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let head = format!("*5\r\n$4\r\nXADD\r\n${}\r\n{STREAM}\r\n$1\r\n*\r\n$4\r\ndata\r\n", STREAM.len());
        out.extend_from_slice(head.as_bytes());
        write!(out, "${}\r\n", data.len()).expect("a vector takes everything");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        events.iter().for_each(|(to, data)| self.publish_request(*to, data, out));
    }
}
