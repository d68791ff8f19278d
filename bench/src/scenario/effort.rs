//! How thorough a measurement is, and where it runs.
//!
//! Not here: how many connections and events; those are in the setting.

use std::cell::OnceCell;
use std::time::Duration;

/// How long is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Load before each window that is not counted: caches fill, tables grow, clocks of idle cores rise.
    pub warm_up: Duration,
    /// The least that a window lasts.
    pub window: Duration,
    /// Events that an open loop sends at least, however slowly.
    pub events_min: u32,
    /// How long readers are stalled at most before it is measured what the others notice.
    pub stall_max: Duration,
    /// The target's heartbeats; figures are scaled to [`Effort::HEARTBEAT_SECONDS`].
    pub heartbeat_seconds: u32,
}

impl Effort {
    /// What a share of CPU for heartbeats refers to.
    pub const HEARTBEAT_SECONDS: u32 = 15;

    /// For documents.
    pub const FULL: Self = Self {
        warm_up: Duration::from_secs(1),
        window: Duration::from_secs(3),
        events_min: 20,
        stall_max: Duration::from_secs(20),
        heartbeat_seconds: Self::HEARTBEAT_SECONDS,
    };

    /// For a look: figures within some 10 % of those of a full one.
    pub const QUICK: Self = Self {
        warm_up: Duration::from_millis(400),
        window: Duration::from_secs(1),
        events_min: 8,
        stall_max: Duration::from_secs(4),
        heartbeat_seconds: 2,
    };

    /// For tests: whether it works. Its figures mean nothing.
    pub const SMOKE: Self = Self {
        warm_up: Duration::from_millis(50),
        window: Duration::from_millis(300),
        events_min: 4,
        stall_max: Duration::from_millis(300),
        heartbeat_seconds: 1,
    };
}

/// Where and how thoroughly to measure; what was found out about the machine on the way.
#[derive(Debug)]
pub struct Bench {
    /// All threads of a target run on it.
    pub server_core: usize,
    /// The load runs on it.
    pub load_core: usize,
    pub effort: Effort,
    /// Kernel memory of the load's end of a connection, in bytes: measured when it is first needed.
    pub(super) load_end_bytes: OnceCell<f64>,
}

impl Bench {
    #[must_use]
    pub fn new(server_core: usize, load_core: usize, effort: Effort) -> Self {
        Self { server_core, load_core, effort, load_end_bytes: OnceCell::new() }
    }
}
