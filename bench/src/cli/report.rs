//! `corecast-bench report`: tables and plots of what was measured before.

use std::path::PathBuf;

use clap::Args;

use crate::report;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corecast-bench report results/results.json --out report\n  \
    corecast-bench report first.json second.json --out report")]
pub(super) struct ReportArgs {
    /// Results; those of one machine can be joined.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder for the report; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    report::write(&report::read(&args.files)?, &args.out)
}
