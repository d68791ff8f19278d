//! Whether the hub lets go, and how far its drain has come: said by the control thread, for whoever looks.
//!
//! Not here: draining (`hub::stop` and the engines).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How far a hub is on its way to its end. All clones show the same.
#[derive(Clone, Debug, Default)]
pub struct DrainProgress {
    stage: Arc<Mutex<Stage>>,
}

/// ```text
///  Running ─▶ LettingGo ─▶ EndingStreams
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The hub takes connections.
    #[default]
    Running,
    /// It takes no more, and finishes requests; streams go on.
    LettingGo,
    /// It ends its streams. Those left are those that the shards have.
    EndingStreams {
        /// Streams there were when it began.
        of: u32,
        /// The window over which they are ended.
        over: Duration,
    },
}

impl DrainProgress {
    /// The hub takes no more from now on.
    pub fn let_go(&self) {
        *self.lock() = Stage::LettingGo;
    }

    /// From now on it ends its streams, so many.
    pub fn end_streams(&self, of: u32, over: Duration) {
        *self.lock() = Stage::EndingStreams { of, over };
    }

    /// How far it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.lock()
    }

    /// Whether the hub takes no more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.stage() != Stage::Running
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_shown_from_its_beginning() {
        let drain = DrainProgress::default();
        assert_eq!((drain.stage(), drain.is_draining()), (Stage::Running, false));
        drain.clone().let_go();
        assert_eq!((drain.stage(), drain.is_draining()), (Stage::LettingGo, true));
        let over = Duration::from_secs(30);
        drain.clone().end_streams(7, over);
        assert_eq!((drain.stage(), drain.is_draining()), (Stage::EndingStreams { of: 7, over }, true));
    }
}
