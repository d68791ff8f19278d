//! Feeds `corecast_tests::fuzz::selector` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::selector::TARGET.run)(input));
