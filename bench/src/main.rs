#![forbid(unsafe_code)]
//! `corecast-bench`: see the library.

use corecast_bench as _;

fn main() {}
