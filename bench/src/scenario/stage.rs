//! A target that runs and the load on it: what every scenario does to both.
//!
//! Invariant: the numbers of events to all have no gaps, so that subscribers can check them; only this counts them.
//! Not here: what a scenario measures, and when it publishes.

use std::ops::Range;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::{Bench, Effort, Figures, Stop, require};
use crate::figures::{Figure, Setting};
use crate::load::{Fault, Load, LoadOptions, PublisherId};
use crate::mark::{Mark, TO_ALL};
use crate::target::{Audience, Need, Plan, Running, Subscriber, Target};

/// What subscribers are to see is published on one connection: events on several would have no order that they could check.
const PUBLISHER: PublisherId = PublisherId(0);

/// How long anything that should take no time may take, before it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(20);

/// Added to that for each that connects: pushpin takes 1,300 a second.
const PATIENCE_PER_CONNECT: Duration = Duration::from_millis(3);

/// Added to that for each connection in other waits: a full window of events takes some 10 µs for each, and 64 may be under
/// way.
const PATIENCE_PER_CONNECTION: Duration = Duration::from_millis(1);

/// Data of one event: up to this the padding of an event is made in advance by every scenario.
pub(super) const EVENT_BYTES_DEFAULT: u32 = 128;

/// Events that a subscriber can catch up with, if the scenario does not say.
const HISTORY_EVENTS: u32 = 1_024;

/// A target that runs, with a load that is connected to its publishing address.
pub(super) struct Stage {
    // Before the target, so that it is dropped first: clients that see their server die would have much to report.
    pub(super) load: Load,
    running: Box<dyn Running>,
    connections: u32,
    publishers: u32,
    connecting_max: Option<u32>,
    event_bytes: usize,
    next: u32,
    data: Vec<u8>,
    request: Vec<u8>,
}

/// What a stretch of time took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) wall: Duration,
    /// CPU time of the target.
    pub(super) server: Duration,
    /// CPU time of the load.
    pub(super) load: Duration,
    pub(super) deliveries: u64,
    pub(super) published: u64,
}

/// Counters at one moment.
struct Reading {
    now_ns: u64,
    server_ns: u64,
    load_ns: u64,
    deliveries: u64,
    published: u64,
}

/// What a target has to allow for, taken from `setting`. Scenarios change what they need otherwise.
pub(super) fn plan(setting: &Setting, bench: &Bench) -> Plan {
    Plan {
        connections: setting.connections,
        publishers: 1,
        core: bench.server_core,
        workers: 1,
        event_bytes: setting.event_bytes.unwrap_or(EVENT_BYTES_DEFAULT),
        authorized: false,
        history_events: HISTORY_EVENTS,
        log_events: HISTORY_EVENTS,
        heartbeat_seconds: Effort::HEARTBEAT_SECONDS,
    }
}

impl Stage {
    /// Starts `target` and a load with nobody connected but publishers.
    pub(super) fn open(target: &dyn Target, plan: &Plan, bench: &Bench) -> Result<Self, Stop> {
        if plan.connections > 0 {
            require(target, Need::Streams)?;
        }
        let running = target.start(plan)?;
        let options = LoadOptions {
            subscribe: running.subscribe_address(),
            publish: running.publish_address(),
            protocol: running.protocol(),
            subscribers: plan.connections,
            core: bench.load_core,
        };
        let mut load = Load::new(&options, plan.publishers)?;
        for publisher in 0..plan.publishers {
            load.publish(PublisherId(publisher), &running.greeting(publisher), 0);
        }
        Ok(Self {
            load,
            running,
            connections: plan.connections,
            publishers: plan.publishers,
            connecting_max: target.connecting_max(),
            event_bytes: plan.event_bytes as usize,
            next: 0,
            data: Vec::new(),
            request: Vec::new(),
        })
    }

    /// The running target.
    pub(super) fn running(&self) -> &dyn Running {
        self.running.as_ref()
    }

    /// The number of the next event to all.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Connects `subscribers` as the users of the same numbers and waits until all are live.
    pub(super) fn connect(&mut self, subscribers: Range<u32>) -> Result<Spent, Stop> {
        let next = self.next;
        self.connect_again(subscribers, None, next)
    }

