//! Runs a scenario several times on several targets, and keeps what each run yields.
//!
//! Invariant: a measurement has figures only if every run of it went well. Targets take turns, so that what changes on the
//! machine in the meantime changes it for all of them alike.
//! Not here: what a run does (`scenario`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::figures::{Figure, Measurement, Outcome, Setting};
use crate::matrix::Extent;
use crate::scenario::{Bench, Figures, Scenario, Stop};
use crate::target::Target;

/// One run that is over, to be told to whoever waits.
#[derive(Debug)]
pub struct Ran<'a> {
    pub target: &'a str,
    /// Counted from 1.
    pub run: u32,
    pub took: Duration,
    /// What is known of the target so far.
    pub outcome: &'a Outcome,
}

/// Runs `scenario` with `setting` on all `targets`, `runs` times each in turns. A target that fails or is unable once is
/// not tried again.
pub fn measure(
    scenario: &Scenario,
    setting: &Setting,
    targets: &[&dyn Target],
    runs: u32,
    bench: &Bench,
    mut tell: impl FnMut(&Ran<'_>),
) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::Measured(BTreeMap::new()); targets.len()];
    for run in 1..=runs {
        for (target, outcome) in targets.iter().zip(&mut outcomes) {
            if let Outcome::Measured(figures) = outcome {
                let begin = Instant::now();
                match (scenario.run)(*target, setting, bench) {
                    Ok(more) => add_run(figures, more),
                    Err(Stop::Unable(reason)) => *outcome = Outcome::Unable(reason),
                    Err(Stop::Failed(reason)) => *outcome = Outcome::Failed(reason),
                }
                tell(&Ran { target: target.name(), run, took: begin.elapsed(), outcome });
            }
        }
    }
    outcomes
}

fn add_run(figures: &mut BTreeMap<Figure, Vec<f64>>, more: Figures) {
    for (figure, value) in more {
        figures.entry(figure).or_default().push(value);
    }
}

/// Gathers what results keep of it.
#[must_use]
pub fn measurement(
    scenario: &Scenario,
    target: &str,
    setting: &Setting,
    runs: u32,
    extent: Extent,
    outcome: Outcome,
) -> Measurement {
    Measurement {
        scenario: scenario.name.to_owned(),
        target: target.to_owned(),
        setting: setting.clone(),
        command: command(scenario, target, setting, runs, extent),
        outcome,
    }
}

/// The command that measures just this again.
fn command(scenario: &Scenario, target: &str, setting: &Setting, runs: u32, extent: Extent) -> String {
    let mut command = format!("corecast-bench run {} --target {target}", scenario.name);
    let mut add = |flag: &str, value: Option<String>| {
        if let Some(value) = value {
            command.push_str(&format!(" --{flag} {value}"));
        }
    };
    add("connections", Some(setting.connections).filter(|&count| count > 0).map(|count| count.to_string()));
    add("event-bytes", setting.event_bytes.map(|bytes| bytes.to_string()));
    add("outstanding", setting.outstanding.map(|count| count.to_string()));
    add("rate", setting.events_per_second.map(|rate| rate.to_string()));
    add("stalled", setting.stalled_percent.map(|percent| percent.to_string()));
    add("publishers", setting.publishers.map(|count| count.to_string()));
    add("missed", setting.missed_events.map(|count| count.to_string()));
    // What is no word is a remark that the scenario makes itself.
    add("mode", setting.mode.clone().filter(|mode| !mode.contains(' ')));
    add("runs", Some(runs.to_string()));
    if extent != Extent::Full {
        command.push_str(" --quick");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn the_command_says_all_that_the_setting_does() {
        let setting = Setting {
            connections: 500,
            event_bytes: Some(128),
            outstanding: Some(16),
            events_per_second: Some(2.5),
            stalled_percent: Some(5),
            publishers: Some(256),
            missed_events: Some(3_000),
            mode: Some("ndjson".to_owned()),
        };
        let fanout = scenario::by_name("fanout").unwrap();
        assert_eq!(
            command(fanout, "axum", &setting, 3, Extent::Quick),
            "corecast-bench run fanout --target axum --connections 500 --event-bytes 128 --outstanding 16 \
             --rate 2.5 --stalled 5 --publishers 256 --missed 3000 --mode ndjson --runs 3 --quick"
        );
        let remark = Setting { connections: 1, mode: Some("a remark".to_owned()), ..Setting::default() };
        assert_eq!(
            command(fanout, "limit", &remark, 1, Extent::Full),
            "corecast-bench run fanout --target limit --connections 1 --runs 1"
        );
        let nobody = Setting { publishers: Some(1), ..Setting::default() };
        assert_eq!(
            command(fanout, "limit", &nobody, 1, Extent::Full),
            "corecast-bench run fanout --target limit --publishers 1 --runs 1"
        );
    }

    #[test]
    fn a_value_is_kept_for_each_run() {
        let mut figures = BTreeMap::new();
        add_run(&mut figures, Figures::from([(Figure::CpuShare, 1.0), (Figure::LatencyMax, 5.0)]));
        add_run(&mut figures, Figures::from([(Figure::CpuShare, 2.0)]));
        assert_eq!(figures[&Figure::CpuShare], [1.0, 2.0]);
        assert_eq!(figures[&Figure::LatencyMax], [5.0]);
    }
}
