//! Events at a fixed rate, each at its own time, however late the server is.
//!
//! A loop that waits for the server before it sends the next event would stop asking exactly while the server is slow, and
//! its percentiles would leave out what a user waits for. So each event carries when it was *meant* to be sent, and latency
//! counts from then (Gil Tene calls the mistake coordinated omission).
//! Not here: what is sent.

use std::time::Duration;

use super::stage::Stage;
use crate::load::Fault;

/// Requests that may be unanswered before a server is said not to keep up: a minute's worth at 1,000 events a second.
const UNANSWERED_MAX: u32 = 65_536;

/// The times at which events are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    begin_ns: u64,
    interval_ns: f64,
    next: u32,
    count: u32,
}

impl Pace {
    /// `count` events from `begin_ns` on, `per_second` of them each second.
    pub(super) fn new(begin_ns: u64, per_second: f64, count: u32) -> Self {
        Self { begin_ns, interval_ns: 1e9 / per_second, next: 0, count }
    }

    /// The intended time of the next event; `None` after the last.
    pub(super) fn next_ns(&self) -> Option<u64> {
        // From the beginning each time: adding up intervals would add up their rounding.
        (self.next < self.count).then(|| self.begin_ns + (f64::from(self.next) * self.interval_ns) as u64)
    }

    /// The intended time of the next event if that has come, and goes on to the one after.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        let due = self.next_ns().filter(|&next_ns| next_ns <= now_ns)?;
        self.next += 1;
        Some(due)
    }
}

/// How many events fill `window` at this rate, but `events_min` at least.
pub(super) fn events_in(window: Duration, per_second: f64, events_min: u32) -> u32 {
    ((window.as_secs_f64() * per_second).ceil() as u32).max(events_min)
}

/// Calls `send` with each intended time when it comes, `count` times, and meanwhile lets the load work.
pub(super) fn keep_pace(
    stage: &mut Stage,
    per_second: f64,
    count: u32,
    mut send: impl FnMut(&mut Stage, u64),
) -> Result<(), Fault> {
    let mut pace = Pace::new(stage.load.now_ns(), per_second, count);
    loop {
        let now_ns = stage.load.now_ns();
        while let Some(intended_ns) = pace.take_due(now_ns) {
            send(stage, intended_ns);
        }
        if stage.unanswered() > UNANSWERED_MAX {
            return Err(stage.too_late("answers to publishing requests", Duration::ZERO));
        }
        let Some(next_ns) = pace.next_ns() else { return Ok(()) };
        stage.load.turn(Duration::from_nanos(next_ns.saturating_sub(stage.load.now_ns())))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_at_their_intended_times_however_late_the_clock_is_read() {
        let mut pace = Pace::new(1_000, 1e9 / 3.0, 5);
        assert_eq!(pace.take_due(999), None);
        assert_eq!(pace.take_due(1_000), Some(1_000));
        assert_eq!(pace.take_due(1_002), None);
        // The loop slept through three of them; none is left out or moved.
        assert_eq!(pace.take_due(1_010), Some(1_003));
        assert_eq!(pace.take_due(1_010), Some(1_006));
        assert_eq!(pace.take_due(1_010), Some(1_009));
        assert_eq!(pace.take_due(1_010), None);
        assert_eq!(pace.next_ns(), Some(1_012));
        assert_eq!(pace.take_due(u64::MAX), Some(1_012));
        assert_eq!(pace.take_due(u64::MAX), None, "there are only five");
        assert_eq!(pace.next_ns(), None);
    }

    #[test]
    fn intervals_that_are_no_whole_nanoseconds_do_not_drift() {
        let mut pace = Pace::new(0, 7.0, 7_001);
        let mut last_ns = None;
        while let Some(due_ns) = pace.take_due(u64::MAX) {
            last_ns = Some(due_ns);
        }
        let off_ns = last_ns.unwrap().abs_diff(1_000_000_000_000);
        assert!(off_ns < 1_000, "off by {off_ns} ns after 1,000 s");
    }

    #[test]
    fn a_window_has_enough_events_even_at_a_slow_rate() {
        for (window_ms, per_second, events_min, expected) in
            [(3_000, 50.0, 20, 150), (3_000, 1.0, 20, 20), (300, 10.0, 1, 3), (1_000, 0.5, 0, 1)]
        {
            let window = Duration::from_millis(window_ms);
            assert_eq!(events_in(window, per_second, events_min), expected, "{window:?} at {per_second}/s");
        }
    }
}
