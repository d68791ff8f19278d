#![forbid(unsafe_code)]
//! Harness and simulator of corecast.

pub mod fuzz;
