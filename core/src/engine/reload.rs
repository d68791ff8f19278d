//! Settings that change while the engine runs.
//!
//! What is asked anew each time is right at once: limits, retry, origins. What a timer was set for is right soon:
//! every connection's timer is set again, some in each turn, since a shard with a million of them must not stand still.
//! A request that has begun keeps the time it was given for its head or body, and a stream the reconnection time that
//! it was told.
//! Not here: what tables were sized for (`EngineOptions`), which cannot change.

use std::ops::Range;
use std::sync::Arc;

use crate::settings::Settings;

use super::Engine;

/// Timers that are set again in one turn, each about 100 ns.
pub(super) const REARMED_A_TURN: u32 = 4096;

impl Engine {
    /// Everything follows these settings from now on.
    pub fn replace_settings(&mut self, settings: Settings) {
        self.cors = Arc::new(settings.cors.clone());
        self.history.set_limits(settings.history.clone());
        // A shorter history is cut over the turns that follow.
        self.is_trimmed = false;
        self.settings = settings;
        self.to_rearm = 0..self.hot.len() as u32;
    }

    /// What the engine was told last.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets timers that were set under settings before these.
    pub(super) fn rearm_some(&mut self) {
        let Range { start, end } = self.to_rearm;
        let some = start..end.min(start.saturating_add(REARMED_A_TURN));
        self.to_rearm.start = some.end;
        for index in some {
            self.arm_if_occupied(index);
        }
    }

    /// Whether there are timers that were set under settings before these, or events of a longer history.
    pub(super) fn is_following_settings(&self) -> bool {
        !self.to_rearm.is_empty() || !self.is_trimmed
    }
}
