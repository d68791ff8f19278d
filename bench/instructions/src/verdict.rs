//! Whether a count keeps its bound, and the line that says so.

use crate::scenarios::Scenario;

/// What there is to say about a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As expected.
    Within,
    /// Above the bound: the run fails.
    Above,
    /// So far below that the bound no longer guards anything.
    FarBelow,
}

impl Verdict {
    /// Judges `count` instructions of one unit.
    pub(crate) fn of(scenario: &Scenario, count: f64) -> Self {
        if count > bound(scenario) {
            Self::Above
        } else if count < scenario.instructions * (1.0 - margin(scenario)) {
            Self::FarBelow
        } else {
            Self::Within
        }
    }

    /// What is to be done about it, if anything.
    pub(crate) fn advice(self, scenario: &Scenario, count: f64) -> Option<String> {
        let Scenario { name, unit, instructions, margin_percent, .. } = scenario;
        let bound = bound(scenario);
        match self {
            Self::Within => None,
            Self::Above => Some(format!(
                "{name}: {count:.1} instructions for one {unit}, allowed are {bound:.1}, \
                 which is {instructions:.1} and {margin_percent} %.\n    \
                 See where they go with callgrind_annotate. If they are worth it, write {count:.1} into\n    \
                 {TABLE}, and what for into the commit."
            )),
            Self::FarBelow => Some(format!(
                "{name}: {count:.1} instructions for one {unit} instead of {instructions:.1}. Well done:\n    \
                 write {count:.1} into {TABLE}, so that it stays so."
            )),
        }
    }
}

/// Where the expected counts are.
const TABLE: &str = "bench/instructions/src/scenarios/mod.rs";

/// The most instructions that one unit may take.
fn bound(scenario: &Scenario) -> f64 {
    scenario.instructions * (1.0 + margin(scenario))
}

fn margin(scenario: &Scenario) -> f64 {
    f64::from(scenario.margin_percent) / 100.0
}

/// The head of the table.
pub(crate) fn heading() -> String {
    format!("{:24}{:20}{:>14}{:>14}{:>14}", "name", "unit", "instructions", "expected", "bound")
}

/// A line of the table.
pub(crate) fn line(scenario: &Scenario, count: f64) -> String {
    let Scenario { name, unit, instructions, .. } = scenario;
    format!("{name:24}{unit:20}{count:>14.1}{instructions:>14.1}{:>14.1}", bound(scenario))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_judged_by_its_distance_from_what_was_expected() {
        let scenario = Scenario { name: "a", unit: "b", instructions: 200.0, margin_percent: 10, run: || 0 };
        for (count, verdict) in [
            (179.0, Verdict::FarBelow),
            (181.0, Verdict::Within),
            (219.0, Verdict::Within),
            (221.0, Verdict::Above),
        ] {
            assert_eq!(Verdict::of(&scenario, count), verdict, "{count}");
        }
        assert_eq!(Verdict::Within.advice(&scenario, 200.0), None);
        let advice = Verdict::Above.advice(&scenario, 1234.56);
        assert!(advice.is_some_and(|text| text.contains("1234.6 instructions for one b, allowed are 220.0")));
    }
}
