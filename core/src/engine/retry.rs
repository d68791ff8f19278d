//! When clients are told to come back: each at a time of its own, and the later the more of them there are.
//!
//! Browsers add no jitter and no backoff (sse-clients.md §5): what they are told is when they come. A stream is told
//! at its beginning, when nobody knows how many will be told after it, so the times must add up well whatever comes.
//!
//! Property: however many streams a shard has told a time, were all of them to end at one moment, no more than
//! [`RETURNS_A_SECOND`] would come back in any second of the time that follows. Why: the first `rate × retry / 3` of
//! them are told times that are uniform in a window as long as `retry`, which makes a third of the rate. From there on
//! the k-th is told one in a window of the length `w(k) = 3k / rate`, in which times grow denser towards the end (`w·√u`
//! has the density `2t / w²`). At the time `t` all of these together have the density `∫ 2t / w(k)² dk` over the k whose
//! window reaches `t`, that is from `rate × t / 3` on, and this is two thirds of the rate at most.

use std::time::Duration;

use crate::time::Instant;

use super::Engine;
use super::stream::clamp_ms;

/// Returning streams that a shard admits in a second and hardly notices: a quarter of the 40,000 a second that it was
/// measured to admit when it does nothing else.
pub(super) const RETURNS_A_SECOND: u32 = 10_000;

/// See the module: windows are so many times as long as the crowd would need at that rate.
const SPREAD: u32 = 3;

/// Seconds over which those count who came, also if they did not stay.
const ARRIVALS_SECONDS: usize = 10;

/// How many have come for a stream in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// By second, modulo their number.
    by_second: [u32; ARRIVALS_SECONDS],
    /// The second that was counted last.
    second: u64,
}

impl Arrivals {
    /// One more has come.
    pub(super) fn count(&mut self, now: Instant) {
        self.forget(now);
        let count = &mut self.by_second[(self.second % ARRIVALS_SECONDS as u64) as usize];
        *count = count.saturating_add(1);
    }

    /// How many have come in the last [`ARRIVALS_SECONDS`], the present one included.
    fn recent(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.by_second.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    fn forget(&mut self, now: Instant) {
        let second = now.as_millis() / 1000;
        let passed = second.saturating_sub(self.second).min(ARRIVALS_SECONDS as u64);
        for past in 0..passed {
            self.by_second[((second - past) % ARRIVALS_SECONDS as u64) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

impl Engine {
    /// The reconnection time of one client: at least `retry`, and no more than `retry` and `spread` in a shard with few
    /// streams.
    pub(super) fn retry_within(&mut self, retry: Duration, spread: Duration) -> u32 {
        let crowd = self.streams.max(self.arrivals.recent(self.now.instant));
        let part = self.rng.f64();
        let window = crowd_window(crowd);
        let wait = if window <= spread { spread.mul_f64(part) } else { window.mul_f64(part.sqrt()) };
        clamp_ms(retry + wait)
    }

    /// The reconnection time of one client that has a stream.
    pub(super) fn retry_ms(&mut self) -> u32 {
        let retry = self.settings.stream.retry;
        self.retry_within(retry, retry)
    }
}

/// How long the window is for one more in a crowd of so many.
fn crowd_window(crowd: u32) -> Duration {
    Duration::from_secs(1) * SPREAD * crowd / RETURNS_A_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_count_for_ten_seconds() {
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let mut arrivals = Arrivals::default();
        (0..3).for_each(|_| arrivals.count(at(500)));
        (0..4).for_each(|_| arrivals.count(at(5_000)));
        assert_eq!(arrivals.recent(at(9_999)), 7);
        assert_eq!(arrivals.recent(at(10_000)), 4);
        assert_eq!(arrivals.recent(at(14_999)), 4);
        assert_eq!(arrivals.recent(at(15_000)), 0);
        arrivals.count(at(1_000_000));
        assert_eq!(arrivals.recent(at(1_000_000)), 1);
        assert_eq!(arrivals.recent(at(999_000)), 1, "time that goes back forgets nothing");
    }

    #[test]
    fn a_crowd_of_any_size_has_a_window() {
        assert_eq!(crowd_window(0), Duration::ZERO);
        assert_eq!(crowd_window(10_000), Duration::from_secs(3));
        assert_eq!(crowd_window(1_000_000), Duration::from_secs(300));
        assert!(crowd_window(u32::MAX) > Duration::from_secs(86_400));
    }
}
