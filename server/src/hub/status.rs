//! How the hub is doing, said again and again while it runs: to the service manager, and while it drains in the log.
//!
//! One task on the control thread. Not here: the numbers (shards leave them in their `Stats`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, interval_at};

use super::watchdog::Watchdog;
use crate::control::{DrainProgress, Stage};
use crate::doctor::grouped;
use crate::shard::stats::Stats;
use crate::systemd::Service;

/// How often the service manager is told, and a drain says how far it has come: for people who watch.
const INTERVAL: Duration = Duration::from_secs(3);

/// Streams of all shards, and deliveries since the start.
pub(super) fn totals(shards: &[Stats]) -> (u32, u64) {
    let last = shards.iter().map(Stats::last);
    last.fold((0, 0), |(streams, deliveries), shard| {
        (streams + shard.streams, deliveries + shard.counters.deliveries)
    })
}

/// What is said from.
pub(super) struct Status {
    pub(super) shards: Arc<[Stats]>,
    pub(super) service: Service,
    pub(super) drain: DrainProgress,
    /// Absent if the service manager does not watch.
    pub(super) watchdog: Option<Watchdog>,
}

impl Status {
    /// Says it until the runtime ends.
    pub(super) async fn say_on(mut self) {
        let mut rate = Rate { at: Instant::now(), deliveries: totals(&self.shards).1 };
        let mut say = interval(INTERVAL);
        say.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Without a watchdog the branch is off, and its interval does not matter.
        let feed = self.watchdog.as_ref().map_or(INTERVAL, Watchdog::interval);
        let mut feed = interval_at(tokio::time::Instant::now() + feed, feed);
        feed.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = say.tick() => self.say(&mut rate),
                _ = feed.tick(), if self.watchdog.is_some() => self.feed(),
            }
        }
    }

    fn say(&self, rate: &mut Rate) {
        let (streams, deliveries) = totals(&self.shards);
        let per_second = rate.next(Instant::now(), deliveries);
        match self.drain.stage() {
            Stage::Running | Stage::LettingGo => self.service.status(&running(streams, per_second)),
            Stage::EndingStreams { of, over } => {
                tracing::info!(left = streams, of, ?over, "draining");
                self.service.status(&draining(streams, of));
            }
        }
    }

    fn feed(&mut self) {
        if self.watchdog.as_mut().is_some_and(Watchdog::all_are_alive) {
            self.service.alive();
        }
    }
}

/// A hub at work.
pub(super) fn running(streams: u32, deliveries_per_second: u64) -> String {
    let (streams, deliveries) = (grouped(streams.into()), grouped(deliveries_per_second));
    format!("{streams} streams, {deliveries} deliveries/s")
}

/// A hub that stops.
pub(super) fn draining(left: u32, of: u32) -> String {
    format!("draining: {} of {} streams left", grouped(left.into()), grouped(of.max(left).into()))
}

/// Deliveries counted, and when.
struct Rate {
    at: Instant,
    deliveries: u64,
}

impl Rate {
    /// Deliveries a second since it was asked last.
    fn next(&mut self, now: Instant, deliveries: u64) -> u64 {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        let new = deliveries.saturating_sub(self.deliveries);
        *self = Self { at: now, deliveries };
        if seconds < 0.001 { 0 } else { (new as f64 / seconds).round() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_is_grouped() {
        assert_eq!(running(12_034, 51_000), "12,034 streams, 51,000 deliveries/s");
        assert_eq!(draining(3120, 10_000), "draining: 3,120 of 10,000 streams left");
        assert_eq!(draining(2, 1), "draining: 2 of 2 streams left", "one may have come while it began");
    }

    #[test]
    fn a_rate_is_of_the_time_since_it_was_asked() {
        let at = Instant::now();
        let mut rate = Rate { at, deliveries: 100 };
        assert_eq!(rate.next(at + Duration::from_secs(2), 300), 100);
        assert_eq!(rate.next(at + Duration::from_secs(4), 300), 0);
        assert_eq!(rate.next(at + Duration::from_secs(4), 400), 0, "no time, no rate");
    }
}
