//! Servers under measurement: how each is started on its core, what it can do, and what its requests look like.
//!
//! Not here: the load on them. A target only says which bytes to send; it never sends them.

use std::net::SocketAddr;
use std::path::PathBuf;

mod axum;
mod bare;
pub mod check;
mod corecast;
mod durable_streams;
mod kernel_memory;
mod launch;
mod nchan;
mod process;
mod pushpin;
mod request;
mod responder;
mod token;

pub use kernel_memory::KernelMemory;
pub use process::ProcessTree;

/// The servers that can be measured, in the order of tables.
pub const NAMES: [&str; 8] =
    ["corecast", "limit", "limit-joined", "limit-send", "durable-streams", "axum", "nchan", "pushpin"];

/// Where programs are that are not where they are usually built or installed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// The hub; else the one that was built beside this program.
    #[arg(long, value_name = "PATH", env = "CORECAST_BIN")]
    pub corecast: Option<PathBuf>,
    /// The hub written by hand with axum; else the one that was built beside this program.
    #[arg(long, value_name = "PATH")]
    pub axum: Option<PathBuf>,
    /// durable-streams-server; else the one in target/peers or in the path.
    #[arg(long, value_name = "PATH")]
    pub durable_streams: Option<PathBuf>,
    /// nginx, with the module nchan where it looks for modules; else the one in the path.
    #[arg(long, value_name = "PATH")]
    pub nginx: Option<PathBuf>,
    /// pushpin; else the one in the path.
    #[arg(long, value_name = "PATH")]
    pub pushpin: Option<PathBuf>,
}

/// The target of that name, one of [`NAMES`].
#[must_use]
pub fn by_name(name: &str, options: &Options) -> Option<Box<dyn Target>> {
    match name {
        "corecast" => Some(Box::new(corecast::Corecast::new(options))),
        "limit" => Some(Box::new(bare::Bare::ONE)),
        "limit-joined" => Some(Box::new(bare::Bare::JOINED)),
        "limit-send" => Some(Box::new(bare::Bare::SEND)),
        "axum" => Some(Box::new(axum::Axum::new(options))),
        "durable-streams" => Some(Box::new(durable_streams::DurableStreams::new(options))),
        "nchan" => Some(Box::new(nchan::Nchan::new(options))),
        "pushpin" => Some(Box::new(pushpin::Pushpin::new(options))),
        _ => None,
    }
}

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

    /// How many subscribers may be connecting at once, if there is a bound beyond which it refuses some.
    fn connecting_max(&self) -> Option<u32> {
        None
    }

    /// Starts it with `plan` and waits until it accepts connections.
    ///
    /// # Errors
    /// If it does not come up in time, with what it wrote.
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
    /// This many connections in one process.
    Connections(u32),
    /// Streams that last this many seconds.
    Lasting(u32),
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
    /// Whether subscribers are users, who bring tokens that are verified. [`Audience::User`] needs it.
    pub authorized: bool,
    /// Events that a returning subscriber must be able to catch up with.
    pub history_events: u32,
    /// Seconds between heartbeats of a silent stream; 0 is none. A target that cannot be told has its own.
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

    /// Appends one request that publishes all `events`, each to its own audience; only with [`Need::Batches`].
    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>);
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
