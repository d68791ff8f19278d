//! Events to one random user each: as fast as it goes, or at a fixed rate.
//!
//! Modes: `pipelined` has one event in a request and many requests under way, `ndjson` has many events in a request.

use std::time::Duration;

use super::closed_loop::keep_unanswered;
use super::latency::add_latencies;
use super::open_loop::{events_in, keep_pace};
use super::publish::{BATCH_EVENTS, Mode};
use super::stage::{EVENT_BYTES_DEFAULT, Stage, plan};
use super::{Bench, Effort, Figures, Scenario, Stop, require};
use crate::figures::{Figure, Setting};
use crate::mark::Mark;
use crate::target::{Audience, Need, Plan, Target};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "users",
    about: "Events to one random user each: as fast as they are taken (--outstanding, --mode), or at --rate",
    defaults,
    run,
};

/// Requests under way: enough to hide the way there and back, few enough that latency is not the queue.
const OUTSTANDING_DEFAULT: u32 = 256;

fn defaults(_: &Effort) -> Setting {
    Setting {
        connections: 10_000,
        event_bytes: Some(EVENT_BYTES_DEFAULT),
        outstanding: Some(OUTSTANDING_DEFAULT),
        mode: Some(Mode::Pipelined.to_string()),
        ..Setting::default()
    }
}

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    let mode = Mode::of(setting)?;
    require(target, Need::Users)?;
    if mode == Mode::Ndjson {
        require(target, Need::Batches)?;
    }
    let authorized = target.unable(Need::Authorization).is_none();
    let mut stage = Stage::open(target, &Plan { authorized, ..plan(setting, bench) }, bench)?;
    stage.connect(0..setting.connections)?;
    let mut users = Users::new(setting.connections);
    users.load(&mut stage, setting, mode, bench.effort.warm_up, 1)?;
    stage.load.take_latencies();
    let effort = &bench.effort;
    let spent = stage.measure(|stage| users.load(stage, setting, mode, effort.window, effort.events_min))?;
    let mut figures = Figures::new();
    figures.insert(Figure::EventsPerSecond, spent.per_second(spent.deliveries));
    spent.add_deliveries(&mut figures);
    figures.remove(&Figure::DeliveriesPerSecond);
    add_latencies(&stage.load.take_latencies(), &mut figures);
    Ok(figures)
}

/// Who gets the next event, and how many each has had.
struct Users {
    random: fastrand::Rng,
    next: Vec<u32>,
    sent: u64,
}

impl Users {
    fn new(users: u32) -> Self {
        // The same order each time: runs are to be alike.
        Self { random: fastrand::Rng::with_seed(1), next: vec![0; users as usize], sent: 0 }
    }

    /// The next event for somebody.
    fn draw(&mut self, intended_ns: u64) -> (Audience, Mark) {
        let user = self.random.usize(..self.next.len());
        let number = self.next[user];
        self.next[user] += 1;
        self.sent += 1;
        let stream = u32::try_from(user).expect("there are as many users as connections, a u32");
        (Audience::User(stream), Mark { stream, number, intended_ns })
    }

    /// Sends for `duration`, then waits until all is delivered.
    fn load(
        &mut self,
        stage: &mut Stage,
        setting: &Setting,
        mode: Mode,
        duration: Duration,
        events_min: u32,
    ) -> Result<(), Stop> {
        if let Some(rate) = setting.events_per_second {
            keep_pace(stage, rate, events_in(duration, rate, events_min), |stage, intended_ns| {
                let (to, mark) = self.draw(intended_ns);
                stage.publish_mark(to, mark);
            })?;
        } else {
            let outstanding = setting.outstanding.unwrap_or(OUTSTANDING_DEFAULT);
            let batch = if mode == Mode::Ndjson { BATCH_EVENTS } else { 1 };
            keep_unanswered(stage, (outstanding / batch).max(1), duration, |stage| {
                let now_ns = stage.load.now_ns();
                let marks: Vec<_> = (0..batch).map(|_| self.draw(now_ns)).collect();
                match (mode, &marks[..]) {
                    (Mode::Single | Mode::Pipelined, &[(to, mark)]) => stage.publish_mark(to, mark),
                    _ => stage.publish_batch(&marks),
                }
            })?;
        }
        let sent = self.sent;
        stage.wait("all events delivered to their users", |load| load.totals().deliveries >= sent)?;
        stage.settle()
    }
}
