//! Everything one answer shows, read once, so that its numbers belong to the same moment.
//!
//! Not here: what they are called (`table`).

use std::time::{SystemTime, UNIX_EPOCH};

use super::process::Process;
use crate::admin::{AdminState, FileLogView};
use crate::log::file::LogSnapshot;
use crate::log::reader::ReaderSnapshot;
use crate::log::timed::AppendTimesSnapshot;
use crate::shard::stats::{Snapshot, Stats};

/// The hub at one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) shards: Vec<Snapshot>,
    /// As the shared count has it now; the shards' own are as old as their last turns.
    pub(super) streams: u32,
    pub(super) connections_max: u32,
    pub(super) sequencer_queue: usize,
    /// Absent for a memory log.
    pub(super) log: Option<FileLogScrape>,
    pub(super) version: &'static str,
    pub(super) started: SystemTime,
    pub(super) process: Process,
}

/// A file log at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FileLogScrape {
    pub(super) log: LogSnapshot,
    pub(super) times: AppendTimesSnapshot,
    pub(super) reader: ReaderSnapshot,
}

impl FileLogScrape {
    fn of(view: &FileLogView) -> Self {
        Self { log: view.log.snapshot(), times: view.times.snapshot(), reader: view.reader.snapshot() }
    }
}

impl Scrape {
    pub(super) fn of(state: &AdminState) -> Self {
        Self {
            shards: state.shards.iter().map(Stats::last).collect(),
            streams: state.census.streams(),
            connections_max: state.config.now().config.limits.connections,
            sequencer_queue: state.sequencer.len(),
            log: state.log.as_ref().map(FileLogScrape::of),
            version: state.version,
            started: state.started,
            process: Process::read(),
        }
    }

    /// What all shards have together.
    pub(super) fn sum(&self, read: impl Fn(&Snapshot) -> u64) -> u64 {
        self.shards.iter().map(read).sum()
    }

    /// What the shard with the most of it has.
    pub(super) fn most(&self, read: impl Fn(&Snapshot) -> usize) -> usize {
        self.shards.iter().map(read).max().unwrap_or(0)
    }

    /// When the process began, in seconds since 1970; `None` if a clock that was set before says so.
    pub(super) fn started_secs(&self) -> Option<f64> {
        self.started.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
    }
}
