//! A third host of the engine, beside the two drivers: one shard's loop over the simulated kernel.
//!
//! It keeps to the numbered loop in `corecast_core::engine`, with everything that a kernel may do in between: reports
//! late, in any order, or about a slot's former owner; sends taken in part; slots used again at once.
//! Not here: what the bytes mean. The host sees what a driver sees.

mod checks;
mod kernel;
mod planted;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::{PublishAnswer, PublishRequest};
use corecast_core::engine::parcel::Parcel;
use corecast_core::event::SharedEvent;
use corecast_core::replay::PageRead;
use corecast_core::settings::{Settings, StreamSettings};
use corecast_core::time::Instant;

use super::chance::{Draw, Fault};
use super::network::{Network, WireId};
use super::oracle::Oracle;
use super::plant::Plant;
use super::reader::{Answer, Question};
use super::retention::{Mark, Retention};
use kernel::{Notice, Seat};

/// What a turn costs, and each send in it (io-uring.md §5.5).
const TURN_COST: Duration = Duration::from_micros(20);
const SEND_COST: Duration = Duration::from_micros(5);

/// One shard: an engine and what its driver knows.
pub(super) struct Shard {
    number: usize,
    /// The engine itself.
    pub(super) engine: Engine,
    /// By slot.
    seats: Vec<Option<Seat>>,
    free: Vec<u32>,
    /// Slots promised to sockets on their way here.
    promised: usize,
    backlog: VecDeque<WireId>,
    notices: Vec<(Instant, Notice)>,
    events: VecDeque<SharedEvent>,
    events_max: usize,
    /// The turn on the agenda that counts.
    wake: Option<Instant>,
    /// The end of the last turn: sends take time.
    busy_until: Instant,
    /// The end of the last time that this shard did not run.
    paused_until: Instant,
    retention: Retention,
    streams_opened: u64,
    /// Where the shard was when each stream was opened that has not been told of yet.
    openings: VecDeque<Mark>,
    rules: StreamSettings,
    /// Since when.
    ruled: Instant,
    plant: Plant,
    /// Whether the planted fault has struck.
    planted: bool,
    /// Whether nobody is accepted any more.
    is_closed: bool,
    /// Whether streams end as soon as all events have come in.
    ends_streams: bool,
    /// Closed in this turn, and reported at its end.
    closed: Vec<ConnectionId>,
    /// The last owner of each slot.
    former: BTreeMap<u32, ConnectionId>,
}

/// What a turn hands to others.
pub(super) enum Post {
    /// To the sequencer.
    Publish(usize, Box<PublishRequest>),
    /// To the log's reader.
    Ask(usize, Question),
    /// To another shard.
    Move {
        /// From here.
        shard: usize,
        /// The connection here.
        id: ConnectionId,
        /// To there.
        to: usize,
        /// The socket.
        wire: WireId,
        /// What is known of it.
        parcel: Box<Parcel>,
    },
}

/// What a shard is made with.
pub(super) struct ShardOptions {
    /// Which one it is.
    pub(super) number: usize,
    /// Its rules.
    pub(super) engine: Engine,
    /// Slots of its table.
    pub(super) slots: u32,
    /// Events that its inbox holds.
    pub(super) events_max: usize,
    /// The model of its history.
    pub(super) retention: Retention,
    /// What the engine was told about streams.
    pub(super) rules: StreamSettings,
    /// What is wrong with this host.
    pub(super) plant: Plant,
}

impl Shard {
    /// A shard that has not run yet.
    #[must_use]
    pub(super) fn new(options: ShardOptions) -> Self {
        Self {
            number: options.number,
            engine: options.engine,
            seats: (0..options.slots).map(|_| None).collect(),
            free: (0..options.slots).rev().collect(),
            promised: 0,
            backlog: VecDeque::new(),
            notices: Vec::new(),
            events: VecDeque::new(),
            events_max: options.events_max,
            wake: None,
            busy_until: Instant::ZERO,
            paused_until: Instant::ZERO,
            retention: options.retention,
            streams_opened: 0,
            openings: VecDeque::new(),
            rules: options.rules,
            ruled: Instant::ZERO,
            plant: options.plant,
            planted: false,
            is_closed: false,
            ends_streams: false,
            closed: Vec::new(),
            former: BTreeMap::new(),
        }
    }

