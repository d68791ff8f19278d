//! What engines counted over a run, and over several: which of the rare paths were really taken.

use std::collections::BTreeMap;

use corecast_core::close_reason::CloseReason;
use corecast_core::counters::Counters;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    by_name: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// Adds what one engine counted.
    pub fn add_engine(&mut self, counters: &Counters) {
        for (name, count) in [
            ("accepted", counters.accepted),
            ("requests_rejected", counters.requests_rejected),
            ("tokens_rejected", counters.tokens_rejected),
            ("streams_opened", counters.streams_opened),
            ("moves", counters.moves),
            ("moves_refused", counters.moves_refused),
            ("evicted_returns", counters.evicted_returns),
            ("resumes", counters.resumes),
            ("gaps", counters.gaps),
            ("deliveries", counters.deliveries),
            ("deliveries_from_history", counters.deliveries_from_history),
            ("pages", counters.pages),
            ("ephemeral_missed", counters.ephemeral_missed),
            ("short_sends", counters.short_sends),
            ("joined_bytes", counters.joined_bytes),
            ("heartbeats", counters.heartbeats),
            ("published", counters.published),
            ("publishes_refused", counters.publishes_refused),
            ("stale_inputs", counters.stale_inputs),
            ("would_evict", counters.would_evict),
            ("would_refuse", counters.would_refuse.iter().sum()),
        ] {
            self.add(name, count);
        }
        // The operator of a simulated hub ends nobody's stream.
        for reason in CloseReason::ALL.into_iter().filter(|&reason| reason != CloseReason::Disconnected) {
            self.add(reason.label(), counters.closes[reason.index()]);
        }
    }

    /// Adds to one count.
    pub fn add(&mut self, name: &'static str, count: u64) {
        *self.by_name.entry(name).or_default() += count;
    }

    /// Adds the counts of another run.
    pub fn add_all(&mut self, other: &Self) {
        for (name, count) in &other.by_name {
            self.add(name, *count);
        }
    }

    /// What was never counted.
    pub fn never(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name)
    }
}
