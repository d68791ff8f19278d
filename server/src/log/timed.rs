//! How long a log takes to keep what it is given: what every publisher waits for.
//!
//! Not here: what the log does in that time, and other counters (each log's own).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corecast_core::event::SharedEvent;
use corecast_core::id::{Incarnation, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::UnixMillis;

use super::{Log, LogError, Retention};
use crate::clock::Clock;

/// Upper bounds of the buckets, in microseconds: from a disk with a battery to one that is in trouble.
pub const APPEND_BOUNDS_MICROS: [u64; 12] =
    [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 1_000_000];

/// How many appends took how long, failed ones included. Written by the sequencer's thread, read by any.
#[derive(Debug, Default)]
pub struct AppendTimes {
    /// By bound; what is above the last one is in the last bucket. Each append is in one of them.
    buckets: [AtomicU64; APPEND_BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendTimesSnapshot {
    /// By bound; what is above the last one is in the last bucket.
    pub buckets: [u64; APPEND_BOUNDS_MICROS.len() + 1],
    /// Of all appends, in microseconds.
    pub sum_micros: u64,
}

impl AppendTimes {
    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> AppendTimesSnapshot {
        AppendTimesSnapshot {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed)),
            sum_micros: self.sum_micros.load(Ordering::Relaxed),
        }
    }

    fn count(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = APPEND_BOUNDS_MICROS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// A log whose appends are timed.
#[derive(Debug)]
pub struct Timed<L> {
    log: L,
    clock: Clock,
    times: Arc<AppendTimes>,
}

impl<L: Log> Timed<L> {
    /// Times `log` by `clock`.
    #[must_use]
    pub fn new(log: L, clock: Clock) -> Self {
        Self { log, clock, times: Arc::default() }
    }

    /// What has been measured.
    #[must_use]
    pub fn times(&self) -> Arc<AppendTimes> {
        Arc::clone(&self.times)
    }

    /// The log itself.
    #[must_use]
    pub fn into_inner(self) -> L {
        self.log
    }
}

impl<L: Log> Log for Timed<L> {
    fn incarnation(&self) -> Incarnation {
        self.log.incarnation()
    }

    fn newest(&self) -> Position {
        self.log.newest()
    }

    fn find(&self, publisher_id: &str) -> Option<Position> {
        self.log.find(publisher_id)
    }

    fn find_key(&self, key: &EventKey) -> Option<Position> {
        self.log.find_key(key)
    }

    fn append(&mut self, events: &[SharedEvent], now: UnixMillis) -> Result<(), LogError> {
        if events.is_empty() {
            return self.log.append(events, now);
        }
        let begun = self.clock.instant();
        let appended = self.log.append(events, now);
        self.times.count(self.clock.instant().since(begun));
        appended
    }

    fn set_retention(&mut self, retention: &Retention) {
        self.log.set_retention(retention);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_counted_below_the_next_bound() {
        let times = AppendTimes::default();
        for micros in [0, 50, 51, 1_000_000, 1_000_001] {
            times.count(Duration::from_micros(micros));
        }
        let AppendTimesSnapshot { buckets, sum_micros } = times.snapshot();
        assert_eq!((buckets[0], buckets[1], buckets[11], buckets[12]), (2, 1, 1, 1));
        assert_eq!((buckets.iter().sum::<u64>(), sum_micros), (5, 2_000_102));
    }
}