    /// A client connects.
    pub(super) fn on_connect(&mut self, wire: WireId, net: &mut Network) {
        if self.is_closed {
            return net.reset(wire);
        }
        self.backlog.push_back(wire);
        self.wake_soon(net);
    }

    /// Room for one more event in the inbox.
    #[must_use]
    pub(super) fn has_room(&self) -> bool {
        self.events.len() < self.events_max
    }

    /// The sequencer hands in an event.
    pub(super) fn on_event(&mut self, event: SharedEvent, net: &mut Network) {
        self.events.push_back(event);
        self.wake_soon(net);
    }

    /// The sequencer answers.
    pub(super) fn on_answer(&mut self, answer: PublishAnswer, net: &mut Network) {
        self.report(Notice::Answer(answer), net);
    }

    /// The log's reader answers.
    pub(super) fn on_log_answer(&mut self, answer: Answer, net: &mut Network) {
        self.report(Notice::Log(answer), net);
    }

    /// The sequencer has no room.
    pub(super) fn on_publish_refused(&mut self, request: Box<PublishRequest>, net: &mut Network) {
        self.report(Notice::PublishRefused(request), net);
    }

    /// The operator has changed the settings.
    pub(super) fn on_settings(&mut self, settings: &Settings, net: &mut Network) {
        self.engine.replace_settings(settings.clone());
        self.retention.set_limits(settings.history.clone());
        self.rules = settings.stream.clone();
        self.ruled = net.now;
        self.wake_soon(net);
    }

    /// The hub is to stop.
    pub(super) fn on_drain(&mut self, over: Duration, net: &mut Network) {
        self.report(Notice::Drain(over), net);
    }

    /// Streams are to end.
    pub(super) fn on_end_streams(&mut self, net: &mut Network) {
        self.report(Notice::EndStreams, net);
    }

    /// Whether one more socket from another shard finds a slot; then it is kept for it.
    pub(super) fn try_promise(&mut self) -> bool {
        let has_room = self.free.len() > self.promised;
        self.promised += usize::from(has_room);
        has_room
    }

    /// A socket from another shard.
    pub(super) fn on_arrival(&mut self, wire: WireId, parcel: Box<Parcel>, net: &mut Network) {
        let torn = net.chance.strikes(Fault::TornMove);
        let delay = if torn {
            net.chance.length(Fault::TornMove, Duration::from_millis(1), Duration::from_millis(300))
        } else {
            net.latency()
        };
        self.report_after(delay, Notice::Arrived(wire, parcel), net);
    }

    /// What became of a move from here.
    pub(super) fn on_moved(&mut self, id: ConnectionId, refused: Option<Box<Parcel>>, net: &mut Network) {
        match refused {
            None => {
                if let Some(seat) = self.seat(id) {
                    seat.is_closing = true;
                }
                self.report_after(Duration::ZERO, Notice::Closed(id), net);
            }
            Some(parcel) => self.report(Notice::MoveRefused(id, parcel), net),
        }
    }

