//! Latencies of all deliveries, recorded exactly and cheaply.
//!
//! Invariant: every delivery is in the histogram. Those that share an intended time and a batch share a latency, so they are
//! recorded together.

use hdrhistogram::Histogram;

/// An hour: whatever takes longer is recorded as that.
const MAX_NS: u64 = 3_600_000_000_000;

/// A histogram of nanoseconds, exact to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_NS, 3).expect("bounds and digits that the crate documents as valid")
}

/// See the module.
pub(super) struct Latencies {
    histogram: Histogram<u64>,
    now_ns: u64,
    /// The last intended time, and how many deliveries of this batch had it and are not recorded yet.
    intended_ns: u64,
    unrecorded: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { histogram: histogram(), now_ns: 0, intended_ns: 0, unrecorded: 0 }
    }

    /// What is recorded from now on arrived at `now_ns`, or before it.
    pub(super) fn begin_batch(&mut self, now_ns: u64) {
        self.settle();
        self.now_ns = now_ns;
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    #[inline]
    pub(super) fn record(&mut self, intended_ns: u64) {
        if intended_ns != self.intended_ns {
            self.settle();
            self.intended_ns = intended_ns;
        }
        self.unrecorded += 1;
    }

    pub(super) fn take(&mut self) -> Histogram<u64> {
        self.settle();
        std::mem::replace(&mut self.histogram, histogram())
    }

    fn settle(&mut self) {
        let count = std::mem::take(&mut self.unrecorded);
        if count > 0 {
            self.histogram.saturating_record_n(self.now_ns.saturating_sub(self.intended_ns), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_delivery_is_recorded_with_the_time_of_its_batch() {
        let mut latencies = Latencies::new();
        latencies.begin_batch(1_000);
        for intended in [900, 900, 800, 900] {
            latencies.record(intended);
        }
        latencies.begin_batch(2_000);
        latencies.record(900);
        let taken = latencies.take();
        let counts = [100, 200, 1_100].map(|latency| taken.count_at(latency));
        assert_eq!((taken.len(), counts), (5, [3, 1, 1]));
        assert_eq!(latencies.take().len(), 0);
    }

    #[test]
    fn what_takes_too_long_counts_as_an_hour() {
        let mut latencies = Latencies::new();
        latencies.begin_batch(u64::MAX);
        latencies.record(0);
        assert_eq!(latencies.take().len(), 1);
    }
}
