//! The log of a simulated hub: a real one, which fails when it is told to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use corecast::log::{Log, LogError, MemoryLog};
use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

/// See the module.
pub(super) struct SimLog {
    memory: MemoryLog,
    fails: AtomicBool,
}

impl SimLog {
    /// A log in memory.
    #[must_use]
    pub(super) const fn in_memory(memory: MemoryLog) -> Self {
        Self { memory, fails: AtomicBool::new(false) }
    }

    /// Has the next append fail.
    pub(super) fn fail_once(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }
}

impl Log for SimLog {
    fn incarnation(&self) -> Incarnation {
        self.memory.incarnation()
    }

    fn newest(&self) -> Position {
        self.memory.newest()
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        self.memory.find(publisher_id)
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.memory.find_key(key)
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        if self.fails.swap(false, Ordering::Relaxed) {
            return Err(LogError { events: events.len(), source: io::ErrorKind::Other.into() });
        }
        self.memory.append(events, now)
    }
}