    /// Turns once, unless another turn is on the agenda for later.
    pub(super) fn turn(&mut self, net: &mut Network, oracle: &mut Oracle) -> Vec<Post> {
        if self.wake.is_none_or(|wake| wake > net.now) {
            return Vec::new();
        }
        self.wake = None;
        if net.chance.strikes(Fault::ShardPause) {
            let length =
                net.chance.length(Fault::ShardPause, Duration::from_millis(50), Duration::from_secs(3));
            self.paused_until = net.now + length;
            self.wake_at(self.paused_until, net);
            return Vec::new();
        }
        // Step 1. What it opens, it opens before it trims.
        self.engine.begin_turn(net.clocks());
        self.note_openings();
        self.retention.trim(net.unix);
        // Step 2.
        self.hand_in(net, oracle);
        // Step 3.
        let mut posts = Vec::new();
        let mut sends = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            self.perform(output, net, oracle, &mut sends, &mut posts);
        }
        // Step 4.
        self.busy_until = net.now + TURN_COST + SEND_COST * sends.len() as u32;
        for (to, buffer) in sends {
            self.send(to, buffer, net, oracle);
        }
        self.engine.handle_sent(self.busy_until);
        for id in std::mem::take(&mut self.closed) {
            self.release(id, net);
        }
        self.engine.assert_invariants();
        self.check_deadlines(net);
        self.schedule(net);
        posts
    }

    fn hand_in(&mut self, net: &mut Network, oracle: &mut Oracle) {
        let now = net.now;
        let mut ready = Vec::new();
        let mut later = Vec::new();
        for (at, notice) in self.notices.drain(..) {
            if at <= now { ready.push(notice) } else { later.push((at, notice)) }
        }
        self.notices = later;
        let rng = net.chance.draw(Draw::Order);
        rng.shuffle(&mut ready);
        let events_first = rng.bool();
        let quantum = rng.usize(1..100);
        if events_first {
            self.hand_in_events(quantum, net, oracle);
        }
        for notice in ready {
            self.hand_in_notice(notice, net, oracle);
            self.note_openings();
        }
        if !events_first {
            self.hand_in_events(quantum, net, oracle);
        }
        self.accept(net);
        if self.ends_streams && self.events.is_empty() {
            self.engine.end_streams();
        }
    }

    fn hand_in_events(&mut self, quantum: usize, net: &Network, oracle: &Oracle) {
        for _ in 0..quantum {
            if !self.engine.wants_event() {
                return;
            }
            let Some(event) = self.events.pop_front() else { return };
            let Some(event) = self.plant_in(event, oracle) else { continue };
            net.trace.note(format_args!("shard {} event {}", self.number, event.id));
            self.retention.push(&event, net.unix);
            self.engine.handle_event(event);
            self.note_openings();
        }
    }

    fn hand_in_notice(&mut self, notice: Notice, net: &mut Network, oracle: &mut Oracle) {
        match notice {
            Notice::Readable(id) => self.receive(id, net),
            Notice::Hangup(id) => self.engine.handle_hangup(id),
            Notice::Writable(id) => {
                if let Some(seat) = self.seat(id) {
                    seat.was_full = net.now;
                }
                self.engine.handle_writable(id);
            }
            Notice::Closed(id) => self.release(id, net),
            Notice::MoveRefused(id, parcel) => self.engine.handle_move_refused(id, &parcel),
            Notice::Arrived(wire, parcel) => self.arrive(wire, &parcel, net),
            Notice::PublishRefused(request) => self.engine.handle_publish_refused(&request),
            Notice::Answer(answer) => {
                oracle.on_answer(&answer);
                if self.plant == Plant::AnswerNever && !self.planted {
                    self.planted = true;
                    return;
                }
                self.engine.handle_published(answer);
            }
            Notice::Log(Answer::Sought(id, _, sought)) => {
                if let Some(wire) = self.seat(id).map(|seat| seat.wire) {
                    net.trace.note(format_args!("wire {wire} goes on: {sought:?}"));
                    oracle.on_sought(wire, sought, self.retention.mark());
                }
                self.engine.handle_sought(id, sought);
            }
            Notice::Log(Answer::Page(read)) => {
                net.trace.note(format_args!("shard {} is read {}", self.number, told(&read)));
                self.engine.handle_page(read);
            }
            Notice::Drain(over) => {
                // The listener closes: who waits in its backlog is reset.
                for wire in self.backlog.drain(..) {
                    net.reset(wire);
                }
                self.is_closed = true;
                self.engine.begin_drain(over);
            }
            Notice::EndStreams => self.ends_streams = true,
        }
    }

    fn note_openings(&mut self) {
        let opened = self.engine.counters().streams_opened;
        while self.streams_opened < opened {
            self.streams_opened += 1;
            self.openings.push_back(self.retention.mark());
        }
    }
}

/// A page in short.
fn told(read: &PageRead) -> String {
    match read {
        PageRead::Page(page) => format!("events {} to {}", page.after.0 + 1, page.upto.0),
        PageRead::Gone { upto } => format!("that all up to {} is gone", upto.0),
        PageRead::Failed { at } => format!("nothing at {}", at.0),
    }
}