    /// Connects `subscribers`, who have seen everything up to `last_event_id` and expect event `next`; waits until all are
    /// live. Their requests are made before the clock starts: signing tokens is not what is measured.
    pub(super) fn connect_again(
        &mut self,
        subscribers: Range<u32>,
        last_event_id: Option<&str>,
        next: u32,
    ) -> Result<Spent, Stop> {
        let requests: Vec<Vec<u8>> = subscribers
            .clone()
            .map(|user| self.running.subscribe_request(&Subscriber { user, last_event_id }))
            .collect();
        let within = PATIENCE + PATIENCE_PER_CONNECT * subscribers.end.saturating_sub(subscribers.start);
        let mut live = self.load.totals().live;
        let total = self.next;
        self.measure(|stage| {
            for (subscriber, request) in subscribers.zip(requests) {
                if let Some(connecting_max) = stage.connecting_max {
                    let room = |load: &Load| load.totals().live + connecting_max > live;
                    stage.load.run_until(within, "live streams", room)?;
                }
                stage.load.connect(subscriber, request, next);
                live += 1;
            }
            let is_complete = |load: &Load| load.totals().live >= live && load.delivered_to_all() >= total;
            Ok(stage.load.run_until(within, "live streams with all that they missed", is_complete)?)
        })
    }

    /// What a subscriber names that comes back after all that was published and has seen all of it; `witness` is one that has,
    /// and whose ids are remembered.
    pub(super) fn cursor(&self, witness: u32) -> Result<String, Stop> {
        if let Some(cursor) = self.running.cursor()? {
            return Ok(cursor);
        }
        let id = self.load.last_event_id(witness);
        id.map(str::to_owned).ok_or_else(|| Stop::Failed("its events have no ids to resume from".to_owned()))
    }

    /// Lets `subscriber` connect, who expects event `next` first, and waits for nothing.
    pub(super) fn join(&mut self, subscriber: u32, next: u32) {
        let request = self.running.subscribe_request(&Subscriber { user: subscriber, last_event_id: None });
        self.load.connect(subscriber, request, next);
    }

    /// Publishes the next event to all, which was meant to be sent at `intended_ns`.
    pub(super) fn publish(&mut self, intended_ns: u64) {
        let mark = Mark { stream: TO_ALL, number: self.next, intended_ns };
        self.next += 1;
        self.publish_mark(Audience::All, mark);
    }

    /// Publishes the next event to all, which is meant to be sent now.
    pub(super) fn publish_now(&mut self) {
        let now_ns = self.load.now_ns();
        self.publish(now_ns);
    }

    /// Publishes one event; the caller numbers those to users.
    pub(super) fn publish_mark(&mut self, to: Audience, mark: Mark) {
        self.data.clear();
        mark.write(self.event_bytes, &mut self.data);
        self.request.clear();
        self.running.publish_request(to, &self.data, &mut self.request);
        self.load.publish(PUBLISHER, &self.request, 1);
    }

    /// Publishes the next event on the connection of `publisher`, for nobody to see.
    pub(super) fn publish_by(&mut self, publisher: u32) {
        let mark = Mark { stream: TO_ALL, number: self.next, intended_ns: self.load.now_ns() };
        self.next += 1;
        self.data.clear();
        mark.write(self.event_bytes, &mut self.data);
        self.request.clear();
        self.running.publish_request_of(publisher, &self.data, &mut self.request);
        self.load.publish(PublisherId(publisher), &self.request, 1);
    }

    /// Publishes `marks`, each to its audience, with one request.
    pub(super) fn publish_batch(&mut self, marks: &[(Audience, Mark)]) {
        self.data.clear();
        for (_, mark) in marks {
            mark.write(self.event_bytes, &mut self.data);
        }
        let len = self.data.len() / marks.len();
        let events: Vec<(Audience, &[u8])> =
            marks.iter().map(|(to, _)| *to).zip(self.data.chunks(len)).collect();
        self.request.clear();
        self.running.publish_batch(&events, &mut self.request);
        self.load.publish(PUBLISHER, &self.request, 1);
    }

    /// The marks of the next `count` events to all, for a batch.
    pub(super) fn next_marks(&mut self, count: u32, intended_ns: u64) -> Vec<(Audience, Mark)> {
        let numbers = self.next..self.next + count;
        self.next += count;
        let mark = |number| Mark { stream: TO_ALL, number, intended_ns };
        numbers.map(|number| (Audience::All, mark(number))).collect()
    }

    /// Requests that have yet to be answered.
    pub(super) fn unanswered(&self) -> u32 {
        unanswered(&self.load, self.publishers)
    }

    /// Requests of `publisher` that have yet to be answered.
    pub(super) fn unanswered_of(&self, publisher: u32) -> u32 {
        self.load.unanswered(PublisherId(publisher))
    }

