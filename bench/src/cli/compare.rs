//! `corecast-bench compare`: all scenarios on all targets, which take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use super::session::Session;
use super::{Cores, scenario_names, target_names};
use crate::figures::Results;
use crate::matrix::{Extent, parts};
use crate::report;
use crate::scenario::ALL;
use crate::target::Options;

/// What a comparison shows side by side. `limit-send` is left to those who ask for it: it shows what a
/// particular way to send costs, not what a server could reach.
const TARGETS: &str = "corecast,corecast-file,limit,limit-joined,axum,nchan,pushpin,durable-streams,\
    device,device-reserved,durable-streams-wal,nats,redis";

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corecast-bench compare --quick --out results\n  \
    corecast-bench compare --targets corecast,limit,limit-joined --scenarios fanout,rate --out results\n\n\
    The folder gets results.json after each part, and at the end report.md, its plots, and report.html. A target that\n\
    fails is shown as such; the command itself fails only if corecast or a bare loop did.")]
pub(super) struct CompareArgs {
    /// Fewer settings, shorter windows, one run: some quarter of an hour instead of hours.
    #[arg(long)]
    quick: bool,
    /// Which servers.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = TARGETS, value_parser = target_names())]
    targets: Vec<String>,
    /// Which scenarios; all if none is named. What `limit` measures is part of `fanout`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = scenario_names())]
    scenarios: Vec<String>,
    /// How often to measure each: 3, or 1 with --quick.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// The folder for results and report; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "bench-results")]
    out: PathBuf,
    #[command(flatten)]
    cores: Cores,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(args: CompareArgs) -> anyhow::Result<()> {
    let begin = Instant::now();
    let extent = if args.quick { Extent::Quick } else { Extent::Full };
    let runs = args.runs.unwrap_or(if args.quick { 1 } else { 3 });
    fs::create_dir_all(&args.out).with_context(|| format!("{} cannot be made", args.out.display()))?;
    let mut session = Session::open(&args.targets, &args.options, &args.cores, extent, runs)?;
    let parts = parts(extent, &scenarios(args.scenarios), &args.targets);
    for (index, part) in parts.iter().enumerate() {
        eprintln!("part {} of {}, after {:.0} s", index + 1, parts.len(), begin.elapsed().as_secs_f64());
        session.measure(part);
        // After each, so that hours of measuring do not hang on the last of them.
        write(&session.results, &args.out.join("results.json"))?;
    }
    report::write(&session.results, &args.out)?;
    println!("{}", report::text(&session.results));
    eprintln!(
        "took {:.0} s; results and report are in {}",
        begin.elapsed().as_secs_f64(),
        args.out.display()
    );
    let ours = session.our_failures();
    if let Some(first) = ours.first() {
        bail!("{} of {} measurements failed; {first}", ours.len(), session.results.measurements.len());
    }
    Ok(())
}

fn scenarios(named: Vec<String>) -> Vec<String> {
    if !named.is_empty() {
        return named;
    }
    ALL.iter().map(|scenario| scenario.name.to_owned()).filter(|name| name != "limit").collect()
}

fn write(results: &Results, path: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(results)?;
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
