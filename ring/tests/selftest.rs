//! The start-up self-test passes on the kernel the tests run on, in time.

use std::time::{Duration, Instant};

#[test]
fn the_selftest_passes_within_50_ms() {
    // The best of three: another test may have the core.
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            corecast_ring::selftest().unwrap_or_else(|error| panic!("{error}"));
            start.elapsed()
        })
        .min();
    assert!(best < Some(Duration::from_millis(50)), "{best:?}");
}

#[test]
fn the_selftest_can_run_more_often_than_a_thread_has_registered_rings() {
    for _ in 0..20 {
        corecast_ring::selftest().unwrap_or_else(|error| panic!("{error}"));
    }
}
