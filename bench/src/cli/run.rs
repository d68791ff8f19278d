//! `corecast-bench run`: one scenario on one target.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::session::Session;
use super::{Cores, scenario_names, target_names};
use crate::figures::Setting;
use crate::matrix::{Extent, Part};
use crate::report::text;
use crate::scenario::{Scenario, by_name};
use crate::target::Options;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corecast-bench run fanout --target corecast --outstanding 16\n  \
    corecast-bench run limit --target limit-joined --outstanding 16 --runs 5\n  \
    corecast-bench run rate --target nchan --rate 5 --connections 2000 --quick\n  \
    corecast-bench run slow --target axum --stalled 5 --json slow.json\n  \
    corecast-bench run durable --target corecast-file --publishers 256 --data /var/tmp\n\n\
    A run that lost, doubled or reordered an event has no figures: it failed, and so does the command.")]
pub(super) struct RunArgs {
    /// What to do to the target.
    #[arg(value_parser = scenario_names())]
    scenario: String,
    /// The server to measure.
    #[arg(long, value_name = "NAME", value_parser = target_names(), default_value_if("scenario", "limit", "limit"), default_value = "corecast")]
    target: String,
    #[command(flatten)]
    setting: SettingArgs,
    /// How often to measure; figures are medians.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Measure for a second where it would be three, with the variation that this brings.
    #[arg(long)]
    quick: bool,
    /// Also write the results to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    cores: Cores,
    #[command(flatten)]
    options: Options,
}

/// Each scenario has its own defaults, and ignores what means nothing to it.
#[derive(Debug, Args)]
struct SettingArgs {
    /// Subscribers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    connections: Option<u32>,
    /// Data of each event, in bytes; 33 are needed to recognise it.
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(33..=65_536))]
    event_bytes: Option<u32>,
    /// Events (fanout, slow) or requests (users, publish) that are under way at a time.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    outstanding: Option<u32>,
    /// Events a second (rate, churn, users).
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Readers that stop reading (slow), in percent.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u32).range(0..=90))]
    stalled: Option<u32>,
    /// Connections that publish, each with one request under way (durable).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: Option<u32>,
    /// Events that were published since the oldest cursor (resume).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1_016..=100_000))]
    missed: Option<u32>,
    /// How publishers write (users, publish: single, pipelined, ndjson), or subscribers return (storm: resume, live;
    /// resume: together, apart).
    #[arg(long, value_name = "M")]
    mode: Option<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.1..=1e6).contains(&rate) { Ok(rate) } else { Err("it is not from 0.1 to 1000000".to_owned()) }
}

impl SettingArgs {
    /// What was typed, and the scenario's defaults where nothing was.
    fn over(&self, defaults: Setting) -> Setting {
        Setting {
            connections: self.connections.unwrap_or(defaults.connections),
            event_bytes: self.event_bytes.or(defaults.event_bytes),
            outstanding: self.outstanding.or(defaults.outstanding),
            events_per_second: self.rate.or(defaults.events_per_second),
            stalled_percent: self.stalled.or(defaults.stalled_percent),
            publishers: self.publishers.or(defaults.publishers),
            missed_events: self.missed.or(defaults.missed_events),
            mode: self.mode.clone().or(defaults.mode),
        }
    }
}

fn known(name: &str) -> anyhow::Result<&'static Scenario> {
    by_name(name).with_context(|| format!("{name} is no scenario"))
}

pub(super) fn run(args: RunArgs) -> anyhow::Result<()> {
    let extent = if args.quick { Extent::Quick } else { Extent::Full };
    let scenario = known(&args.scenario)?;
    let setting = args.setting.over((scenario.defaults)(&extent.effort()));
    let part = Part { scenario, setting, targets: vec![args.target] };
    let mut session = Session::open(&part.targets, &args.options, &args.cores, extent, args.runs)?;
    session.measure(&part);
    if let Some(path) = &args.json {
        let file = File::create(path).with_context(|| format!("{} cannot be made", path.display()))?;
        serde_json::to_writer_pretty(file, &session.results)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(failure) = session.failures().first() {
        bail!("{failure}");
    }
    println!("{}", text(&session.results));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_goes_before_defaults() {
        let typed = SettingArgs {
            connections: Some(7),
            event_bytes: None,
            outstanding: None,
            rate: Some(2.0),
            stalled: None,
            publishers: None,
            missed: None,
            mode: None,
        };
        let defaults = Setting { connections: 10_000, outstanding: Some(16), ..Setting::default() };
        let expected = Setting {
            connections: 7,
            outstanding: Some(16),
            events_per_second: Some(2.0),
            ..Setting::default()
        };
        assert_eq!(typed.over(defaults), expected);
    }

    #[test]
    fn a_rate_is_a_number_within_reason() {
        for (text, expected) in [("15", Some(15.0)), ("0.5", Some(0.5))] {
            assert_eq!(rate(text).ok(), expected);
        }
        for text in ["0", "-1", "NaN", "inf", "ten", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
