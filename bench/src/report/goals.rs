//! The numbers to reach, as a list, and how results stand against them.
//!
//! A goal is met only by what was measured at its full size: a small run meets nothing. A run that failed has not met its
//! goal. Not here: how fast the others are; they stand in the tables.

use super::measured::{self, OURS, OURS_WITH_FILES};
use super::words;
use crate::figures::{Figure, Measurement, Outcome, Results, Setting, Unit};

/// How results stand against one goal.
pub(super) struct Verdict {
    pub(super) goal: &'static str,
    pub(super) standing: Standing,
    /// What was found, or why there is nothing.
    pub(super) found: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Met,
    NotMet,
    NotMeasured,
}

impl Standing {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::NotMeasured => "not measured",
        }
    }
}

struct Goal {
    text: &'static str,
    /// Which of ours it is about.
    target: &'static str,
    /// Where it may have been measured: the first of these that has it counts.
    scenarios: &'static [&'static str],
    is_at: fn(&Setting) -> bool,
    amount: Amount,
    bound: Bound,
}

enum Amount {
    /// Figures of one unit, added up.
    Sum(&'static [Figure]),
    /// The same for all connections together.
    Whole(&'static [Figure]),
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// At most so many times what the bare loop needs for the same work, in the same results.
    OfLimit(f64),
    /// At least so many times what the bare loop reaches with the same work, in the same results.
    AtLeastOfLimit(f64),
    /// At most so many times what it is with the log in memory, in the same results.
    OfMemoryLog(f64),
    /// No other target has more, and at least one other was measured.
    First,
    /// At most so many times what it is with no reader stalled.
    OfNoneStalled(f64),
    /// At most so much more than with no reader stalled.
    BeyondNoneStalled(f64),
    /// No figure of a load generator shows it; this does.
    Elsewhere(&'static str),
}

/// 1 MiB is 1 KiB for each stalled reader of 1,000: a cursor, and far less than one event in a buffer of each.
const FLAT_BYTES: f64 = 1_048_576.0;

const GOALS: [Goal; 22] = [
    fanout("CPU per delivery, 1 event outstanding: at most 1.05 × the limit", |s| is_fanout(s, 1)),
    fanout("CPU per delivery, 4 outstanding: at most 1.05 × the coalescing limit", |s| is_fanout(s, 4)),
    fanout("CPU per delivery, 16 outstanding: at most 1.05 × the coalescing limit", |s| is_fanout(s, 16)),
    fanout("CPU per delivery, 64 outstanding: at most 1.05 × the coalescing limit", |s| is_fanout(s, 64)),
    first("Deliveries per second on one core, 1 outstanding: first", |s| is_fanout(s, 1)),
    first("Deliveries per second on one core, 64 outstanding: first", |s| is_fanout(s, 64)),
    Goal {
        text: "Latency p50 at 15 events/s to 10,000: at most 30 ms",
        target: OURS,
        scenarios: &["rate"],
        is_at: is_fifteen_per_second,
        amount: Amount::Sum(&[Figure::LatencyP50]),
        bound: Bound::AtMost(30.0),
    },
    Goal {
        text: "Latency p99 at 15 events/s to 10,000: at most 60 ms",
        target: OURS,
        scenarios: &["rate"],
        is_at: is_fifteen_per_second,
        amount: Amount::Sum(&[Figure::LatencyP99]),
        bound: Bound::AtMost(60.0),
    },
    Goal {
        text: "Own memory per idle connection: at most 256 B",
        target: OURS,
        scenarios: &["hold"],
        is_at: is_of_ten_thousand,
        amount: Amount::Sum(&[Figure::OwnMemoryPerConnection]),
        bound: Bound::AtMost(256.0),
    },
    Goal {
        text: "Own and kernel memory per idle connection: at most 4,400 B",
        target: OURS,
        scenarios: &["hold"],
        is_at: is_of_ten_thousand,
        amount: Amount::Sum(&MEMORY),
        bound: Bound::AtMost(4_400.0),
    },
    Goal {
        text: "Connects per second, authorized: at least 40,000",
        target: OURS,
        scenarios: &["hold"],
        is_at: is_of_ten_thousand,
        amount: Amount::Sum(&[Figure::ConnectsPerSecond]),
        bound: Bound::AtLeast(40_000.0),
    },
    Goal {
        text: "10,000 come back at once, authorized, with nothing lost: at most 300 ms",
        target: OURS,
        scenarios: &["storm"],
        is_at: is_of_ten_thousand,
        amount: Amount::Sum(&[Figure::TimeToComplete]),
        bound: Bound::AtMost(300.0),
    },
    Goal {
        text: "10,000 idle connections with heartbeats: at most 0.5 % of one core",
        target: OURS,
        scenarios: &["hold"],
        is_at: is_of_ten_thousand,
        amount: Amount::Sum(&[Figure::CpuShare]),
        bound: Bound::AtMost(0.5),
    },
    Goal {
        text: "10 % of readers stalled, the others' p99: within 10 % of none stalled",
        target: OURS,
        scenarios: &["slow"],
        is_at: is_a_tenth_stalled,
        amount: Amount::Sum(&[Figure::LatencyP99]),
        bound: Bound::OfNoneStalled(1.1),
    },
    Goal {
        text: "10 % of readers stalled, memory: at most 1 MiB more than with none stalled",
        target: OURS,
        scenarios: &["slow"],
        is_at: is_a_tenth_stalled,
        amount: Amount::Sum(&[Figure::MemoryGrowth]),
        bound: Bound::BeyondNoneStalled(FLAT_BYTES),
    },
    Goal {
        text: "1,000,000 connections in one process, own and kernel memory: at most 24 GB",
        target: OURS,
        scenarios: &["scale"],
        is_at: |s| s.connections >= 1_000_000,
        amount: Amount::Whole(&MEMORY),
        bound: Bound::AtMost(24e9),
    },
    Goal {
        text: "Log on disk, 256 publishers: at least 100 answers for each sync",
        target: OURS_WITH_FILES,
        scenarios: &["durable"],
        is_at: |s| is_durable(s, 256),
        amount: Amount::Sum(&[Figure::RequestsPerSync]),
        bound: Bound::AtLeast(100.0),
    },
    Goal {
        text: "Log on disk, 1 publisher: at least 0.9 × the syncs of a loop that does nothing else",
        target: OURS_WITH_FILES,
        scenarios: &["durable"],
        is_at: |s| is_durable(s, 1),
        amount: Amount::Sum(&[Figure::RequestsPerSecond]),
        bound: Bound::AtLeastOfLimit(0.9),
    },
    of_memory_log("Log on disk, CPU per delivery, 1 outstanding: at most 1.05 × the memory log", |s| {
        is_fanout(s, 1)
    }),
    of_memory_log("Log on disk, CPU per delivery, 16 outstanding: at most 1.05 × the memory log", |s| {
        is_fanout(s, 16)
    }),
    elsewhere("A dead peer's slot is free within 30 s", "tests/tests/network_cut.rs"),
    elsewhere(
        "RLIMIT_NOFILE does not bound connections",
        "tests/tests/thirty_thousand_under_nofile_20000.rs",
    ),
];

const MEMORY: [Figure; 2] = [Figure::OwnMemoryPerConnection, Figure::KernelMemoryPerConnection];

const fn fanout(text: &'static str, is_at: fn(&Setting) -> bool) -> Goal {
    let amount = Amount::Sum(&[Figure::CpuPerDelivery]);
    Goal { text, target: OURS, scenarios: &["fanout"], is_at, amount, bound: Bound::OfLimit(1.05) }
}

const fn first(text: &'static str, is_at: fn(&Setting) -> bool) -> Goal {
    let amount = Amount::Sum(&[Figure::DeliveriesPerSecond]);
    Goal { text, target: OURS, scenarios: &["fanout"], is_at, amount, bound: Bound::First }
}

const fn elsewhere(text: &'static str, test: &'static str) -> Goal {
    let bound = Bound::Elsewhere(test);
    Goal { text, target: OURS, scenarios: &[], is_at: |_| false, amount: Amount::Sum(&[]), bound }
}

const fn of_memory_log(text: &'static str, is_at: fn(&Setting) -> bool) -> Goal {
    let amount = Amount::Sum(&[Figure::CpuPerDelivery]);
    let bound = Bound::OfMemoryLog(1.05);
    Goal { text, target: OURS_WITH_FILES, scenarios: &["fanout"], is_at, amount, bound }
}

fn is_of_ten_thousand(setting: &Setting) -> bool {
    setting.connections == 10_000 && setting.event_bytes.is_none_or(|bytes| bytes == 128)
}

fn is_fanout(setting: &Setting, outstanding: u32) -> bool {
    is_of_ten_thousand(setting) && setting.outstanding == Some(outstanding)
}

fn is_fifteen_per_second(setting: &Setting) -> bool {
    is_of_ten_thousand(setting) && setting.events_per_second == Some(15.0)
}

fn is_durable(setting: &Setting, publishers: u32) -> bool {
    setting.publishers == Some(publishers) && setting.event_bytes == Some(128)
}

fn is_a_tenth_stalled(setting: &Setting) -> bool {
    setting.connections == 10_000 && setting.stalled_percent == Some(10)
}

/// One verdict per goal, in the order of the list.
pub(super) fn verdicts(results: &Results) -> Vec<Verdict> {
    GOALS.iter().map(|goal| goal.verdict(results)).collect()
}

impl Goal {
    fn verdict(&self, results: &Results) -> Verdict {
        let (standing, found) = match self.bound {
            Bound::Elsewhere(test) => (Standing::NotMeasured, format!("held by {test}")),
            _ => self.standing(results),
        };
        Verdict { goal: self.text, standing, found }
    }

    /// The worst of all settings that the goal speaks of.
    fn standing(&self, results: &Results) -> (Standing, String) {
        let ours = self.scenarios.iter().flat_map(|scenario| measured::of_scenario(results, scenario));
        let at_goal = ours.filter(|m| m.target == self.target && (self.is_at)(&m.setting));
        let mut standings = at_goal.filter_map(|m| self.judge(results, m)).collect::<Vec<_>>();
        standings.sort_by_key(|(standing, _)| match standing {
            Standing::NotMet => 0,
            Standing::Met => 1,
            Standing::NotMeasured => 2,
        });
        let nothing = (Standing::NotMeasured, "not in these results".to_owned());
        standings.into_iter().next().unwrap_or(nothing)
    }

    /// `None` if the measurement does not have the figure, and did not fail either.
    fn judge(&self, results: &Results, measurement: &Measurement) -> Option<(Standing, String)> {
        match &measurement.outcome {
            Outcome::Measured(_) => {}
            Outcome::Unable(reason) => return Some((Standing::NotMeasured, format!("unable: {reason}"))),
            Outcome::Failed(reason) => return Some((Standing::NotMet, format!("failed: {reason}"))),
        }
        let value = self.value(measurement)?;
        Some(match self.bound {
            Bound::AtMost(most) => (met(value <= most), self.shown(value)),
            Bound::AtLeast(least) => (met(value >= least), self.shown(value)),
            Bound::OfLimit(ratio) => {
                let limit = measured::limit_of(results, &measurement.scenario, &measurement.setting);
                self.beside(value, limit, |ours, limit| ours <= ratio * limit, "the limit")
            }
            Bound::AtLeastOfLimit(ratio) => {
                let limit = measured::limit_of(results, &measurement.scenario, &measurement.setting);
                self.beside(value, limit, |ours, limit| ours >= ratio * limit, "the limit")
            }
            Bound::OfMemoryLog(ratio) => {
                let other = measured::find(results, &measurement.scenario, OURS, &measurement.setting);
                self.beside(value, other, |ours, memory| ours <= ratio * memory, "the memory log")
            }
            Bound::OfNoneStalled(ratio) => {
                let other = none_stalled(results, measurement);
                self.beside(value, other, |ours, none| ours <= ratio * none, "none stalled")
            }
            Bound::BeyondNoneStalled(more) => self.beyond(value, none_stalled(results, measurement), more),
            Bound::First => self.first(value, results, measurement),
            Bound::Elsewhere(_) => return None,
        })
    }

    fn value(&self, measurement: &Measurement) -> Option<f64> {
        let (figures, times) = match self.amount {
            Amount::Sum(figures) => (figures, 1.0),
            Amount::Whole(figures) => (figures, f64::from(measurement.setting.connections)),
        };
        let sum: Option<f64> =
            figures.iter().map(|figure| measurement.spread(*figure).map(|s| s.median)).sum();
        Some(sum? * times)
    }

    fn shown(&self, value: f64) -> String {
        let (Amount::Sum(figures) | Amount::Whole(figures)) = self.amount;
        words::quantity(figures.first().map_or(Unit::Percent, |figure| figure.unit()), value)
    }

    fn beside(
        &self,
        value: f64,
        other: Option<&Measurement>,
        is_met: impl Fn(f64, f64) -> bool,
        what: &str,
    ) -> (Standing, String) {
        match other.and_then(|other| self.value(other)).filter(|other| *other > 0.0) {
            Some(other) => {
                let (ratio, ours, other_shown) =
                    (words::ratio(value / other), self.shown(value), self.shown(other));
                (met(is_met(value, other)), format!("{ours}, {ratio} {what} ({other_shown})"))
            }
            None => {
                (Standing::NotMeasured, format!("{}, but nothing to compare with: {what}", self.shown(value)))
            }
        }
    }

    fn beyond(&self, value: f64, other: Option<&Measurement>, most: f64) -> (Standing, String) {
        match other.and_then(|other| self.value(other)) {
            Some(other) => {
                let (ours, other_shown) = (self.shown(value), self.shown(other));
                (met(value - other <= most), format!("{ours}, with none stalled {other_shown}"))
            }
            None => (
                Standing::NotMeasured,
                format!("{}, but nothing to compare with: none stalled", self.shown(value)),
            ),
        }
    }

    fn first(&self, value: f64, results: &Results, ours: &Measurement) -> (Standing, String) {
        let others = measured::of_scenario(results, &ours.scenario)
            .filter(|m| m.setting == ours.setting && !measured::is_ours(&m.target) && !m.is_limit());
        let best = others
            .filter_map(|m| Some((self.value(m)?, m.target.as_str())))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        match best {
            Some((best, target)) => {
                let found = format!(
                    "{}, the best of the others is {target} with {}",
                    self.shown(value),
                    self.shown(best)
                );
                (met(value >= best), found)
            }
            None => (Standing::NotMeasured, format!("{}, but no other was measured", self.shown(value))),
        }
    }
}

fn met(is_met: bool) -> Standing {
    if is_met { Standing::Met } else { Standing::NotMet }
}

/// The same with every reader reading.
fn none_stalled<'a>(results: &'a Results, measurement: &Measurement) -> Option<&'a Measurement> {
    let setting = Setting { stalled_percent: Some(0), ..measurement.setting.clone() };
    measured::find(results, &measurement.scenario, &measurement.target, &setting)
}