    /// Connections that publish.
    pub(super) fn publishers(&self) -> u32 {
        self.publishers
    }

    /// Events to all that have yet to reach somebody.
    pub(super) fn outstanding(&self) -> u32 {
        self.next - self.load.delivered_to_all()
    }

    /// Waits until every publishing request is answered.
    pub(super) fn wait_answered(&mut self) -> Result<(), Stop> {
        let publishers = self.publishers;
        self.wait("all publishing requests answered", |load| unanswered(load, publishers) == 0)
    }

    /// Waits until fewer than `count` publishing requests have no answer.
    pub(super) fn wait_unanswered_below(&mut self, count: u32) -> Result<(), Stop> {
        let publishers = self.publishers;
        self.wait("answers to publishing requests", |load| unanswered(load, publishers) < count)
    }

    /// Waits until everything published is answered and delivered.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        let (next, publishers) = (self.next, self.publishers);
        self.wait("all events delivered and answered", |load| {
            load.delivered_to_all() >= next && unanswered(load, publishers) == 0
        })
    }

    /// Waits for `condition`, as long as is reasonable with so many connections.
    pub(super) fn wait(&mut self, what: &str, condition: impl FnMut(&Load) -> bool) -> Result<(), Stop> {
        let within = PATIENCE + PATIENCE_PER_CONNECTION * self.connections;
        Ok(self.load.run_until(within, what, condition)?)
    }

    /// Lets the load work for `duration`, publishing nothing.
    pub(super) fn idle(&mut self, duration: Duration) -> Result<(), Fault> {
        let end = self.load.now() + duration;
        loop {
            let left = end.saturating_duration_since(self.load.now());
            if left.is_zero() {
                return Ok(());
            }
            self.load.turn(left)?;
        }
    }

    /// What was not there in time, and how far the load is.
    pub(super) fn too_late(&self, what: &str, within: Duration) -> Fault {
        let state = format!(
            "{} of {} connections live, event {} of {} delivered to all, {} requests unanswered",
            self.load.totals().live,
            self.connections,
            self.load.delivered_to_all(),
            self.next,
            self.unanswered()
        );
        Fault::TooLate { what: what.to_owned(), within, state }
    }

    /// What `work` takes.
    pub(super) fn measure(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), Stop>,
    ) -> Result<Spent, Stop> {
        let before = self.read()?;
        work(self)?;
        let after = self.read()?;
        Ok(Spent {
            wall: Duration::from_nanos(after.now_ns - before.now_ns),
            server: Duration::from_nanos(after.server_ns.saturating_sub(before.server_ns)),
            load: Duration::from_nanos(after.load_ns - before.load_ns),
            deliveries: after.deliveries - before.deliveries,
            published: after.published - before.published,
        })
    }

    fn read(&self) -> anyhow::Result<Reading> {
        let load = clock_gettime(ClockId::ThreadCPUTime);
        let totals = self.load.totals();
        Ok(Reading {
            now_ns: self.load.now_ns(),
            server_ns: self.running.tree().cpu_time_ns()?,
            load_ns: load.tv_sec.unsigned_abs() * 1_000_000_000 + load.tv_nsec.unsigned_abs(),
            deliveries: totals.deliveries,
            published: totals.published,
        })
    }
}

fn unanswered(load: &Load, publishers: u32) -> u32 {
    (0..publishers).map(|publisher| load.unanswered(PublisherId(publisher))).sum()
}

impl Spent {
    /// Events per second that arrived, and what each cost.
    pub(super) fn add_deliveries(&self, figures: &mut Figures) {
        figures.insert(Figure::DeliveriesPerSecond, self.per_second(self.deliveries));
        figures.insert(Figure::CpuPerDelivery, self.server_micros_per(self.deliveries));
        self.add_shares(figures);
    }

    /// How busy the target and the load were: a load near 100 % is what was measured, not the target.
    pub(super) fn add_shares(&self, figures: &mut Figures) {
        figures.insert(Figure::CpuShare, self.percent(self.server));
        figures.insert(Figure::LoadCpuShare, self.percent(self.load));
    }

    pub(super) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }

    pub(super) fn server_micros_per(&self, count: u64) -> f64 {
        self.server.as_secs_f64() * 1e6 / count as f64
    }

    pub(super) fn percent(&self, part: Duration) -> f64 {
        part.as_secs_f64() * 100.0 / self.wall.as_secs_f64()
    }
}
