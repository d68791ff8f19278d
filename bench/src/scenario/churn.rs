//! Coming and going under a steady rate of events: connections that open and close must not disturb those that stay.

use std::time::Duration;

use super::latency::{add_last_bytes, add_latencies};
use super::open_loop::{Pace, events_in};
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop};
use crate::figures::{Figure, Setting};
use crate::load::ANY;
use crate::target::{Need, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "churn",
    about: "1,000 connections a second open and as many close, under events to everybody at --rate",
    defaults,
    run,
};

/// Subscribers that connect each second, and as many that leave.
const CONNECTS_PER_SECOND: f64 = 1_000.0;

/// Those who come and go, beside the connections that stay: each stays for a second.
const GUESTS: u32 = 1_000;

const RATE_DEFAULT: f64 = 10.0;

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
    let residents = setting.connections;
    let plan = Plan {
        // A server that notices late who left has both of them for a while.
        connections: residents + 2 * GUESTS,
        authorized: target.unable(Need::Authorization).is_none(),
        ..plan(setting, bench)
    };
    let mut stage = Stage::open(target, &plan, bench)?;
    stage.connect(0..residents + GUESTS)?;
    let mut guests = Guests { first: residents, comings: 0 };
    guests.churn(&mut stage, rate, effort.warm_up, 1)?;
    stage.settle()?;
    stage.load.take_latencies();
    stage.load.take_last_byte_times();
    let comings_before = guests.comings;
    let spent = stage.measure(|stage| {
        guests.churn(stage, rate, effort.window, effort.events_min)?;
        stage.settle()
    })?;
    let mut figures = Figures::new();
    add_latencies(&stage.load.take_latencies(), &mut figures);
    add_last_bytes(&stage.load.take_last_byte_times(), &mut figures);
    figures.insert(Figure::ConnectsPerSecond, spent.per_second(u64::from(guests.comings - comings_before)));
    spent.add_shares(&mut figures);
    Ok(figures)
}

/// Who comes and goes: the one that has been there longest leaves and comes back at once, as a page that is loaded again.
struct Guests {
    first: u32,
    comings: u32,
}

impl Guests {
    fn step(&mut self, stage: &mut Stage) {
        let guest = self.first + self.comings % GUESTS;
        self.comings += 1;
        stage.load.drop_subscriber(guest);
        // An event may be published while it connects, so which one it is given first cannot be known.
        stage.join(guest, ANY);
    }

    /// Comes and goes for `window`, or as long as `events_min` events take, while events are published at `rate`.
    fn churn(&mut self, stage: &mut Stage, rate: f64, window: Duration, events_min: u32) -> Result<(), Stop> {
        let events = events_in(window, rate, events_min);
        let begin_ns = stage.load.now_ns();
        let mut due_events = Pace::new(begin_ns, rate, events);
        let steps = (f64::from(events) / rate * CONNECTS_PER_SECOND) as u32;
        let mut due_steps = Pace::new(begin_ns, CONNECTS_PER_SECOND, steps);
        loop {
            let now_ns = stage.load.now_ns();
            while let Some(intended_ns) = due_events.take_due(now_ns) {
                stage.publish(intended_ns);
            }
            while due_steps.take_due(now_ns).is_some() {
                self.step(stage);
            }
            let next_ns = [due_events.next_ns(), due_steps.next_ns()].into_iter().flatten().min();
            let Some(next_ns) = next_ns else { return Ok(()) };
            stage.load.turn(Duration::from_nanos(next_ns.saturating_sub(stage.load.now_ns())))?;
        }
    }
}
