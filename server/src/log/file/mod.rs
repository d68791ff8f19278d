//! The log of a hub that loses nothing: segments in a folder, appended to and synced before anybody is told.
//!
//! Invariants: what `append` has accepted survives the end of the process and of the machine's power; a batch is kept
//! whole or refused whole; after a failed sync nothing is accepted any more. The bytes are those of
//! `docs/log-format.md`.
//! Not here: reading for shards (they ask the `Catalog` where, and read a `Run`), threads, clocks.
//!
//! The modules are listed in the order to read them.

pub mod disk;
mod folder;
mod lock;

mod record;
mod segment;
mod run;
mod catalog;
mod scan;

mod active;
mod recovery;
mod stats;
mod error;

pub mod inspect;
mod survey;
mod mend;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

pub use self::catalog::{Catalog, Located};
pub use self::disk::Disk;
pub use self::error::OpenError;
pub use self::folder::Folder;
pub use self::record::Fault;
pub use self::recovery::{Cut, Recovered};
pub use self::run::{Damage, Run};
pub use self::stats::{LogSnapshot, LogState, LogStats};

use self::active::{Active, END, WriteError};
use self::catalog::Placed;
use self::record::{Kind, Link};
use self::segment::Header;
use self::stats::FailureKind;
use super::{Log, LogError, Retention};

/// Parts of `age` after which a segment is no longer written to, so that it can be let go of in whole.
const AGE_PARTS: u64 = 8;

/// No segment is left for a new one sooner than this, in milliseconds: making one costs some syncs.
const SEGMENT_AGE_MIN_MS: u64 = 1000;

/// Segments that one append removes, so that publishers do not wait for long while much is let go of: more than one
/// append can fill.
const REMOVED_AT_ONCE_MAX: usize = 16;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct FileLogOptions {
    /// Bytes of all segments, after which the oldest are let go of. The last stays whatever it has.
    pub bytes: u64,
    /// How long an event is kept. It may stay up to an eighth longer (at least a second), and until the next append.
    pub age: Duration,
    /// Publishers' ids and idempotency keys remembered, oldest forgotten first.
    pub ids: usize,
}

impl From<&Retention> for FileLogOptions {
    fn from(retention: &Retention) -> Self {
        let &Retention { bytes, age, ids, history: _ } = retention;
        Self { bytes, age, ids }
    }
}

impl FileLogOptions {
    const fn segment_size(&self) -> u64 {
        segment::size(self.bytes)
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX)
    }

    fn segment_age_ms(&self) -> u64 {
        (self.age_ms() / AGE_PARTS).max(SEGMENT_AGE_MIN_MS)
    }
}

/// See the module.
#[derive(Debug)]
pub struct FileLog<D: Disk> {
    disk: D,
    options: FileLogOptions,
    incarnation: Incarnation,
    mask: u32,
    newest: Position,
    active: Active<D::File>,
    catalog: Arc<Catalog>,
    stats: Arc<LogStats>,
    /// Why nothing is kept any more.
    failed: Option<String>,
    /// The batch as bytes, and where its records are. Kept for the next one.
    batch: Vec<u8>,
    placed: Vec<Placed>,
    /// A segment that is let go of and could not be removed yet.
    to_remove: Option<Arc<str>>,
}

impl<D: Disk> FileLog<D> {
    /// Opens the log on `disk`, or begins one with the incarnation `fresh` if there is none. All of it is read and
    /// verified: about two seconds for each GiB of small events.
    ///
    /// # Errors
    /// What stands in the way, and what would help. Nothing is changed then, but for room that was reserved.
    pub fn open(
        disk: D,
        options: FileLogOptions,
        fresh: Incarnation,
        now: UnixMillis,
    ) -> Result<(Self, Recovered), OpenError> {
        let (state, recovered) = recovery::recover(&disk, &options, fresh, now)?;
        let log = Self {
            disk,
            options,
            incarnation: recovered.incarnation,
            mask: state.mask,
            newest: recovered.newest,
            active: state.active,
            catalog: Arc::new(state.catalog),
            stats: Arc::default(),
            failed: None,
            batch: Vec::new(),
            placed: Vec::new(),
            to_remove: None,
        };
        log.stats.set_holdings(&log.catalog.holdings());
        Ok((log, recovered))
    }

