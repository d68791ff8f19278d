//! How far a drain has come, for whoever looks.
//!
//! Not here: draining (`hub::stop` and the engines).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How far a drain has come. All clones show the same.
#[derive(Clone, Debug, Default)]
pub struct DrainProgress {
    shared: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// `NOT_DRAINING` before a drain.
    of: AtomicU32,
    over_ms: AtomicU32,
    is_drain: AtomicBool,
}

/// A drain under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draining {
    /// Streams there were when it began.
    pub of: u32,
    /// The window over which they are ended.
    pub over: Duration,
}

impl DrainProgress {
    /// A drain of so many streams has begun.
    pub fn begin(&self, of: u32, over: Duration) {
        let Progress { of: streams, over_ms, is_drain } = &*self.shared;
        streams.store(of, Ordering::SeqCst);
        over_ms.store(u32::try_from(over.as_millis()).unwrap_or(u32::MAX), Ordering::SeqCst);
        is_drain.store(true, Ordering::SeqCst);
    }

    /// The drain under way, if there is one. Streams left are those that the shards have.
    #[must_use]
    pub fn draining(&self) -> Option<Draining> {
        let Progress { of, over_ms, is_drain } = &*self.shared;
        is_drain.load(Ordering::SeqCst).then(|| Draining {
            of: of.load(Ordering::SeqCst),
            over: Duration::from_millis(over_ms.load(Ordering::SeqCst).into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_shown_from_its_beginning() {
        let drain = DrainProgress::default();
        assert_eq!(drain.draining(), None);
        let over = Duration::from_secs(30);
        drain.clone().begin(7, over);
        assert_eq!(drain.draining(), Some(Draining { of: 7, over }));
    }
}
