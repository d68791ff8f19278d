//! Where acknowledged events are, in order.
//!
//! The sequencer appends and only then hands events out; what `append` has accepted is what `newest` tells after a
//! restart. Not here: replay to connections (each shard's history is the last part of the log).

pub mod file;
mod ids;
mod memory;
pub mod replay;
pub mod reader;
pub mod timed;
mod view;

pub use memory::MemoryLog;
pub use view::FileLogView;

use std::time::Duration;

use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::settings::HistorySettings;
use corecast_core::time::UnixMillis;

/// How much is kept. Each log takes of it what concerns it.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Of a log that keeps what histories do.
    pub history: HistorySettings,
    /// Bytes of a file log.
    pub bytes: u64,
    /// How long a file log keeps an event.
    pub age: Duration,
    /// Publishers' ids and idempotency keys that a file log remembers.
    pub ids: usize,
}

/// A log, written by the sequencer alone.
pub trait Log: Send {
    /// Tells this log from every other: part of all its ids.
    fn incarnation(&self) -> Incarnation;

    /// The position of its last event; 0 if it has none.
    fn newest(&self) -> Position;

    /// The kept event that a publisher gave this id, if it is still within retention.
    fn find(&self, publisher_id: &str) -> Option<Position>;

    /// The kept event that was published under this key, if it is still within retention.
    fn find_key(&self, key: &EventKey) -> Option<Position>;

    /// Keeps `events`, which follow `newest` without a hole, and lets go of what is over the limits at `now`. When this returns `Ok` they are safe by this log's
    /// measure, and may be shown.
    ///
    /// # Errors
    /// Nothing of `events` is kept, and publishers are told so.
    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError>;

    /// Keeps so much from the next append on, also of nothing.
    fn set_retention(&mut self, retention: &Retention);
}

/// Why events could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the log could not keep {events} events")]
pub struct LogError {
    /// How many.
    pub events: usize,
    /// Why.
    #[source]
    pub source: std::io::Error,
}
