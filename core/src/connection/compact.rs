//! Points in time as an idle stream keeps them: in few bytes, and no finer than somebody notices.
//!
//! Not here: reckoning. Whoever wants to reckon takes the full value out.

use crate::time::{Instant, UnixMillis};

/// A tick is 2^24 ns, about 16.8 ms: as fine as the timers.
const TICK_BITS: u32 = 24;

/// A point in the past, to the tick. Right for 2 years and 3 months, which no stream lasts: then it seems younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past(u32);

impl Past {
    /// This moment, rounded down.
    pub(crate) const fn at(now: Instant) -> Self {
        // Truncation is the point: differences stay right across the wrap.
        Self((now.as_nanos() >> TICK_BITS) as u32)
    }

    /// The point, seen from `now`.
    pub(crate) const fn seen_from(self, now: Instant) -> Instant {
        let age = Self::at(now).0.wrapping_sub(self.0) as u64;
        Instant::from_nanos((now.as_nanos() >> TICK_BITS).saturating_sub(age) << TICK_BITS)
    }
}

/// When a token ends, to the millisecond, or never. Lasts until the year 10889: what is later is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry([u16; 3]);

const NEVER: u64 = (1 << 48) - 1;

impl Expiry {
    /// At `end`, if there is one.
    pub(crate) fn at(end: Option<UnixMillis>) -> Self {
        let ms = end.map_or(NEVER, |end| end.0.min(NEVER));
        Self([ms as u16, (ms >> 16) as u16, (ms >> 32) as u16])
    }

    /// The Unix time in milliseconds.
    pub(crate) const fn unix_ms(self) -> Option<u64> {
        let Self([low, middle, high]) = self;
        let ms = low as u64 | (middle as u64) << 16 | (high as u64) << 32;
        if ms == NEVER { None } else { Some(ms) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_past_is_right_to_the_tick_across_the_wrap() {
        for begin in [0, 1, 5_000_000_000, u64::from(u32::MAX) << TICK_BITS] {
            for age in [0, 1, 1_000_000_000, 3600 * 24 * 365 * 1_000_000_000] {
                let (begin, now) = (Instant::from_nanos(begin), Instant::from_nanos(begin + age));
                let seen = Past::at(begin).seen_from(now);
                assert!(seen <= begin && begin.since(seen) < Duration::from_nanos(1 << TICK_BITS), "{age}");
            }
        }
    }

    #[test]
    fn an_expiry_is_exact_up_to_the_year_10889() {
        for ms in [0, 1, 1_793_610_000_123, NEVER - 1] {
            assert_eq!(Expiry::at(Some(UnixMillis(ms))).unix_ms(), Some(ms));
        }
        for end in [None, Some(UnixMillis(NEVER)), Some(UnixMillis(u64::MAX))] {
            assert_eq!(Expiry::at(end).unix_ms(), None);
        }
    }
}
