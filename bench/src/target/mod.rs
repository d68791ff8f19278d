//! Servers under measurement: how each is started on its core, what it can do, and what its requests look like.
//!
//! Not here: the load on them. A target only says which bytes to send; it never sends them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::bare::device::Ahead;
use crate::load::Protocol;

mod axum;
mod bare;
pub mod check;
mod corecast;
mod device;
pub mod disk;
mod durable_streams;
mod kernel_memory;
mod launch;
mod nats;
mod nchan;
mod process;
mod pushpin;
mod redis;
mod request;
mod responder;
mod scraper;
mod token;

use durable_streams::Durability;

pub use kernel_memory::KernelMemory;
pub use process::ProcessTree;

/// The servers that can be measured, in the order of tables.
pub const NAMES: [&str; 17] = [
    "corecast",
    "corecast-file",
    "corecast-scraped",
    "corecast-monoio",
    "corecast-epoll",
    "limit",
    "limit-joined",
    "limit-send",
    "device",
    "device-reserved",
    "durable-streams",
    "durable-streams-wal",
    "axum",
    "nchan",
    "pushpin",
    "nats",
    "redis",
];

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
    /// nats-server, 2.10 or later; else the one in target/peers or in the path.
    #[arg(long, value_name = "PATH")]
    pub nats: Option<PathBuf>,
    /// redis-server; else the one in the path.
    #[arg(long, value_name = "PATH")]
    pub redis: Option<PathBuf>,
    /// The folder that targets put their files below, each into one of its own: it decides which disk is measured; else the one
    /// for temporary files.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Options {
    /// The disk that targets put their files on. On a tmpfs a sync does nothing, and is said to.
    ///
    /// # Errors
    /// If the folder is not there.
    pub fn disk(&self) -> anyhow::Result<disk::Disk> {
        let folder = self.data.clone().unwrap_or_else(std::env::temp_dir);
        let disk = disk::Disk::of(&folder)?;
        if disk.file_system == "tmpfs" {
            eprintln!(
                "{} is in memory (tmpfs): syncs cost nothing there; --data names another",
                folder.display()
            );
        }
        Ok(disk)
    }
}

/// The target of that name, one of [`NAMES`].
#[must_use]
pub fn by_name(name: &str, options: &Options) -> Option<Box<dyn Target>> {
    match name {
        "corecast" => Some(Box::new(corecast::Corecast::new(options, corecast::LogKind::Memory))),
        "corecast-file" => Some(Box::new(corecast::Corecast::new(options, corecast::LogKind::File))),
        "corecast-scraped" => {
            Some(Box::new(corecast::Corecast::new(options, corecast::LogKind::Memory).scraped()))
        }
        "corecast-monoio" | "corecast-epoll" => {
            let driver = match name {
                "corecast-monoio" => corecast::Driver::Monoio,
                _ => corecast::Driver::Epoll,
            };
            let hub = corecast::Corecast::new(options, corecast::LogKind::Memory);
            Some(Box::new(hub.driven_by(driver)))
        }
        "limit" => Some(Box::new(bare::Bare::ONE)),
        "limit-joined" => Some(Box::new(bare::Bare::JOINED)),
        "limit-send" => Some(Box::new(bare::Bare::SEND)),
        "device" => Some(Box::new(device::DeviceLoop::new(options, Ahead::Nothing))),
        "device-reserved" => Some(Box::new(device::DeviceLoop::new(options, Ahead::Reserved))),
        "axum" => Some(Box::new(axum::Axum::new(options))),
        "durable-streams" => {
            Some(Box::new(durable_streams::DurableStreams::new(options, Durability::Memory)))
        }
        "durable-streams-wal" => {
            Some(Box::new(durable_streams::DurableStreams::new(options, Durability::Wal)))
        }
        "nchan" => Some(Box::new(nchan::Nchan::new(options))),
        "pushpin" => Some(Box::new(pushpin::Pushpin::new(options))),
        "nats" => Some(Box::new(nats::Nats::new(options))),
        "redis" => Some(Box::new(redis::Redis::new(options))),
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

    /// Set if it is no server but a loop that appends and syncs by itself: how, and where.
    fn device(&self) -> Option<Device<'_>> {
        None
    }

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
    /// Subscribers with event streams.
    Streams,
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

/// The limit of the disk: see [`Target::device`].
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// Where its file goes.
    pub folder: &'a Path,
    pub ahead: Ahead,
}

/// How a target is to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Subscribers to be expected; the target allows for them and a few more.
    pub connections: u32,
    /// Connections that publish.
    pub publishers: u32,
    /// The core that all its threads are pinned to.
    pub core: usize,
    /// Worker threads that handle connections, all on `core`: 1 except where connections exceed a table of the kernel.
    pub workers: u32,
    /// The size of the largest event, data only, in bytes.
    pub event_bytes: u32,
    /// Whether subscribers are users, who bring tokens that are verified. [`Audience::User`] needs it.
    pub authorized: bool,
    /// Events that a target with a log keeps in memory beside it.
    pub history_events: u32,
    /// Events that a returning subscriber must be able to catch up with, from memory or log. A target without a log keeps all
    /// of them in memory.
    pub log_events: u32,
    /// Seconds between heartbeats of a silent stream; 0 is none. A target that cannot be told has its own.
    pub heartbeat_seconds: u32,
}

/// A server that runs. Dropping it ends all its processes and removes its files.
pub trait Running {
    /// Its processes, to be measured.
    fn tree(&self) -> &ProcessTree;

    /// Where subscribers connect. The load may use any 127.x.y.z with this port if the address is unspecified.
    fn subscribe_address(&self) -> SocketAddr;

    /// How publishers are answered.
    fn protocol(&self) -> Protocol {
        Protocol::Http
    }

    /// What `publisher` sends when it has connected, and nobody answers.
    fn greeting(&self, _publisher: u32) -> Vec<u8> {
        Vec::new()
    }

    /// Where publishers connect.
    fn publish_address(&self) -> SocketAddr;

    /// The whole request of a subscriber.
    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8>;

    /// Appends the whole request that publishes `data` to `out`. Its answer has a status of 2xx if the event was taken.
    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>);

    /// The same to all by one of several publishers, so that this one is answered.
    fn publish_request_of(&self, _publisher: u32, data: &[u8], out: &mut Vec<u8>) {
        self.publish_request(Audience::All, data, out);
    }

    /// The end of what was published, for a subscriber that is to go on from there; `None` if that is the id of an event.
    ///
    /// # Errors
    /// If the server does not tell.
    fn cursor(&self) -> anyhow::Result<Option<String>> {
        Ok(None)
    }

    /// The folder with its log, if it has one.
    fn log_folder(&self) -> Option<&Path> {
        None
    }

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
