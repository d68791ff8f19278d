//! Servers under measurement: how each is started on its core, what it can do, and what its requests look like.
//!
//! Not here: the load on them. A target only says which bytes to send; it never sends them.

use std::net::SocketAddr;

mod bare;
mod process;

pub use bare::Bare;
pub use process::ProcessTree;

/// A server that can be measured.
pub trait Target {
    /// As in tables and on the command line: `corecast`.
    fn name(&self) -> &'static str;

    /// As the program itself tells it.
    ///
    /// # Errors
    /// If it is not installed; the text says how to install it.
    fn version(&self) -> anyhow::Result<String>;

    /// Why the target cannot do something, if it cannot: shown in place of a figure.
    fn unable(&self, need: Need) -> Option<&'static str>;

    /// Starts it with `plan` and waits until it accepts connections.
    ///
    /// # Errors
    /// If it does not come up in time, with what it wrote to its standard error.
    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>>;
}

/// What a scenario needs of a target beside a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Events to one user.
    Users,
    /// Verified tokens of subscribers.
    Authorization,
    /// A subscriber that comes back is given what it missed.
    Resume,
    /// Comments or events in silence.
    Heartbeats,
    /// Several events in one publishing request.
    Batches,
    /// More than this many connections in one process.
    Connections(u32),
}

/// How a target is to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Subscribers to be expected; the target allows for them and a few more.
    pub connections: u32,
    /// The core that all its threads are pinned to.
    pub core: usize,
    /// Worker threads that handle connections, all on `core`: 1 except where connections exceed a table of the kernel.
    pub workers: u32,
    /// The size of the largest event, data only, in bytes.
    pub event_bytes: u32,
    /// Whether subscribers bring verified tokens, one user each.
    pub authorized: bool,
    /// Events that a returning subscriber must be able to catch up with.
    pub history_events: u32,
    /// Seconds between heartbeats of a silent stream.
    pub heartbeat_seconds: u32,
}

/// A server that runs. Dropping it ends all its processes and removes its files.
pub trait Running {
    /// Its processes, to be measured.
    fn tree(&self) -> &ProcessTree;

    /// Where subscribers connect. The load may use any 127.x.y.z with this port if the address is unspecified.
    fn subscribe_address(&self) -> SocketAddr;

    /// Where publishers connect.
    fn publish_address(&self) -> SocketAddr;

    /// The whole request of a subscriber.
    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8>;

    /// Appends the whole request that publishes `data` to `out`. Its answer has a status of 2xx if the event was taken.
    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>);

    /// Appends one request that publishes all of `data` to `out`, one event each; only with [`Need::Batches`].
    fn publish_batch(&self, to: Audience, data: &[&[u8]], out: &mut Vec<u8>);
}

/// Who subscribes.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber<'a> {
    /// Each subscriber is a user of its own, numbered from 0.
    pub user: u32,
    /// The last id it has seen.
    pub last_event_id: Option<&'a str>,
}

/// Who is to have an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    All,
    User(u32),
}
