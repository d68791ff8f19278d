//! The admin listener: what an operator's tools ask of a running hub, apart from its clients.
//!
//! It lives on the control thread and reads what shards have left for it; what it asks of them is bounded by the engine
//! itself, so nothing that happens here can hold up a shard (`asking`).
//! Not here: publishers and subscribers, and what a command to the hub does (`hub`).

mod listener;
mod patience;
mod access;
mod routes;
mod problem;
mod moment;

mod metrics;
mod pages;

mod asking;
mod tally;
pub mod survey;
mod api;

mod sample;
mod live;
mod handed_on;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::listener::serve;
use crate::admin::survey::Survey;
use crate::census::SharedCensus;
use crate::config::{InForce, Secret};
use crate::control::{Commands, ControlStats, DrainProgress};
use crate::driver::Chosen;
use crate::log::FileLogView;
use crate::sequencer::SequencerQueue;
use crate::shard::inbox::Inbox;
use crate::shard::stats::Stats;

/// Where the admin listener finds what it shows. Cheap to clone; all clones show the same hub.
#[derive(Clone)]
pub struct AdminState {
    /// What each shard shows of itself, in the order of the shards.
    pub shards: Arc<[Stats]>,
    /// The streams of the whole process.
    pub census: SharedCensus,
    /// Where publishes wait.
    pub sequencer: SequencerQueue,
    /// What can be seen of a file log; absent for a memory log.
    pub log: Option<FileLogView>,
    /// The configuration in force.
    pub config: InForce,
    /// The version of this binary.
    pub version: &'static str,
    /// What hosts its shards.
    pub driver: Chosen,
    /// When the process began.
    pub started: SystemTime,
    /// What the control thread has done.
    pub control: ControlStats,
    /// Whether the hub takes no more, and how far its drain has come.
    pub drain: DrainProgress,
    /// How each shard is asked, in the order of the shards.
    pub inboxes: Arc<[Inbox]>,
    /// Where the hub is told what to do.
    pub commands: Commands,
    /// Where subscribers and publishers connect.
    pub listen: SocketAddr,
    /// Where this is.
    pub admin: SocketAddr,
    /// What whoever asks must show; without one, only this machine is listened to.
    pub token: Option<Secret>,
    /// Who has the most streams.
    pub survey: Survey,
}

impl AdminState {
    /// Over which time streams are ended once the hub stops.
    fn drain_over(&self) -> Duration {
        self.config.now().config.drain.over
    }
}

#[cfg(test)]
mod tests;
