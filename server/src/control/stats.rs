//! What the control thread has done, for whoever looks: reloads of the configuration, and proofs that the hub turns.
//!
//! Not here: doing it. Whoever does says so here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corecast_core::time::UnixMillis;

/// Written by the control thread, read by any. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct ControlStats {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    reloads_applied: AtomicU64,
    reloads_failed: AtomicU64,
    /// Reloads that have failed since the last one that was applied.
    failed_since: AtomicU64,
    reloaded_ms: AtomicU64,
    watchdog_proofs: AtomicU64,
    watchdog_misses: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlSnapshot {
    /// Reloads that were applied, or found nothing to apply.
    pub reloads_applied: u64,
    /// Reloads that kept the old configuration, since the new one was bad.
    pub reloads_failed: u64,
    /// Whether the last reload was applied. True before the first: what was read at the start is in force.
    pub last_reload_applied: bool,
    /// When the last reload was applied; 0 if none was.
    pub reloaded: UnixMillis,
    /// Times every thread was seen to turn.
    pub watchdog_proofs: u64,
    /// Times one was not.
    pub watchdog_misses: u64,
}

impl ControlStats {
    /// A reload has ended at `at`: the new configuration is in force, or it was bad and the old one is.
    pub fn note_reload(&self, applied: bool, at: UnixMillis) {
        if applied {
            self.shared.reloads_applied.fetch_add(1, Ordering::Relaxed);
            self.shared.failed_since.store(0, Ordering::Relaxed);
            self.shared.reloaded_ms.store(at.0, Ordering::Relaxed);
        } else {
            self.shared.reloads_failed.fetch_add(1, Ordering::Relaxed);
            self.shared.failed_since.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The watchdog has looked whether every shard, the sequencer and the reader turn.
    pub fn note_watch(&self, all_turn: bool) {
        let counter = if all_turn { &self.shared.watchdog_proofs } else { &self.shared.watchdog_misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What has been noted so far.
    #[must_use]
    pub fn snapshot(&self) -> ControlSnapshot {
        let Shared {
            reloads_applied,
            reloads_failed,
            failed_since,
            reloaded_ms,
            watchdog_proofs,
            watchdog_misses,
        } = &*self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ControlSnapshot {
            reloads_applied: read(reloads_applied),
            reloads_failed: read(reloads_failed),
            last_reload_applied: read(failed_since) == 0,
            reloaded: UnixMillis(read(reloaded_ms)),
            watchdog_proofs: read(watchdog_proofs),
            watchdog_misses: read(watchdog_misses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reload_is_the_one_that_counts() {
        let stats = ControlStats::default();
        let seen = || {
            let seen = stats.snapshot();
            (seen.reloads_applied, seen.reloads_failed, seen.last_reload_applied, seen.reloaded.0)
        };
        assert_eq!(seen(), (0, 0, true, 0));
        stats.note_reload(false, UnixMillis(5));
        assert_eq!(seen(), (0, 1, false, 0));
        stats.note_reload(true, UnixMillis(6));
        assert_eq!(seen(), (1, 1, true, 6));
        stats.note_reload(false, UnixMillis(7));
        assert_eq!(seen(), (1, 2, false, 6), "what was read at 6 is in force");
    }

    #[test]
    fn proofs_and_misses_are_counted_apart() {
        let stats = ControlStats::default();
        [true, true, false].into_iter().for_each(|all_turn| stats.note_watch(all_turn));
        let seen = stats.snapshot();
        assert_eq!((seen.watchdog_proofs, seen.watchdog_misses), (2, 1));
    }
}
