//! The admin listener: what an operator's tools ask of a running hub, apart from its clients.
//!
//! It lives on the control thread and reads what shards have left for it, so nothing that happens here can hold up
//! a shard. Not here: publishers and subscribers, or any change of the hub. Whoever reaches it may read all of it:
//! it binds to loopback unless the operator says otherwise.

pub mod control_stats;
mod listener;
mod metrics;
mod routes;
pub mod survey;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use self::control_stats::ControlStats;
pub use self::listener::serve;
use self::survey::Survey;
use crate::census::SharedCensus;
use crate::config::InForce;
use crate::hub::command::Commands;
use crate::log::file::LogStats;
use crate::log::reader::ReaderStats;
use crate::log::timed::AppendTimes;
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
    /// When the process began.
    pub started: SystemTime,
    /// Whether the hub takes no more, since it is about to stop.
    pub draining: Arc<AtomicBool>,
    /// What the control thread has done.
    pub control: ControlStats,
    /// Who has the most streams.
    pub survey: Survey,
    /// How each shard is asked, in the order of the shards.
    pub inboxes: Arc<[Inbox]>,
    /// Where the hub is told what to do.
    pub commands: Commands,
}

/// What a file log, and its reader, count. All clones show the same log.
#[derive(Clone, Debug)]
pub struct FileLogView {
    /// The log itself.
    pub log: Arc<LogStats>,
    /// How long its appends take.
    pub times: Arc<AppendTimes>,
    /// Its reader.
    pub reader: Arc<ReaderStats>,
}

#[cfg(test)]
mod tests;
