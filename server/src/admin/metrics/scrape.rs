//! Everything one answer shows, read once, so that its numbers belong to the same moment.
//!
//! Not here: what they are called (`table`).

use std::time::{SystemTime, UNIX_EPOCH};

use corecast_core::counters::Counters;
use corecast_core::settings::{HistorySettings, LimitSettings};

use super::host::Host;
use super::metric::Kinds;
use super::process::Process;
use crate::admin::AdminState;
use crate::control::ControlSnapshot;
use crate::driver::Chosen;
use crate::log::FileLogView;
use crate::log::file::LogSnapshot;
use crate::log::reader::ReaderSnapshot;
use crate::log::timed::AppendTimesSnapshot;
use crate::shard::inbox::Inbox;
use crate::shard::stats::{Snapshot, Stats};

/// The hub at one moment.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) shards: Vec<Snapshot>,
    /// As the shared count has it now; the shards' own are as old as their last turns.
    pub(super) streams: u32,
    /// Users with the most streams, if they are shown, the most first.
    pub(super) top_users: Option<Vec<(Box<str>, u32)>>,
    pub(super) limits: LimitSettings,
    /// Over all shards.
    pub(super) accept_rate: u64,
    pub(super) history: HistorySettings,
    pub(super) inbox_events: Vec<usize>,
    pub(super) draining: bool,
    pub(super) control: ControlSnapshot,
    pub(super) sequencer_queue: usize,
    /// Absent for a memory log.
    pub(super) log: Option<FileLogScrape>,
    pub(super) version: &'static str,
    pub(super) driver: Chosen,
    pub(super) started: SystemTime,
    pub(super) process: Process,
    pub(super) host: Host,
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
    pub(super) fn of(state: &AdminState, top_users: Option<Vec<(Box<str>, u32)>>) -> Self {
        let (loaded, shards) = (state.config.now(), state.shards.len() as u32);
        let config = &loaded.config;
        Self {
            shards: state.shards.iter().map(Stats::last).collect(),
            streams: state.census.streams(),
            top_users,
            limits: config.limit_settings(),
            accept_rate: u64::from(config.accept_rate_of_shard(shards)) * u64::from(shards),
            history: config.history_settings(),
            inbox_events: state.inboxes.iter().map(Inbox::events_waiting).collect(),
            draining: state.drain.is_draining(),
            control: state.control.snapshot(),
            sequencer_queue: state.sequencer.len(),
            log: state.log.as_ref().map(FileLogScrape::of),
            version: state.version,
            driver: state.driver.clone(),
            started: state.started,
            process: Process::read(),
            host: Host::read(),
        }
    }

    /// What all shards have together.
    pub(super) fn sum(&self, read: impl Fn(&Snapshot) -> u64) -> u64 {
        self.shards.iter().map(read).sum()
    }

    /// The same for each of several kinds.
    pub(super) fn sum_kinds(&self, read: impl Fn(&Counters) -> Kinds) -> Kinds {
        let mut sums = read(&Counters::default());
        for shard in &self.shards {
            sums.iter_mut().zip(read(&shard.counters)).for_each(|((_, sum), (_, count))| *sum += count);
        }
        sums
    }

    /// What the shard with the most of it has.
    pub(super) fn most(&self, read: impl Fn(&Snapshot) -> usize) -> usize {
        self.shards.iter().map(read).max().unwrap_or(0)
    }

    /// When the configuration in force was read, in seconds since 1970: at the last reload that was applied, else at the start.
    pub(super) fn config_read_secs(&self) -> Option<f64> {
        match self.control.reloaded.0 {
            0 => self.started_secs(),
            at => Some(at as f64 / 1000.0),
        }
    }

    /// When the process began, in seconds since 1970; `None` if a clock that was set before says so.
    pub(super) fn started_secs(&self) -> Option<f64> {
        self.started.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
    }
}
