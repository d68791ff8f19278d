//! How long events took, as plain integers: a histogram that is fine enough for quantiles and exact for metrics.
//!
//! Buckets have the same width within a decade, a tenth of where the decade begins: from 10 µs to 10 s no bucket is
//! wider than a tenth of its lower end, and every bound with two digits, such as 50 µs, is the bound of a bucket. So
//! coarser buckets are sums of these, and what happened between two moments is the difference of two copies.
//! Not here: what is measured (`engine`), or how it is shown.

use std::time::Duration;

/// What is shorter is in the first bucket.
const FIRST_NANOS: u64 = 10_000;

/// From 10 µs to 10 s.
const DECADES: usize = 6;

/// From 1.0 to 9.9.
const BUCKETS_A_DECADE: usize = 90;

/// One more for what is shorter, and one for what is longer. 8 B each.
const BUCKETS: usize = DECADES * BUCKETS_A_DECADE + 2;

/// A histogram of latencies.
#[derive(Clone, PartialEq, Eq)]
pub struct Latencies {
    /// Not cumulative.
    buckets: [u64; BUCKETS],
    sum_nanos: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], sum_nanos: 0 }
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let taken = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        let taken = taken.map(|(bucket, count)| (upper_bound(bucket), count));
        f.debug_map().entries(taken).finish()
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(nanos)] += 1;
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(bucket, count)| *bucket += count);
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
    }

    /// How many have been counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of all of them.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos)
    }

    /// How many were at most `bound`, which is exact from 10 µs to 10 s if it has no more than two digits.
    #[must_use]
    pub fn count_up_to(&self, bound: Duration) -> u64 {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[..=bucket_of(nanos)].iter().sum()
    }
}

/// What most of the latencies between two moments were at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// How many there were; not 0.
    pub count: u64,
    /// Half of them. Like the others it errs by 5 % at most between 10 µs and 10 s.
    pub p50: Duration,
    /// 90 % of them.
    pub p90: Duration,
    /// 99 % of them.
    pub p99: Duration,
    /// All of them: the end of the last bucket that has one. 10 s if one was longer.
    pub max: Duration,
}

impl Quantiles {
    /// Of what was counted after `old` was copied and before `new` was; `None` if nothing was.
    #[must_use]
    pub fn between(old: &Latencies, new: &Latencies) -> Option<Self> {
        let mut counts = new.buckets;
        counts
            .iter_mut()
            .zip(&old.buckets)
            .for_each(|(count, before)| *count = count.saturating_sub(*before));
        let count: u64 = counts.iter().sum();
        let last = counts.iter().rposition(|&count| count > 0)?;
        let max = upper_bound(last);
        let quantile = |percent| quantile(&counts, count, percent).min(max);
        Some(Self { count, p50: quantile(50), p90: quantile(90), p99: quantile(99), max })
    }
}

/// The middle of the bucket that has the one of this rank.
fn quantile(counts: &[u64; BUCKETS], count: u64, percent: u128) -> Duration {
    let rank = (u128::from(count) * percent).div_ceil(100);
    let mut seen = 0_u128;
    let reaches = |count: &u64| {
        seen += u128::from(*count);
        seen >= rank
    };
    let bucket = counts.iter().position(reaches).unwrap_or(BUCKETS - 1);
    let lower = bucket.checked_sub(1).map_or(Duration::ZERO, upper_bound);
    (lower + upper_bound(bucket)) / 2
}

/// A bucket has what is longer than the bucket before, up to its own end.
fn bucket_of(nanos: u64) -> usize {
    let inside = nanos.saturating_sub(1);
    let Some(decade) = (inside / FIRST_NANOS).checked_ilog10() else { return 0 };
    if decade as usize >= DECADES {
        return BUCKETS - 1;
    }
    let width = FIRST_NANOS / 10 * 10_u64.pow(decade);
    // From 10 to 99.
    let digits = (inside / width) as usize;
    1 + decade as usize * BUCKETS_A_DECADE + (digits - 10)
}

