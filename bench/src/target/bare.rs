//! The limit of the machine as a target: the bare server of this program, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::{Audience, Need, Plan, ProcessTree, Running, Subscriber, Target};
use crate::bare::Mode;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare(Mode);

impl Bare {
    /// One event after the other, in batches of io_uring sends.
    pub(super) const ONE: Self = Self(Mode::One);
    /// What has queued up goes out in one send to each.
    pub(super) const JOINED: Self = Self(Mode::Joined);
    /// One event after the other, with `send(2)`.
    pub(super) const SEND: Self = Self(Mode::Send);
}

impl Target for Bare {
    fn name(&self) -> &'static str {
        match self.0 {
            Mode::One => "limit",
            Mode::Joined => "limit-joined",
            Mode::Send => "limit-send",
        }
    }

    fn version(&self) -> anyhow::Result<String> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Users => Some("it sends everything to all"),
            Need::Authorization => Some("it does not look at what subscribers send"),
            Need::Resume => Some("it has no history"),
            Need::Heartbeats => Some("it sends nothing by itself"),
            Need::Batches => Some("it takes one event in a request"),
            Need::Streams | Need::Lasting(_) => None,
            Need::Connections(count) => {
                let limit = corecast_ring::raise_nofile().map_or(0, |limit| limit.soft);
                // A few files are the process's own.
                (u64::from(count) + 16 > limit)
                    .then_some("it has one ring, whose table the limit of open files bounds")
            }
        }
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mode = self.name().strip_prefix("limit-").unwrap_or("one");
        let mut child = Command::new(program)
            .args(["bare", "--mode", mode, "--core", &plan.core.to_string()])
            .args(["--connections", &plan.connections.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the bare server")?;
        let stdout = child.stdout.take().context("its standard output")?;
        let tree = ProcessTree::of(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("its standard output")?;
        let (subscribe, publish) =
            read_ready(&line).with_context(|| format!("the bare server is not ready: {line:?}"))?;
        Ok(Box::new(Server { tree, subscribe, publish }))
    }
}

fn read_ready(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (subscribe, publish) = line.trim_end().strip_prefix("ready ")?.split_once(' ')?;
    Some((subscribe.parse().ok()?, publish.parse().ok()?))
}

struct Server {
    tree: ProcessTree,
    subscribe: SocketAddr,
    publish: SocketAddr,
}

impl Running for Server {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.subscribe
    }

    fn publish_address(&self) -> SocketAddr {
        self.publish
    }

    fn subscribe_request(&self, _subscriber: &Subscriber<'_>) -> Vec<u8> {
        b"GET /events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n".to_vec()
    }

    fn publish_request(&self, _to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let len = data.len();
        let head = format!(
            "POST /publish?all=1 HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\nContent-Length: {len}\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(data);
    }

    /// Never asked for ([`Need::Batches`]); one request each is what comes closest.
    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        events.iter().for_each(|(to, data)| self.publish_request(*to, data, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_ready_is_read() {
        let expected = Some(("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()));
        assert_eq!(read_ready("ready 127.0.0.1:1 127.0.0.1:2\n"), expected);
        for line in ["", "ready\n", "ready x y\n"] {
            assert_eq!(read_ready(line), None, "{line}");
        }
    }
}
