//! The log of this hub, as its configuration says: opened before anything listens, and closed when nothing writes to it
//! any more.
//!
//! Not here: what a log does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

use super::StartError;
use super::meanwhile::meanwhile;
use crate::clock::{self, Clock};
use crate::config::{Config, LogConfig, LogKind};
use crate::log::file::{Catalog, FileLog, FileLogOptions, Folder, Recovered, inspect};
use crate::log::reader::Reader;
use crate::log::timed::Timed;
use crate::log::{FileLogView, Log, LogError, MemoryLog, Retention};
use crate::shard::inbox::Inbox;
use crate::systemd::Service;

/// How often it is said that a log is still being read.
const STILL_INTERVAL: Duration = Duration::from_secs(2);

/// How much longer the service manager is asked to wait then.
const STILL_EXTENDS: Duration = Duration::from_secs(30);

/// How often a log that is in use is looked through before what looks like damage is believed.
const LOOKS_MAX: u32 = 3;

/// One of the logs there are.
pub(super) enum HubLog {
    Memory(MemoryLog),
    File(Timed<FileLog<Folder>>),
}

/// A log that is open, and how others look at it.
pub(super) struct OpenLog {
    pub(super) log: HubLog,
    /// Present for a log that can be read.
    pub(super) readable: Option<Readable>,
}

/// What a reader of the log stands on.
#[derive(Clone)]
pub(super) struct Readable {
    catalog: Arc<Catalog>,
    folder: PathBuf,
    /// What is counted of it.
    pub(super) view: FileLogView,
}

impl OpenLog {
    /// Opens the log that is configured. For a file log this reads all of it.
    /// The service manager is told how far it is.
    pub(super) fn open(config: &Config, clock: Clock, service: &Service) -> Result<Self, StartError> {
        let fresh = Incarnation(getrandom::u64()?);
        match config.log.kind {
            LogKind::Memory => {
                let log = HubLog::Memory(MemoryLog::new(fresh, config.history_settings()));
                Ok(Self { log, readable: None })
            }
            LogKind::File => open_file(config, fresh, clock, service),
        }
    }
}

impl Readable {
    /// The reader of this log, for the shards with these inboxes.
    pub(super) fn reader(&self, inboxes: Vec<Inbox>) -> Reader {
        Reader::new(self.catalog.clone(), self.folder.clone(), inboxes, self.view.reader.clone())
    }
}

/// What a log with this configuration keeps.
pub(super) fn retention(config: &Config) -> Retention {
    let LogConfig { bytes, age, ids, .. } = config.log;
    Retention {
        history: config.history_settings(),
        bytes,
        age,
        ids: usize::try_from(ids).unwrap_or(usize::MAX),
    }
}

/// Looks through the log that another process is writing, so that one that is damaged is not taken over: it could not be
/// opened afterwards. `still` is called now and then.
pub(super) fn look_through(config: &Config, still: impl Fn() + Sync) -> Result<(), StartError> {
    if config.log.kind == LogKind::Memory {
        return Ok(());
    }
    let disk = Folder::open_to_look(&config.log.path)?;
    let look = || inspect::verify(&disk);
    let mut looked = meanwhile(STILL_INTERVAL, &still, look);
    // What is being written, or has just been removed, may look like damage for a moment.
    for _ in 1..LOOKS_MAX {
        if matches!(&looked, Ok(report) if report.problems.is_empty()) {
            return Ok(());
        }
        looked = meanwhile(STILL_INTERVAL, &still, look);
    }
    match looked?.problems.first() {
        Some(problem) => Err(StartError::LogToTakeOver(problem.to_string())),
        None => Ok(()),
    }
}

fn open_file(
    config: &Config,
    fresh: Incarnation,
    clock: Clock,
    service: &Service,
) -> Result<OpenLog, StartError> {
    let (path, options) = (&config.log.path, FileLogOptions::from(&retention(config)));
    let begun = clock.instant();
    let read = Arc::new(AtomicU64::new(0));
    let disk = Folder::open(path)?.counting(read.clone());
    let all = disk.bytes();
    let say = || service.still_starting(&reading(read.load(Ordering::Relaxed), all), STILL_EXTENDS);
    let (log, recovered) =
        meanwhile(STILL_INTERVAL, say, || FileLog::open(disk, options, fresh, clock::unix_now()))?;
    report(path.clone(), &recovered, clock.instant().since(begun).as_secs_f64());
    let (catalog, stats) = (log.catalog(), log.stats());
    let log = Timed::new(log, clock);
    let view = FileLogView { log: stats, times: log.times(), reader: Arc::default() };
    let readable = Readable { catalog, folder: path.clone(), view };
    Ok(OpenLog { log: HubLog::File(log), readable: Some(readable) })
}

/// How far the reading of a log has come.
fn reading(read: u64, all: u64) -> String {
    let percent = read.saturating_mul(100).checked_div(all).unwrap_or(0).min(100);
    format!("reading the log, {percent} %")
}

/// Says once at start which log this is, and what the last end of the hub has left of it.
fn report(path: PathBuf, recovered: &Recovered, seconds: f64) {
    let path = path.display();
    if recovered.is_new {
        tracing::info!(%path, "a new log was begun");
    } else {
        tracing::info!(
            %path,
            segments = recovered.segments,
            events = recovered.events,
            bytes = recovered.bytes,
            oldest = recovered.oldest.0,
            newest = recovered.newest.0,
            was_closed = recovered.was_closed,
            seconds = format!("{seconds:.3}"),
            "the log was read and is whole"
        );
    }
    if let Some(cut) = &recovered.cut {
        tracing::warn!(
            segment = %cut.segment,
            offset = cut.offset,
            bytes = cut.bytes,
            "the hub was ended while it wrote: what it had written and not acknowledged was cut off"
        );
    }
}

impl HubLog {
    /// Ends the log in good order. Nothing that was acknowledged depends on it.
    pub(super) fn close(self) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(log) => log.into_inner().close(),
        }
    }
}

impl Log for HubLog {
    fn incarnation(&self) -> Incarnation {
        match self {
            Self::Memory(log) => log.incarnation(),
            Self::File(log) => log.incarnation(),
        }
    }

    fn newest(&self) -> Position {
        match self {
            Self::Memory(log) => log.newest(),
            Self::File(log) => log.newest(),
        }
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        match self {
            Self::Memory(log) => log.find(publisher_id),
            Self::File(log) => log.find(publisher_id),
        }
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        match self {
            Self::Memory(log) => log.find_key(key),
            Self::File(log) => log.find_key(key),
        }
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        match self {
            Self::Memory(log) => log.append(events, now),
            Self::File(log) => log.append(events, now),
        }
    }

    fn set_retention(&mut self, retention: &Retention) {
        match self {
            Self::Memory(log) => log.set_retention(retention),
            Self::File(log) => log.set_retention(retention),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_log_is_read_is_a_share_of_all_of_it() {
        for (read, all, percent) in [(0, 0, 0), (0, 10, 0), (4, 10, 40), (11, 10, 100), (u64::MAX, 1, 100)] {
            assert_eq!(reading(read, all), format!("reading the log, {percent} %"));
        }
    }
}
