//! What is counted, and how many instructions each may take: the table to edit when a bound is to change.
//!
//! The number in a row is what one unit took when the row was last set. The check fails where a count is above it by
//! more than the margin, and says so where one is as far below, so that what was won is not lost again unnoticed.
//! To change a bound on purpose, write the new count into the row, and into the commit what the instructions are for.

mod fan_out;
mod requests;
mod streams;
mod timers;

/// A row of the table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is divided by: one of these is what `instructions` is for.
    pub(crate) unit: &'static str,
    /// Instructions of one unit when this was last set.
    pub(crate) instructions: f64,
    /// How far a count may be above that.
    pub(crate) margin_percent: u32,
    /// Sets up, does the counted work, and tells how many units of it were done.
    pub(crate) run: fn() -> u64,
}

/// Compilers and C libraries differ by a few per cent from release to release. What costs more was meant, or is a
/// mistake.
const MARGIN: u32 = 10;

/// For what hashes a token: the library chooses its SHA-256 by what the processor has.
const MARGIN_HASHES: u32 = 30;

const fn row(name: &'static str, unit: &'static str, run: fn() -> u64, instructions: f64) -> Scenario {
    Scenario { name, unit, instructions, margin_percent: MARGIN, run }
}

impl Scenario {
    const fn within(self, margin_percent: u32) -> Self {
        Self { margin_percent, ..self }
    }
}

/// All of them, in the order in which they are shown.
pub(crate) const SCENARIOS: [Scenario; 16] = [
    row("fan_out_topic", "delivery", fan_out::topic_to_all_streams, 264.8),
    row("fan_out_all", "delivery", fan_out::all, 259.7),
    row("fan_out_64_joined", "send of 64 events", fan_out::sixty_four_queued, 2363.2),
    row("event_to_one_user", "event", fan_out::one_user, 1990.3),
    row("event_to_nobody", "event", fan_out::nobody, 3552.9),
    row("idle_turn", "turn", timers::idle_turn, 311.0),
    row("heartbeat", "heartbeat", timers::heartbeats, 1017.4),
    row("wheel_advance", "advance", timers::wheel_advances, 64.0),
    row("subscribe_anonymous", "stream", streams::subscribe_anonymous, 21829.0),
    row("subscribe_known_token", "stream", streams::subscribe_known_token, 31070.5).within(MARGIN_HASHES),
    row("subscribe_new_token", "stream", streams::subscribe_new_token, 51006.3).within(MARGIN_HASHES),
    row("resume_50_events", "stream", streams::resume, 33636.4),
    row("churn", "connection", streams::churn, 28327.5),
    row("publish_json", "post", requests::publish_json, 22026.9).within(MARGIN_HASHES),
    row("publish_ndjson", "line", requests::publish_ndjson, 7761.1),
    row("liveness", "request", requests::liveness, 7620.9),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_does_its_work() {
        for scenario in &SCENARIOS {
            assert!((scenario.run)() > 0, "{}", scenario.name);
        }
    }

    #[test]
    fn every_name_is_one_of_a_kind() {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            assert!(
                SCENARIOS[index + 1..].iter().all(|other| other.name != scenario.name),
                "{}",
                scenario.name
            );
        }
    }
}
