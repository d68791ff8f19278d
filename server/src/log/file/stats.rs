//! What a file log tells of itself while it runs: plain counters that any thread may read.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use corecast_core::id::Position;
use corecast_core::time::UnixMillis;

/// Whether the log keeps events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogState {
    /// The last append was kept.
    #[default]
    Ok,
    /// The last append found no room. The next one tries again.
    Full,
    /// Nothing is kept any more until the hub is started again.
    Failed,
}

/// See the module. Written by the sequencer's thread alone.
#[derive(Debug, Default)]
pub struct LogStats {
    appends: AtomicU64,
    syncs: AtomicU64,
    bytes_written: AtomicU64,
    failures_no_space: AtomicU64,
    failures_write: AtomicU64,
    failures_sync: AtomicU64,
    failures_retention: AtomicU64,
    last_sync: AtomicU64,
    segments: AtomicU64,
    bytes: AtomicU64,
    ids: AtomicU64,
    oldest: AtomicU64,
    newest: AtomicU64,
    state: AtomicU8,
}

/// The counters at one moment. They are read one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSnapshot {
    /// Batches kept.
    pub appends: u64,
    /// Times that the disk was made to keep what was written.
    pub syncs: u64,
    /// Bytes of the batches kept.
    pub bytes_written: u64,
    /// Appends that found no room.
    pub failures_no_space: u64,
    /// Writes that failed for another reason. There is one at most.
    pub failures_write: u64,
    /// Syncs that failed. There is one at most.
    pub failures_sync: u64,
    /// Old segments that could not be removed; each is tried again.
    pub failures_retention: u64,
    /// When the disk last kept a batch; 0 if it has not yet.
    pub last_sync: UnixMillis,
    /// Segments.
    pub segments: u64,
    /// Bytes in the segments, the reserve not counted.
    pub bytes: u64,
    /// Publishers' ids and idempotency keys remembered.
    pub ids: u64,
    /// The position of the oldest event that is kept; the one after `newest` if none is.
    pub oldest: Position,
    /// The position of the newest event.
    pub newest: Position,
    /// Whether the log keeps events.
    pub state: LogState,
}

/// What the log has at present.
pub(super) struct Holdings {
    pub(super) segments: u64,
    pub(super) bytes: u64,
    pub(super) ids: u64,
    pub(super) start: Position,
    pub(super) newest: Position,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    NoSpace,
    Write,
    Sync,
    Retention,
}

impl LogStats {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> LogSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LogSnapshot {
            appends: read(&self.appends),
            syncs: read(&self.syncs),
            bytes_written: read(&self.bytes_written),
            failures_no_space: read(&self.failures_no_space),
            failures_write: read(&self.failures_write),
            failures_sync: read(&self.failures_sync),
            failures_retention: read(&self.failures_retention),
            last_sync: UnixMillis(read(&self.last_sync)),
            segments: read(&self.segments),
            bytes: read(&self.bytes),
            ids: read(&self.ids),
            oldest: Position(read(&self.oldest)),
            newest: Position(read(&self.newest)),
            state: match self.state.load(Ordering::Relaxed) {
                0 => LogState::Ok,
                1 => LogState::Full,
                _ => LogState::Failed,
            },
        }
    }

    pub(super) fn count_append(&self, bytes: usize, now: UnixMillis) {
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last_sync.store(now.0, Ordering::Relaxed);
        self.set_state(LogState::Ok);
    }

    pub(super) fn count_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self, kind: FailureKind) {
        let (counter, state) = match kind {
            FailureKind::NoSpace => (&self.failures_no_space, Some(LogState::Full)),
            FailureKind::Write => (&self.failures_write, Some(LogState::Failed)),
            FailureKind::Sync => (&self.failures_sync, Some(LogState::Failed)),
            FailureKind::Retention => (&self.failures_retention, None),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(state) = state {
            self.set_state(state);
        }
    }

    pub(super) fn set_holdings(&self, holdings: &Holdings) {
        let write = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        write(&self.segments, holdings.segments);
        write(&self.bytes, holdings.bytes);
        write(&self.ids, holdings.ids);
        write(&self.oldest, holdings.start.next().0);
        write(&self.newest, holdings.newest.0);
    }

    fn set_state(&self, state: LogState) {
        let value = match state {
            LogState::Ok => 0,
            LogState::Full => 1,
            LogState::Failed => 2,
        };
        self.state.store(value, Ordering::Relaxed);
    }
}
