#![forbid(unsafe_code)]
//! `corecast-bench`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    corecast_bench::cli::main()
}
