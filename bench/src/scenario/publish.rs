//! The publisher's side: how many requests a second are answered, how soon, and what each costs. Few subscribers listen.
//!
//! Modes: `single` waits for each answer, `pipelined` sends ahead, `ndjson` has [`BATCH_EVENTS`] events in each request.

use std::fmt;
use std::time::Duration;

use super::closed_loop::keep_unanswered;
use super::latency::add_latencies;
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop, require};
use crate::figures::{Figure, Setting};
use crate::load::Fault;
use crate::target::{Need, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "publish",
    about: "Publishing requests to few subscribers, --mode single, pipelined or ndjson: requests a second and latency",
    defaults,
    run,
};

/// Events in one request of the mode `ndjson`.
pub(super) const BATCH_EVENTS: u32 = 64;

/// How publishers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Single,
    Pipelined,
    Ndjson,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Single, Self::Pipelined, Self::Ndjson];

    /// The mode that `setting` names, or pipelining.
    pub(super) fn of(setting: &Setting) -> Result<Self, Stop> {
        let Some(name) = &setting.mode else { return Ok(Self::Pipelined) };
        let known = Self::ALL.into_iter().find(|mode| mode.to_string() == *name);
        known.ok_or_else(|| {
            Stop::Failed(format!("mode = {name} is not known; there are single, pipelined and ndjson"))
        })
    }

    /// Requests under way if the setting does not say. A client that writes batches has the next one ready while it waits.
    fn outstanding(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::Pipelined => 64,
            Self::Ndjson => 2,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Pipelined => "pipelined",
            Self::Ndjson => "ndjson",
        })
    }
}

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        mode: Some(Mode::Pipelined.to_string()),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let mode = Mode::of(setting)?;
    if mode == Mode::Ndjson {
        require(target, Need::Batches)?;
    }
    let outstanding = setting.outstanding.unwrap_or(mode.outstanding());
    let mut stage = Stage::open(target, &plan(setting, bench), bench)?;
    stage.connect(0..setting.connections)?;
    post(&mut stage, mode, outstanding, bench.effort.warm_up)?;
    stage.settle()?;
    stage.load.take_answer_times();
    let spent = stage.measure(|stage| {
        post(stage, mode, outstanding, bench.effort.window)?;
        stage.settle()
    })?;
    let events = spent.published * u64::from(if mode == Mode::Ndjson { BATCH_EVENTS } else { 1 });
    let mut figures = Figures::new();
    figures.insert(Figure::RequestsPerSecond, spent.per_second(spent.published));
    figures.insert(Figure::EventsPerSecond, spent.per_second(events));
    figures.insert(Figure::CpuPerRequest, spent.server_micros_per(spent.published));
    spent.add_shares(&mut figures);
    add_latencies(&stage.load.take_answer_times(), &mut figures);
    Ok(figures)
}

fn post(stage: &mut Stage, mode: Mode, outstanding: u32, duration: Duration) -> Result<(), Fault> {
    keep_unanswered(stage, outstanding, duration, |stage| {
        let now_ns = stage.load.now_ns();
        if mode == Mode::Ndjson {
            let marks = stage.next_marks(BATCH_EVENTS, now_ns);
            stage.publish_batch(&marks);
        } else {
            stage.publish(now_ns);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_known_by_its_name_and_others_are_refused() {
        for mode in Mode::ALL {
            let setting = Setting { mode: Some(mode.to_string()), ..Setting::default() };
            assert_eq!(Mode::of(&setting).ok(), Some(mode));
        }
        assert_eq!(Mode::of(&Setting::default()).ok(), Some(Mode::Pipelined));
        let refused = Mode::of(&Setting { mode: Some("loudly".to_owned()), ..Setting::default() });
        assert!(refused.unwrap_err().to_string().starts_with("mode = loudly is not known"));
    }
}
