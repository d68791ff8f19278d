//! Percentiles as figures.
//!
//! Not here: what is timed. The load does that.

use hdrhistogram::Histogram;

use super::Figures;
use crate::figures::Figure;

/// Adds the percentiles of nanoseconds, in milliseconds. Nothing of an empty histogram.
pub(super) fn add_latencies(times: &Histogram<u64>, figures: &mut Figures) {
    if times.is_empty() {
        return;
    }
    for (figure, quantile) in [
        (Figure::LatencyP50, 0.5),
        (Figure::LatencyP90, 0.9),
        (Figure::LatencyP99, 0.99),
        (Figure::LatencyP999, 0.999),
        (Figure::LatencyP9999, 0.9999),
        (Figure::LatencyMax, 1.0),
    ] {
        figures.insert(figure, millis(times.value_at_quantile(quantile)));
    }
}

/// Adds when the last subscriber had an event.
pub(super) fn add_last_bytes(times: &Histogram<u64>, figures: &mut Figures) {
    if times.is_empty() {
        return;
    }
    figures.insert(Figure::LastByteP50, millis(times.value_at_quantile(0.5)));
    figures.insert(Figure::LastByteP99, millis(times.value_at_quantile(0.99)));
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 ns, which is 52 days")]
fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds_and_absent_if_nothing_was_timed() {
        let mut times = Histogram::new(3).unwrap();
        let mut figures = Figures::new();
        add_latencies(&times, &mut figures);
        add_last_bytes(&times, &mut figures);
        assert_eq!(figures, Figures::new());
        for ms in 1..=100 {
            times.record(ms * 1_000_000).unwrap();
        }
        add_latencies(&times, &mut figures);
        add_last_bytes(&times, &mut figures);
        for (figure, expected) in [
            (Figure::LatencyP50, 50.0),
            (Figure::LatencyP99, 99.0),
            (Figure::LatencyMax, 100.0),
            (Figure::LastByteP50, 50.0),
        ] {
            assert!((figures[&figure] / expected - 1.0).abs() < 0.002, "{figure:?}: {}", figures[&figure]);
        }
    }
}