    /// What can be asked about the log while it is written.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.clone()
    }

    /// What the log tells of itself.
    #[must_use]
    pub fn stats(&self) -> Arc<LogStats> {
        self.stats.clone()
    }

    /// Says in the log that everything before is durable, and cuts off the reserve. A log that is dropped without is
    /// as good, but for the room it takes, and that damage to its last batch looks like a batch cut short.
    ///
    /// # Errors
    /// As the disk's. Nothing that was accepted is lost.
    pub fn close(mut self) -> io::Result<()> {
        if self.failed.is_none() && !self.active.is_empty() {
            self.batch.clear();
            let link = Link { mask: self.mask, previous: self.active.previous, synced: self.newest };
            let check = record::encode_mark(&mut self.batch, Kind::Closed, self.newest, link);
            self.batch.extend_from_slice(&END);
            match self.active.append(&self.disk, &self.batch, check) {
                Ok(()) | Err(WriteError::NoSpace(_)) => {}
                Err(WriteError::Write(error) | WriteError::Sync(error)) => return Err(error),
            }
        }
        self.active.cut(&self.disk)?;
        self.disk.sync_data(&self.active.file)
    }

    fn try_append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), WriteError> {
        self.check_linked()?;
        let len: usize = events.iter().map(|event| record::event_len(event)).sum();
        if self.is_full(len, now) {
            self.roll(now)?;
        }
        let check = self.encode(events);
        let appended = self.active.append(&self.disk, &self.batch, check);
        if !matches!(appended, Err(WriteError::NoSpace(_) | WriteError::Write(_))) {
            self.stats.count_sync();
        }
        appended
    }

    /// A log whose file is gone would go on writing to where nobody will ever look.
    fn check_linked(&self) -> Result<(), WriteError> {
        if self.disk.is_linked(&self.active.file).map_err(WriteError::Write)? {
            return Ok(());
        }
        let path = self.disk.path().join(&*self.active.name);
        Err(WriteError::Write(io::Error::other(format!("{} was deleted while the hub ran", path.display()))))
    }

    /// Whether a batch of `len` bytes belongs into a new segment.
    fn is_full(&mut self, len: usize, now: UnixMillis) -> bool {
        // If the clock was set back, then what was written before is not younger than now.
        self.active.first = self.active.first.map(|first| first.min(now));
        let is_old = self.active.first.is_some_and(|first| now.0 - first.0 > self.options.segment_age_ms());
        let is_long = self.active.end + len as u64 > self.options.segment_size();
        !self.active.is_empty() && (is_old || is_long)
    }

    /// Goes on in a new segment.
    fn roll(&mut self, now: UnixMillis) -> Result<(), WriteError> {
        let base = self.newest.next();
        let header = Header { incarnation: self.incarnation, mask: self.mask, base, made: now };
        // A batch that was refused may have left whole records behind the end. Were only the new segment durable, a
        // crash could bring them back, and two segments would have the same positions.
        self.active.cut(&self.disk).map_err(WriteError::Write)?;
        self.disk.sync_data(&self.active.file).map_err(WriteError::Sync)?;
        self.active = Active::create(&self.disk, &header, self.options.segment_size())?;
        self.catalog.add_segment(base, now);
        Ok(())
    }

    /// Makes the batch of `events`; the check of its last record.
    fn encode(&mut self, events: &[SharedEvent]) -> u32 {
        self.batch.clear();
        self.placed.clear();
        let mut link = Link { mask: self.mask, previous: self.active.previous, synced: self.newest };
        for event in events {
            let start = self.batch.len();
            let check = record::encode_event(&mut self.batch, event, link);
            self.placed.push(Placed {
                kind: Kind::Event,
                offset: self.active.end + start as u64,
                room: (self.batch.len() - start) as u64,
                previous: link.previous,
                position: event.position,
                time: event.sequenced,
            });
            link.previous = check;
        }
        self.batch.extend_from_slice(&END);
        link.previous
    }

    /// Shows what was appended.
    fn publish(&mut self, events: &[SharedEvent], now: UnixMillis) {
        self.newest = events.last().map_or(self.newest, |event| event.position);
        self.active.first = self.active.first.or_else(|| events.first().map(|event| event.sequenced));
        self.catalog.add_events(events.iter().map(|event| &**event), &self.placed);
        self.stats.count_append(self.batch.len() - END.len(), now);
    }

    /// What a failure means: with no room the next append tries again, anything else is for good.
    fn fail(&mut self, events: usize, error: WriteError) -> LogError {
        let (kind, source) = match error {
            WriteError::NoSpace(error) => (FailureKind::NoSpace, error),
            WriteError::Write(error) => (FailureKind::Write, error),
            WriteError::Sync(error) => (FailureKind::Sync, error),
        };
        self.stats.count_failure(kind);
        if kind != FailureKind::NoSpace {
            self.failed = Some(format!("nothing is kept until the hub is started again, since: {source}"));
        }
        LogError { events, source }
    }

    /// Removes segments that are over the limits. One after the other, each durably: what is left has no hole.
    fn retain(&mut self, now: UnixMillis) {
        let (bytes, age) = (self.options.bytes, self.options.age_ms());
        for _ in 0..REMOVED_AT_ONCE_MAX {
            if self.failed.is_some() {
                break;
            }
            let Some(name) = self.to_remove.take().or_else(|| self.catalog.let_go(bytes, age, now)) else {
                break;
            };
            match self.disk.remove(&name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    self.stats.count_failure(FailureKind::Retention);
                    self.to_remove = Some(name);
                    break;
                }
            }
            if let Err(error) = self.disk.sync_folder() {
                self.fail(0, WriteError::Sync(error));
            }
        }
        self.stats.set_holdings(&self.catalog.holdings());
    }
}

impl<D: Disk> Log for FileLog<D> {
    fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    fn newest(&self) -> Position {
        self.newest
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        self.catalog.find(publisher_id)
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.catalog.find_key(key)
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        if let Some(reason) = &self.failed {
            return Err(LogError { events: events.len(), source: io::Error::other(reason.clone()) });
        }
        let appended = match events {
            [] => Ok(()),
            _ => self.try_append(events, now).map(|()| self.publish(events, now)),
        };
        let appended = appended.map_err(|error| self.fail(events.len(), error));
        self.retain(now);
        appended
    }

    fn set_retention(&mut self, retention: &Retention) {
        self.options = retention.into();
        self.catalog.set_ids_max(self.options.ids);
    }
}
