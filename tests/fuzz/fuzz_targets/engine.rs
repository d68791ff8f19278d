//! Feeds `corecast_tests::fuzz::engine` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::engine::TARGET.run)(input));
