//! Feeds `corecast_tests::fuzz::publish_body` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::publish_body::TARGET.run)(input));
