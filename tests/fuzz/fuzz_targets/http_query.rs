//! Feeds `corecast_tests::fuzz::http_query` by coverage.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (corecast_tests::fuzz::http_query::TARGET.run)(input));
