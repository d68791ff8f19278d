//! Looks figures up in results: by scenario, target and setting, and what the bare loop reached with the same work.
//!
//! Not here: what is thought of them (`goals`), and how they are written (`words`).

use std::cmp::Ordering;

use super::words;
use crate::figures::{Figure, Measurement, Outcome, Results, Setting, median};

/// The target under judgement, and the same with its log in files.
pub(super) const OURS: &str = "corecast";
pub(super) const OURS_WITH_FILES: &str = "corecast-file";

/// The runs of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) runs: usize,
}

impl Spread {
    /// `None` of no run, or of a value that is not a number: neither is a figure.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let (min, max) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(*value), max.max(*value)));
        median(values).map(|median| Self { median, min, max, runs: values.len() })
    }
}

impl Measurement {
    /// The runs of `figure`, if it was measured.
    pub(super) fn spread(&self, figure: Figure) -> Option<Spread> {
        match &self.outcome {
            Outcome::Measured(figures) => figures.get(&figure).and_then(|values| Spread::of(values)),
            Outcome::Unable(_) | Outcome::Failed(_) => None,
        }
    }

    /// Whether it tells what the machine can do, and not what a hub does.
    pub(super) fn is_limit(&self) -> bool {
        is_limit(&self.target)
    }
}

impl Outcome {
    /// `unable` or `failed`, if there is no figure.
    pub(super) fn without(&self) -> Option<&'static str> {
        match self {
            Self::Measured(_) => None,
            Self::Unable(_) => Some("unable"),
            Self::Failed(_) => Some("failed"),
        }
    }
}

pub(super) fn is_limit(target: &str) -> bool {
    ["limit", "device"].iter().any(|name| target == *name || target.starts_with(&format!("{name}-")))
}

pub(super) fn is_ours(target: &str) -> bool {
    [OURS, OURS_WITH_FILES].contains(&target)
}

/// All of one scenario.
pub(super) fn of_scenario<'a>(
    results: &'a Results,
    scenario: &'a str,
) -> impl Iterator<Item = &'a Measurement> + Clone {
    results.measurements.iter().filter(move |measurement| measurement.scenario == scenario)
}

pub(super) fn find<'a>(
    results: &'a Results,
    scenario: &str,
    target: &str,
    setting: &Setting,
) -> Option<&'a Measurement> {
    let is_it = |m: &&Measurement| m.scenario == scenario && m.target == target && m.setting == *setting;
    results.measurements.iter().find(is_it)
}

/// The bare loop that does the same work. Where several events are outstanding it joins what has queued up, as a hub may;
/// where a disk is written it reserves room ahead, as the hub's log does.
pub(super) fn limit_of<'a>(
    results: &'a Results,
    scenario: &str,
    setting: &Setting,
) -> Option<&'a Measurement> {
    let target = match setting.outstanding {
        _ if setting.publishers.is_some() => "device-reserved",
        None | Some(..=1) => "limit",
        Some(_) => "limit-joined",
    };
    find(results, scenario, target, setting)
}

/// Scenarios that occur, in the order of a report.
pub(super) fn scenarios(results: &Results) -> Vec<&str> {
    let mut names: Vec<&str> = results.measurements.iter().map(|m| m.scenario.as_str()).collect();
    names.sort_by_key(|name| words::scenario_order(name));
    names.dedup();
    names
}

/// Targets that occur, in the order of a report.
pub(super) fn targets<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> Vec<&'a str> {
    let mut names: Vec<&str> = measurements.map(|m| m.target.as_str()).collect();
    names.sort_by_key(|name| words::target_order(name));
    names.dedup();
    names
}

/// Settings that occur, the lightest first.
pub(super) fn settings<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> Vec<&'a Setting> {
    let mut settings: Vec<&Setting> = measurements.map(|m| &m.setting).collect();
    settings.sort_by(|a, b| by_weight(a, b));
    settings.dedup();
    settings
}

fn by_weight(a: &Setting, b: &Setting) -> Ordering {
    let numbers = |s: &Setting| {
        (s.connections, s.publishers, s.event_bytes, s.outstanding, s.stalled_percent, s.missed_events)
    };
    let rate = |s: &Setting| s.events_per_second.unwrap_or(0.0);
    let mode = |s: &Setting| words::mode_order(s.mode.as_deref().unwrap_or_default());
    let by_name = || a.mode.cmp(&b.mode);
    numbers(a)
        .cmp(&numbers(b))
        .then(rate(a).total_cmp(&rate(b)))
        .then(mode(a).cmp(&mode(b)))
        .then_with(by_name)
}

/// What all of `settings` have in common, and for each what tells it from the others.
pub(super) fn common_and_own(settings: &[&Setting]) -> (String, Vec<String>) {
    let parts: Vec<_> = settings.iter().map(|setting| words::setting(setting)).collect();
    let is_common = |index: usize| parts.windows(2).all(|pair| pair[0][index] == pair[1][index]);
    let joined = |of: &[Option<String>; 8], common: bool| {
        let kept = of.iter().enumerate().filter(|(index, _)| is_common(*index) == common);
        kept.filter_map(|(_, part)| part.as_deref()).collect::<Vec<_>>().join(", ")
    };
    let common = parts.first().map_or_else(String::new, |first| joined(first, true));
    (common, parts.iter().map(|own| joined(own, false)).collect())
}
