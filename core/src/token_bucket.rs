//! How much may happen in a time: tokens that come at a steady rate, up to a burst, and are taken for what is done.
//!
//! Invariant: in any span of time no more tokens are given than the burst and what came in that span. Nothing is lost
//! to rounding, so that asking often gives no less than asking seldom.
//! Not here: what a token is for, and a clock.

use std::time::Duration;

use crate::time::Instant;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Tokens a second; 0 is no bound.
    rate: u32,
    /// Most tokens that wait, at least one.
    burst: u32,
    /// What is there, in parts of a token: a nanosecond brings `rate` of them, and `NANOS_PER_SECOND` are a token.
    parts: u128,
    /// Up to when `parts` has been counted.
    counted: Instant,
}

impl TokenBucket {
    /// A full bucket to which `rate` tokens come a second, 0 for one that is never empty, and which holds at most `burst`
    /// of them (at least one).
    #[must_use]
    pub fn new(rate: u32, burst: u32, now: Instant) -> Self {
        let burst = burst.max(1);
        Self { rate, burst, parts: u128::from(burst) * NANOS_PER_SECOND, counted: now }
    }

    /// Changes rate and burst from now on. What is there stays, up to the new burst.
    pub fn set_rate(&mut self, rate: u32, burst: u32, now: Instant) {
        self.count(now);
        (self.rate, self.burst) = (rate, burst.max(1));
        self.parts = self.parts.min(self.parts_max());
    }

    /// Takes as many as are there, at most `wanted`. How many.
    pub fn take(&mut self, wanted: u32, now: Instant) -> u32 {
        if self.rate == 0 {
            return wanted;
        }
        self.count(now);
        let there = u32::try_from(self.parts / NANOS_PER_SECOND).unwrap_or(u32::MAX);
        let taken = there.min(wanted);
        self.parts -= u128::from(taken) * NANOS_PER_SECOND;
        taken
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&mut self, tokens: u32) {
        self.parts = (self.parts + u128::from(tokens) * NANOS_PER_SECOND).min(self.parts_max());
    }

    /// When there are `wanted` tokens, or as many as the bucket holds, if nobody takes any before.
    #[must_use]
    pub fn when(&self, wanted: u32) -> Instant {
        if self.rate == 0 {
            return self.counted;
        }
        let missing = (u128::from(wanted.min(self.burst)) * NANOS_PER_SECOND).saturating_sub(self.parts);
        let nanos = missing.div_ceil(u128::from(self.rate));
        self.counted + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn count(&mut self, now: Instant) {
        let came = now.since(self.counted).as_nanos() * u128::from(self.rate);
        self.parts = (self.parts + came).min(self.parts_max());
        self.counted = self.counted.max(now);
    }

    fn parts_max(&self) -> u128 {
        u128::from(self.burst) * NANOS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(5_000_000_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_given_at_once_and_then_the_rate() {
        let mut bucket = TokenBucket::new(100, 50, START);
        assert_eq!(bucket.take(64, START), 50);
        assert_eq!(bucket.take(1, START), 0);
        assert_eq!(bucket.take(64, START + millis(9)), 0);
        assert_eq!(bucket.take(64, START + millis(10)), 1);
        assert_eq!(bucket.take(64, START + millis(110)), 10);
        assert_eq!(bucket.take(64, START + millis(60_000)), 50, "no more wait than the burst");
    }

    #[test]
    fn a_rate_of_0_is_no_bound() {
        let mut bucket = TokenBucket::new(0, 0, START);
        for _ in 0..3 {
            assert_eq!(bucket.take(1000, START), 1000);
        }
        assert_eq!(bucket.when(1000), START);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut bucket = TokenBucket::new(1, 4, START);
        assert_eq!(bucket.take(4, START), 4);
        bucket.give_back(3);
        assert_eq!(bucket.take(4, START), 3);
        bucket.give_back(100);
        assert_eq!(bucket.take(100, START), 4, "not beyond the burst");
    }

    #[test]
    fn a_changed_rate_holds_from_then_on() {
        let mut bucket = TokenBucket::new(10, 100, START);
        assert_eq!(bucket.take(100, START), 100);
        bucket.set_rate(1000, 5, START + millis(500));
        assert_eq!(
            bucket.take(100, START + millis(500)),
            5,
            "what had come under the old rate, cut to the new burst"
        );
        assert_eq!(bucket.take(100, START + millis(503)), 3);
        bucket.set_rate(0, 5, START + millis(503));
        assert_eq!(bucket.take(100, START + millis(503)), 100);
    }

    #[test]
    fn time_that_goes_back_brings_nothing_and_costs_nothing() {
        let mut bucket = TokenBucket::new(1000, 10, START);
        assert_eq!(bucket.take(10, START), 10);
        assert_eq!(bucket.take(10, START - millis(1000)), 0);
        assert_eq!(bucket.take(10, START + millis(5)), 5);
    }

    #[test]
    fn at_the_time_it_names_there_are_as_many_as_were_wanted_and_not_before() {
        for (rate, burst) in [(1, 1), (3, 2), (7, 100), (999, 50), (20_000, 10_000), (10_000_000, 1 << 20)] {
            let mut bucket = TokenBucket::new(rate, burst, START);
            let mut now = START;
            bucket.take(burst, now);
            for wanted in [1, 2, 64] {
                let wanted = wanted.min(burst);
                let when = bucket.when(wanted);
                let mut before = bucket.clone();
                assert!(
                    before.take(wanted, when - Duration::from_nanos(2)) < wanted,
                    "{rate} {burst} {wanted}"
                );
                assert_eq!(bucket.take(wanted, when), wanted, "{rate} {burst} {wanted}");
                assert!(when > now);
                now = when;
            }
        }
    }

    /// Against the definition, for random users of random buckets.
    #[test]
    fn no_span_of_time_gives_more_than_the_burst_and_what_came_in_it() {
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (rate, burst) = (rng.u32(1..50_000), rng.u32(1..5000));
            let mut bucket = TokenBucket::new(rate, burst, START);
            let mut now = START;
            let mut given: Vec<(Instant, u64)> = Vec::new();
            for _ in 0..200 {
                let longest = [1_000, 1_000_000, 300_000_000][rng.usize(..3)];
                now += Duration::from_nanos(rng.u64(..longest));
                let taken = bucket.take(rng.u32(..200), now);
                given.push((now, taken.into()));
            }
            for first in 0..given.len() {
                let mut sum = 0;
                for &(at, taken) in &given[first..] {
                    sum += taken;
                    let came = at.since(given[first].0).as_nanos() * u128::from(rate) / NANOS_PER_SECOND;
                    assert!(u128::from(sum) <= u128::from(burst) + came + 1, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn asking_often_gives_as_much_as_asking_seldom() {
        let mut often = TokenBucket::new(333, 1000, START);
        let mut seldom = often.clone();
        let mut sum = often.take(1000, START);
        seldom.take(1000, START);
        let mut now = START;
        for _ in 0..100_000 {
            now += Duration::from_nanos(20_011);
            sum += often.take(1000, now);
        }
        assert_eq!(sum - 1000, seldom.take(1000, now));
    }
}
