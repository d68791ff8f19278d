//! What the reader counts: plain counters that any thread may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// See the module. Written by the reader's thread alone.
#[derive(Debug, Default)]
pub struct ReaderStats {
    seeks: AtomicU64,
    reads: AtomicU64,
    bytes: AtomicU64,
    hits: AtomicU64,
    damaged: AtomicU64,
    failures: AtomicU64,
}

/// The counters at one moment. They are read one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderSnapshot {
    /// Times that the log was asked where a stream goes on.
    pub seeks: u64,
    /// Pages read from the disk.
    pub reads: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Pages that needed no read of their own: they were here, or on their way for another shard.
    pub hits: u64,
    /// Of the pages read, those with damage in them.
    pub damaged: u64,
    /// Reads that failed.
    pub failures: u64,
}

impl ReaderStats {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> ReaderSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReaderSnapshot {
            seeks: read(&self.seeks),
            reads: read(&self.reads),
            bytes: read(&self.bytes),
            hits: read(&self.hits),
            damaged: read(&self.damaged),
            failures: read(&self.failures),
        }
    }

    pub(super) fn count_seek(&self) {
        self.seeks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_damage(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
