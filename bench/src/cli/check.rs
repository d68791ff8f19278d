//! `corecast-bench check-targets`: whether the servers to be measured are installed and work.

use clap::Args;

use super::target_names;
use crate::target::{self, Options};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  corecast-bench check-targets\n  corecast-bench check-targets corecast nchan"
)]
pub(super) struct CheckArgs {
    /// Which; else all.
    #[arg(value_parser = target_names())]
    names: Vec<String>,
    /// The core that they run on.
    #[arg(long, default_value_t = 0)]
    core: usize,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: CheckArgs) -> anyhow::Result<()> {
    let all = || target::NAMES.map(str::to_owned).to_vec();
    let names = if args.names.is_empty() { all() } else { args.names };
    target::check::check_all(&names, &args.options, args.core)
}
