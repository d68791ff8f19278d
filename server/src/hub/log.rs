//! The log of this hub, as its configuration says: opened before anything listens, and closed when nothing writes to it
//! any more.
//!
//! Not here: what a log does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

use super::StartError;
use crate::admin::FileLogView;
use crate::clock::{self, Clock};
use crate::config::{Config, LogConfig, LogKind};
use crate::log::file::{Catalog, FileLog, FileLogOptions, Folder, Recovered};
use crate::log::reader::Reader;
use crate::log::timed::Timed;
use crate::log::{Log, LogError, MemoryLog, Retention};
use crate::shard::inbox::Inbox;

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
    pub(super) fn open(config: &Config, clock: Clock) -> Result<Self, StartError> {
        let fresh = Incarnation(getrandom::u64()?);
        match config.log.kind {
            LogKind::Memory => {
                let log = HubLog::Memory(MemoryLog::new(fresh, config.history_settings()));
                Ok(Self { log, readable: None })
            }
            LogKind::File => open_file(&config.log, fresh, clock),
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

fn open_file(config: &LogConfig, fresh: Incarnation, clock: Clock) -> Result<OpenLog, StartError> {
    let LogConfig { path, bytes, age, ids, .. } = config;
    let options =
        FileLogOptions { bytes: *bytes, age: *age, ids: usize::try_from(*ids).unwrap_or(usize::MAX) };
    let begun = clock.instant();
    let disk = Folder::open(path)?;
    let (log, recovered) = FileLog::open(disk, options, fresh, clock::unix_now())?;
    report(path.clone(), &recovered, clock.instant().since(begun).as_secs_f64());
    let (catalog, stats) = (log.catalog(), log.stats());
    let log = Timed::new(log, clock);
    let view = FileLogView { log: stats, times: log.times(), reader: Arc::default() };
    let readable = Readable { catalog, folder: path.clone(), view };
    Ok(OpenLog { log: HubLog::File(log), readable: Some(readable) })
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
