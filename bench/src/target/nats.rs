//! NATS with one JetStream stream in files, synced after every event before its publisher is answered.
//!
//! For what durable publishing costs elsewhere: it serves no event streams. Publishers speak its text protocol, each with an
//! inbox of its own for answers.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::launch;
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};
use crate::load::Protocol;

const REMEDY: &str = "scripts/bench-peers gets it into target/peers";

/// The first that can be told to sync after every event.
const VERSION_MIN: (u32, u32) = (2, 10);

/// The stream, and the subject that it keeps.
const STREAM: &str = "bench";
const SUBJECT: &str = "events";

/// No headers: without them an event that no stream keeps is answered by nobody, and not by a message of another form.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":false,\"lang\":\"rust\",\"version\":\"0\"}\r\n";

/// See the module.
pub(super) struct Nats {
    binary: Option<PathBuf>,
    data: Option<PathBuf>,
}

impl Nats {
    pub(super) fn new(options: &Options) -> Self {
        Self { binary: options.nats.clone(), data: options.data.clone() }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        let peers = launch::peers_folder()?.join("nats/usr/sbin");
        launch::find_program(self.binary.as_deref(), "nats-server", &[peers], REMEDY)
    }
}

impl Target for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn version(&self) -> anyhow::Result<String> {
        let said = launch::output_of(Command::new(self.binary()?).arg("--version"))?;
        let version = said.rsplit_once('v').map_or(&*said, |(_, version)| version);
        let (major, minor) = VERSION_MIN;
        ensure!(
            numbers(version).is_some_and(|numbers| numbers >= VERSION_MIN),
            "nats-server {version} cannot sync after every event, {major}.{minor} can: {REMEDY}"
        );
        Ok(version.to_owned())
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
        let config = folder.path().join("nats.conf");
        fs::write(&config, configuration(address, folder.path()))
            .with_context(|| config.display().to_string())?;
        let mut command = launch::command(self.binary()?);
        command.arg("--config").arg(&config);
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("nats-server does not start")?;
        create_stream(address).with_context(|| format!("creating a stream; it wrote: {}", tree.said()))?;
        Ok(Box::new(Server { tree, address, folder }))
    }
}

/// The first two numbers of `2.10.27`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// A ping comes later than any measurement ends: publishers of ours answer none.
fn configuration(address: SocketAddr, folder: &Path) -> String {
    format!(
        "listen: \"{address}\"\nping_interval: \"24h\"\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always }}\n",
        folder.display()
    )
}

fn create_stream(address: SocketAddr) -> anyhow::Result<()> {
    let asked = format!(
        "{{\"name\":\"{STREAM}\",\"subjects\":[\"{SUBJECT}\"],\"storage\":\"file\",\"num_replicas\":1,\
         \"retention\":\"limits\",\"discard\":\"old\"}}"
    );
    let mut request = greeting(0);
    publish(&format!("$JS.API.STREAM.CREATE.{STREAM}"), 0, asked.as_bytes(), &mut request);
    let answer = launch::answer_of(address, &request, has_message)?;
    if answer.contains("\"error\"") || !answer.contains("stream_create_response") {
        bail!("it answered {answer}");
    }
    Ok(())
}

/// Whether `answer` has a whole message: a line that says how long it is, and that with its end.
fn has_message(answer: &[u8]) -> bool {
    let begin = memchr::memmem::find(answer, b"MSG ");
    begin.is_some_and(|begin| memchr::memmem::find_iter(&answer[begin..], b"\r\n").count() >= 2)
}

/// What a publisher says first: that it wants no echo of its commands, and its inbox.
fn greeting(publisher: u32) -> Vec<u8> {
    format!("{CONNECT}SUB _INBOX.{publisher} 1\r\n").into_bytes()
}

fn publish(subject: &str, publisher: u32, data: &[u8], out: &mut Vec<u8>) {
    write!(out, "PUB {subject} _INBOX.{publisher} {}\r\n", data.len()).expect("a vector takes everything");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
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
        Protocol::Nats
    }

    fn greeting(&self, publisher: u32) -> Vec<u8> {
        greeting(publisher)
    }

    fn publish_address(&self) -> SocketAddr {
        self.address
    }

    /// Never asked for ([`Need::Streams`]).
    fn subscribe_request(&self, _subscriber: &Subscriber<'_>) -> Vec<u8> {
        Vec::new()
    }

    fn publish_request(&self, _to: Audience, data: &[u8], out: &mut Vec<u8>) {
        publish(SUBJECT, 0, data, out);
    }

    fn publish_request_of(&self, publisher: u32, data: &[u8], out: &mut Vec<u8>) {
        publish(SUBJECT, publisher, data, out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        events.iter().for_each(|(to, data)| self.publish_request(*to, data, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, is_enough) in
            [("2.9.10", false), ("2.10.27", true), ("2.10.0-dev", true), ("3.0", true), ("x", false)]
        {
            assert_eq!(
                numbers(version).is_some_and(|numbers| numbers >= VERSION_MIN),
                is_enough,
                "{version}"
            );
        }
    }

    #[test]
    fn a_request_names_subject_inbox_and_length() {
        let mut out = Vec::new();
        publish("s", 7, b"data", &mut out);
        assert_eq!(out, b"PUB s _INBOX.7 4\r\ndata\r\n");
    }
}
