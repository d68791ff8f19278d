//! The limit: a server that sends to all and does nothing else, to see what the machine can do at most.
//!
//! It reads a head and ignores it, takes every `POST` for an event to all, answers it at once, and sends the very bytes that
//! corecast would. There are no users, topics, tokens, history, heartbeats or time-outs, and nobody notices when a
//! subscriber goes until the next send. Not here: how it is started and asked (`target::bare`).

pub mod device;
mod frames;
mod plain;
mod requests;
mod uring;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use corecast_ring::{ListenOptions, Listener, listen};

use frames::Frames;

/// What it is told to do.
#[derive(Clone, Debug, clap::Args)]
pub struct BareOptions {
    /// Where subscribers connect.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where publishers connect.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub publish_listen: SocketAddr,
    /// The core that it runs on.
    #[arg(long)]
    pub core: usize,
    /// How it sends.
    #[arg(long, value_enum)]
    pub mode: Mode,
    /// Subscribers to be expected.
    #[arg(long)]
    pub connections: u32,
}

/// How events go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// One event after the other, in batches of io_uring sends.
    One,
    /// All events that have queued up meanwhile in one io_uring send to each.
    Joined,
    /// One event after the other, with `send(2)`.
    Send,
}

/// Bytes of one send when events are joined, as the hub joins them: what an empty send buffer takes at once.
const JOINED_BYTES_MAX: usize = 32 * 1024;

/// How long a socket may stay full before it is closed: longer than a load on a busy machine is kept from its core.
const FULL_MAX: Duration = Duration::from_secs(10);

/// Serves until it is killed. Prints `ready SUBSCRIBE_ADDRESS PUBLISH_ADDRESS` once it accepts, and why if it cannot.
pub fn serve(options: &BareOptions) -> ! {
    let Err(error) = try_serve(options);
    eprintln!("the bare server ends: {error:#}");
    std::process::exit(1);
}

fn try_serve(options: &BareOptions) -> anyhow::Result<std::convert::Infallible> {
    // An interrupted measurement must not leave a server behind.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    corecast_ring::pin_to_core(options.core).with_context(|| format!("core {}", options.core))?;
    let nofile = corecast_ring::raise_nofile().context("the limit of open files")?;
    let listeners = Listeners::bind(options)?;
    listeners.announce()?;
    match options.mode {
        Mode::One => uring::serve(&listeners, options.connections, nofile.soft, 0),
        Mode::Joined => uring::serve(&listeners, options.connections, nofile.soft, JOINED_BYTES_MAX),
        Mode::Send => plain::serve(&listeners),
    }
}

struct Listeners {
    subscribers: Listener,
    publishers: Listener,
}

impl Listeners {
    fn bind(options: &BareOptions) -> anyhow::Result<Self> {
        Ok(Self {
            subscribers: listen(options.listen, &listen_options())?,
            publishers: listen(options.publish_listen, &listen_options())?,
        })
    }

    fn announce(&self) -> anyhow::Result<()> {
        let (subscribe, publish) = (self.subscribers.local_addr()?, self.publishers.local_addr()?);
        let mut out = std::io::stdout().lock();
        writeln!(out, "ready {subscribe} {publish}")?;
        out.flush().context("standard output")
    }
}

/// Those of the hub that bear on a send (`server`, `hub/listeners.rs`).
fn listen_options() -> ListenOptions {
    ListenOptions {
        send_buffer_bytes: Some(32 * 1024),
        receive_buffer_bytes: Some(16 * 1024),
        not_sent_bytes_max: Some(16 * 1024),
        ..ListenOptions::default()
    }
}

/// Joins `events` into as few buffers as `bytes_max` allows, never cutting one; with 0 each is on its own.
fn join(events: &[bytes::Bytes], bytes_max: usize) -> Vec<bytes::Bytes> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    if bytes_max == 0 || events.len() < 2 {
        return events.to_vec();
    }
    for event in events {
        match joined.last_mut().filter(|last| last.len() + event.len() <= bytes_max) {
            Some(last) => last.extend_from_slice(event),
            None => joined.push(event.to_vec()),
        }
    }
    joined.into_iter().map(bytes::Bytes::from).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn joined_events_are_whole_in_order_and_bounded() {
        let events: Vec<Bytes> =
            [b"aa".as_slice(), b"b", b"cccccc", b"d", b"e"].map(Bytes::from_static).to_vec();
        for (max, expected) in [
            (0, vec!["aa", "b", "cccccc", "d", "e"]),
            (3, vec!["aab", "cccccc", "de"]),
            (100, vec!["aabccccccde"]),
        ] {
            assert_eq!(join(&events, max), expected, "{max}");
        }
        assert!(join(&[], 10).is_empty());
    }
}
