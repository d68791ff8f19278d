//! Latency of events to everybody at a fixed rate, from the time each was meant to be sent.

use super::latency::{add_last_bytes, add_latencies};
use super::open_loop::{events_in, keep_pace};
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::figures::Setting;
use crate::target::Target;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rate",
    about: "Events to everybody at --rate, however late the server: latency from the intended time of each",
    defaults,
    run,
};

/// Events a second: 150,000 deliveries with 10,000 connections.
const RATE_DEFAULT: f64 = 15.0;

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        events_per_second: Some(RATE_DEFAULT),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let rate = setting.events_per_second.unwrap_or(RATE_DEFAULT);
    let effort = &bench.effort;
    let mut stage = Stage::open(target, &plan(setting, bench), bench)?;
    stage.connect(0..setting.connections)?;
    keep_pace(&mut stage, rate, events_in(effort.warm_up, rate, 1), Stage::publish)?;
    stage.settle()?;
    stage.load.take_latencies();
    stage.load.take_last_byte_times();
    let count = events_in(effort.window, rate, effort.events_min);
    let spent = stage.measure(|stage| {
        keep_pace(stage, rate, count, Stage::publish)?;
        // The tail belongs to the figures: what is late is what matters.
        stage.settle()
    })?;
    let mut figures = Figures::new();
    add_latencies(&stage.load.take_latencies(), &mut figures);
    add_last_bytes(&stage.load.take_last_byte_times(), &mut figures);
    spent.add_deliveries(&mut figures);
    Ok(figures)
}
