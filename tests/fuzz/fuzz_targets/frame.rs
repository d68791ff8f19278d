//! Feeds `corecast_tests::fuzz::frame` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::frame::TARGET.run)(input));
