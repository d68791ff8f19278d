//! Feeds `corecast_tests::fuzz::token` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::token::TARGET.run)(input));