/// The end of a bucket; of the last one, which has none, its beginning.
fn upper_bound(bucket: usize) -> Duration {
    let Some(above) = bucket.min(BUCKETS - 2).checked_sub(1) else {
        return Duration::from_nanos(FIRST_NANOS);
    };
    let width = FIRST_NANOS / 10 * 10_u64.pow((above / BUCKETS_A_DECADE) as u32);
    Duration::from_nanos((above % BUCKETS_A_DECADE + 11) as u64 * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: u64 = 1_000;
    const MILLI: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn of(nanos: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        nanos.into_iter().for_each(|nanos| latencies.add(Duration::from_nanos(nanos)));
        latencies
    }

    #[test]
    fn a_latency_is_in_the_bucket_that_ends_at_it_or_behind_it() {
        let cases = [
            (0, 10 * MICRO),
            (1, 10 * MICRO),
            (10 * MICRO, 10 * MICRO),
            (10 * MICRO + 1, 11 * MICRO),
            (50 * MICRO, 50 * MICRO),
            (50 * MICRO + 1, 51 * MICRO),
            (99 * MICRO + 1, 100 * MICRO),
            (100 * MICRO, 100 * MICRO),
            (100 * MICRO + 1, 110 * MICRO),
            (MILLI, MILLI),
            (2 * SECOND, 2 * SECOND),
            (10 * SECOND, 10 * SECOND),
            // Beyond lies one bucket, which is shown as its beginning.
            (10 * SECOND + 1, 10 * SECOND),
            (u64::MAX, 10 * SECOND),
        ];
        for (nanos, end) in cases {
            assert_eq!(upper_bound(bucket_of(nanos)), Duration::from_nanos(end), "{nanos} ns");
        }
        assert_eq!(bucket_of(10 * SECOND), BUCKETS - 2);
        assert_eq!(bucket_of(10 * SECOND + 1), BUCKETS - 1);
    }

    #[test]
    fn buckets_lie_side_by_side_and_none_is_wider_than_a_tenth() {
        for bucket in 1..BUCKETS - 1 {
            let (lower, upper) = (upper_bound(bucket - 1), upper_bound(bucket));
            assert_eq!(bucket_of(lower.as_nanos() as u64), bucket - 1);
            assert_eq!(bucket_of(lower.as_nanos() as u64 + 1), bucket);
            assert_eq!(bucket_of(upper.as_nanos() as u64), bucket);
            assert!(upper - lower <= lower / 10, "{lower:?}..{upper:?}");
        }
    }

    #[test]
    fn every_bound_of_two_digits_counts_exactly() {
        let mut rng = fastrand::Rng::with_seed(1);
        let nanos: Vec<u64> = (0..1000).map(|_| 10_u64.pow(rng.u32(0..11)) * rng.u64(1..100)).collect();
        let latencies = of(nanos.iter().copied());
        for decade in 4..10 {
            for digits in 10..100_u64 {
                let bound = digits * 10_u64.pow(decade) / 10;
                let expected = nanos.iter().filter(|&&nanos| nanos <= bound).count() as u64;
                assert_eq!(latencies.count_up_to(Duration::from_nanos(bound)), expected, "{bound} ns");
            }
        }
        assert_eq!(latencies.count(), 1000);
        assert_eq!(latencies.count_up_to(Duration::MAX), 1000);
    }

    #[test]
    fn quantiles_are_of_what_came_between() {
        let old = of([5 * SECOND; 100]);
        let mut new = old.clone();
        new.merge(&of((1..=100).map(|n| n * MILLI)));
        let between = Quantiles::between(&old, &new).unwrap();
        assert_eq!(between.count, 100);
        for (quantile, expected_ms) in
            [(between.p50, 50.0), (between.p90, 90.0), (between.p99, 99.0), (between.max, 100.0)]
        {
            let ms = quantile.as_secs_f64() * 1e3;
            assert!((ms / expected_ms - 1.0).abs() <= 0.05, "{ms} ms is not {expected_ms} ms");
        }
        assert_eq!(Quantiles::between(&new, &new), None);
    }

    #[test]
    fn one_latency_is_every_quantile() {
        let one = Quantiles::between(&Latencies::default(), &of([3])).unwrap();
        assert_eq!((one.count, one.p50), (1, Duration::from_micros(5)));
        let late = Quantiles::between(&Latencies::default(), &of([60 * SECOND])).unwrap();
        let ten = Duration::from_secs(10);
        assert_eq!((late.p50, late.p99, late.max), (ten, ten, ten));
    }

    #[test]
    fn sums_are_of_the_latencies_themselves() {
        let mut latencies = of([1, 60 * SECOND]);
        assert_eq!(latencies.sum(), Duration::from_nanos(60 * SECOND + 1));
        latencies.add(Duration::MAX);
        assert_eq!(latencies.sum(), Duration::from_nanos(u64::MAX));
    }
}
