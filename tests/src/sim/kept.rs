//! The log of a simulated hub: a real one, in memory or on a simulated disk, which fails when it is told to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use corecast::log::file::{Catalog, FileLog, LogState};
use corecast::log::{Log, LogError, MemoryLog, Retention};
use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

use super::disk::SimDisk;

/// See the module.
pub(super) struct SimLog {
    kind: Kind,
    fails: AtomicBool,
    /// What the last append was to keep, whether or not it did.
    last: Mutex<Vec<SharedEvent>>,
}

enum Kind {
    Memory(Box<MemoryLog>),
    File(Box<FileLog<SimDisk>>),
}

impl SimLog {
    /// A log in memory.
    #[must_use]
    pub(super) fn in_memory(log: MemoryLog) -> Self {
        Self::new(Kind::Memory(Box::new(log)))
    }

    /// A log on a disk.
    #[must_use]
    pub(super) fn on_disk(log: FileLog<SimDisk>) -> Self {
        Self::new(Kind::File(Box::new(log)))
    }

    const fn new(kind: Kind) -> Self {
        Self { kind, fails: AtomicBool::new(false), last: Mutex::new(Vec::new()) }
    }

    /// Has the next append fail.
    pub(super) fn fail_once(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more is kept until the hub is started again.
    #[must_use]
    pub(super) fn has_failed(&self) -> bool {
        match &self.kind {
            Kind::Memory(_) => false,
            Kind::File(log) => log.stats().snapshot().state == LogState::Failed,
        }
    }

    /// What can be asked about a log on a disk.
    #[must_use]
    pub(super) fn catalog(&self) -> Option<Arc<Catalog>> {
        match &self.kind {
            Kind::Memory(_) => None,
            Kind::File(log) => Some(log.catalog()),
        }
    }

    /// What the last append was to keep.
    #[must_use]
    pub(super) fn take_last(&self) -> Vec<SharedEvent> {
        std::mem::take(&mut *self.last.lock().expect("one thread"))
    }

    /// Ends in good order.
    pub(super) fn close(self) -> io::Result<()> {
        match self.kind {
            Kind::Memory(_) => Ok(()),
            Kind::File(log) => log.close(),
        }
    }

    fn log(&self) -> &dyn Log {
        match &self.kind {
            Kind::Memory(log) => &**log,
            Kind::File(log) => &**log,
        }
    }
}

impl Log for SimLog {
    fn incarnation(&self) -> Incarnation {
        self.log().incarnation()
    }

    fn newest(&self) -> Position {
        self.log().newest()
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        self.log().find(publisher_id)
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.log().find_key(key)
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        *self.last.lock().expect("one thread") = events.to_vec();
        if self.fails.swap(false, Ordering::Relaxed) {
            return Err(LogError { events: events.len(), source: io::ErrorKind::Other.into() });
        }
        match &mut self.kind {
            Kind::Memory(log) => log.append(events, now),
            Kind::File(log) => log.append(events, now),
        }
    }

    fn set_retention(&mut self, retention: &Retention) {
        match &mut self.kind {
            Kind::Memory(log) => log.set_retention(retention),
            Kind::File(log) => log.set_retention(retention),
        }
    }
}
