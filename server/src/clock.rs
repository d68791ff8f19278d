//! The clocks of the process, read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use corecast_core::time::{Instant, Now, UnixMillis};

/// Both clocks. All shards have a copy of the same one, so their instants compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { instant: self.instant(), unix: unix_now() }
    }

    /// What time it is on the monotonic clock.
    #[must_use]
    pub fn instant(&self) -> Instant {
        // 2^64 ns are 584 years.
        Instant::from_nanos(self.start.elapsed().as_nanos() as u64)
    }
}

/// What time it is on the wall clock. Before 1970 counts as 1970.
#[must_use]
pub fn unix_now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(since_epoch.as_millis() as u64)
}
