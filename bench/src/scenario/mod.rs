//! What is measured: each scenario drives a load against a running target and yields figures.
//!
//! Invariant: a run yields figures only if every event came once and in order; any fault ends it without a number. Before
//! each measuring window the same load runs for a while unmeasured, and every wait has a bound with a name.
//! Not here: which scenarios run with which settings (`matrix`), and how often (`measure`).

use std::collections::BTreeMap;
use std::fmt;

use crate::figures::{Figure, Setting};
use crate::load::Fault;
use crate::target::{Need, Target};

mod closed_loop;
mod effort;
mod latency;
mod open_loop;
mod stage;

mod churn;
mod durable;
mod fanout;
mod hold;
mod limit;
mod load_end;
mod publish;
mod rate;
mod resume;
mod scale;
mod slow;
mod storm;
mod users;

pub use effort::{Bench, Effort};

/// The figures of one run.
pub type Figures = BTreeMap<Figure, f64>;

/// Why a run has no figures.
#[derive(Debug)]
pub enum Stop {
    /// The target has no such feature, or the machine not enough memory.
    Unable(String),
    /// Something went wrong.
    Failed(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unable(reason) => write!(f, "unable: {reason}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.to_string())
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(format!("{error:#}"))
    }
}

/// One way to load a target.
#[derive(Debug)]
pub struct Scenario {
    /// As on the command line and in results.
    pub name: &'static str,
    /// One sentence for the help text.
    pub about: &'static str,
    /// What it uses of a setting, with what it takes where nothing is said.
    pub defaults: fn(&Effort) -> Setting,
    /// One run.
    pub run: fn(&dyn Target, &Setting, &Bench) -> Result<Figures, Stop>,
}

/// All scenarios, in the order of a report.
pub const ALL: [Scenario; 12] = [
    limit::SCENARIO,
    fanout::SCENARIO,
    rate::SCENARIO,
    users::SCENARIO,
    hold::SCENARIO,
    storm::SCENARIO,
    resume::SCENARIO,
    slow::SCENARIO,
    churn::SCENARIO,
    publish::SCENARIO,
    durable::SCENARIO,
    scale::SCENARIO,
];

/// The scenario with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Scenario> {
    static SCENARIOS: [Scenario; 12] = ALL;
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// Ends a run of a target that cannot do what is asked for.
fn require(target: &dyn Target, need: Need) -> Result<(), Stop> {
    match target.unable(need) {
        Some(reason) => Err(Stop::Unable(reason.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_is_found_by_its_name_and_has_one_of_its_own() {
        for scenario in &ALL {
            assert_eq!(by_name(scenario.name).map(|found| found.about), Some(scenario.about));
        }
        assert!(by_name("dance").is_none());
    }
}
