//! What a shard shows of itself: a copy of its plain counters, made between turns, so that counting costs nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corecast_core::auth::CacheCounters;
use corecast_core::connection::Phase;
use corecast_core::counters::Counters;
use corecast_core::engine::Engine;
use corecast_ring::RingCounters;
use rustix::time::{ClockId, clock_gettime};

/// A shard at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What its engine has counted since start.
    pub counters: Counters,
    /// What its ring has counted since start.
    pub ring: RingCounters,
    /// What its cache of tokens has counted since start.
    pub tokens: CacheCounters,
    /// Good tokens in it.
    pub tokens_cached: usize,
    /// Time of its thread on its core.
    pub cpu: Duration,
    /// Connections in any state.
    pub connections: u32,
    /// Of these, those in each phase, by `Phase::index`.
    pub phases: [u32; Phase::COUNT],
    /// Connections that stream.
    pub streams: u32,
    /// Streams that are fed from history: slow consumers and resumers.
    pub streams_behind: u32,
    /// Positions of the log that the one furthest behind has yet to be sent.
    pub lag_max: u64,
    /// Of these, those that wait for an answer of the log.
    pub streams_waiting_for_log: u32,
    /// Users with a stream.
    pub users: usize,
    /// Events in history.
    pub history_events: usize,
    /// Bytes of frames in history.
    pub history_bytes: usize,
    /// Turns of the loop since start.
    pub turns: u64,
}

impl Snapshot {
    /// What the shard of the calling thread looks like now.
    #[must_use]
    pub fn of(engine: &Engine, ring: RingCounters, turns: u64) -> Self {
        let (history_events, history_bytes) = engine.history_occupancy();
        Self {
            counters: engine.counters().clone(),
            ring,
            tokens: engine.verifier().cache_counters(),
            tokens_cached: engine.verifier().cached_tokens(),
            cpu: thread_cpu(),
            connections: engine.connections(),
            phases: engine.phases(),
            streams: engine.streams(),
            streams_behind: engine.streams_behind(),
            lag_max: engine.lag_max(),
            streams_waiting_for_log: engine.streams_waiting_for_log(),
            users: engine.users(),
            history_events,
            history_bytes,
            turns,
        }
    }
}

/// Time of the calling thread in user and kernel mode.
fn thread_cpu() -> Duration {
    // The kernel counts from 0, so the time is no time before it.
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// Where a shard leaves its snapshots and others find the last one. All clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    last: Arc<Mutex<Snapshot>>,
}

impl Stats {
    /// Leaves a snapshot. Never waits: if somebody is reading, the next one will do.
    pub fn publish(&self, make: impl FnOnce() -> Snapshot) {
        if let Ok(mut last) = self.last.try_lock() {
            *last = make();
        }
    }

    /// The last snapshot.
    #[must_use]
    pub fn last(&self) -> Snapshot {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
