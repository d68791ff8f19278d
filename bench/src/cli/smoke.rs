//! `corecast-bench smoke`: whether scenarios, load and targets work, in less than a minute.
//!
//! It judges no speed: a busy machine passes as well as an idle one. What fails on a peer is told, and fails nothing: a peer that
//! drops whoever falls behind does so sooner on a busy machine.

use std::time::Instant;

use anyhow::bail;
use clap::Args;

use super::session::Session;
use super::{Cores, target_names};
use crate::figures::Outcome;
use crate::matrix::{Extent, parts};
use crate::scenario::ALL;
use crate::target::Options;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  corecast-bench smoke\n  corecast-bench smoke --targets corecast,nchan")]
pub(super) struct SmokeArgs {
    /// Which servers.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "corecast,corecast-file,limit,axum,device,device-reserved", value_parser = target_names())]
    targets: Vec<String>,
    #[command(flatten)]
    cores: Cores,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: SmokeArgs) -> anyhow::Result<()> {
    let begin = Instant::now();
    let scenarios: Vec<String> = ALL.iter().map(|scenario| scenario.name.to_owned()).collect();
    let mut session = Session::open(&args.targets, &args.options, &args.cores, Extent::Smoke, 1)?;
    for part in parts(Extent::Smoke, &scenarios, &args.targets) {
        session.measure(&part);
    }
    let failures = session.failures();
    let measured = session.results.measurements.iter();
    let measured = measured.filter(|m| matches!(m.outcome, Outcome::Measured(_))).count();
    println!(
        "{measured} measured, {} not possible, {} failed, in {:.0} s",
        session.results.measurements.len() - measured - failures.len(),
        failures.len(),
        begin.elapsed().as_secs_f64()
    );
    let ours = session.our_failures();
    if !ours.is_empty() {
        bail!("{}", ours.join("\nerror: "));
    }
    Ok(())
}
