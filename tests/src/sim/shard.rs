//! A third host of the engine, beside the two drivers: one shard's loop over the simulated kernel.
//!
//! It keeps to the numbered loop in `corecast_core::engine`, with everything that a kernel may do in between: reports
//! late, in any order, or about a slot's former owner; sends taken in part; slots used again at once.
//! Not here: what the bytes mean. The host sees what a driver sees.

use std::collections::VecDeque;
use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::{BufferId, Output, PublishAnswer, PublishRequest};
use corecast_core::engine::parcel::Parcel;
use corecast_core::event::SharedEvent;
use corecast_core::settings::StreamSettings;
use corecast_core::time::Instant;

use super::chance::{Draw, Fault};
use super::network::{Action, Network, Place, WireId};
use super::oracle::Oracle;
use super::plant::Plant;
use super::retention::{Mark, Retention};

/// What a deadline may be late by: a tick of the wheel, and the time that the simulated scheduler takes.
const SLACK: Duration = Duration::from_millis(100);

/// Heartbeats as they go out whole: as a chunk and as it is, unseen by handlers and seen.
const HEARTBEATS: [&[u8]; 4] = [
    b"2\r\n:\n\r\n",
    b":\n",
    b"24\r\nevent: corecast.heartbeat\ndata: {}\n\n\r\n",
    b"event: corecast.heartbeat\ndata: {}\n\n",
];

/// Bytes that one receive of the host takes at most.
const RECEIVE_BYTES_MAX: usize = 2048;

/// One shard: an engine and what its driver knows.
pub struct Shard {
    number: usize,
    /// The engine itself.
    pub engine: Engine,
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
    /// The end of the last time that this shard did not run.
    paused_until: Instant,
    retention: Retention,
    streams_opened: u64,
    /// Where the shard was when each stream was opened that has not been told of yet.
    openings: VecDeque<Mark>,
    rules: StreamSettings,
    plant: Plant,
    /// Whether the planted fault has struck.
    planted: bool,
    /// Whether nobody is accepted any more.
    is_closed: bool,
    /// Whether streams end as soon as all events have come in.
    ends_streams: bool,
    /// Closed in this turn, and reported at its end.
    closed: Vec<ConnectionId>,
}

/// What the driver knows of a slot's present owner.
struct Seat {
    id: ConnectionId,
    wire: WireId,
    /// Whether bytes, an end or an error are to be reported, once.
    receives: bool,
    awaits: Option<Instant>,
    is_stream: bool,
    is_closing: bool,
    /// When something was last sent to it.
    sent: Instant,
    /// When its socket was last full: nobody's silence but its own.
    was_full: Instant,
}

/// What the kernel, another shard or the sequencer reports.
enum Notice {
    Readable(ConnectionId),
    Hangup(ConnectionId),
    Writable(ConnectionId),
    Closed(ConnectionId),
    MoveRefused(ConnectionId, Box<Parcel>),
    Arrived(WireId, Box<Parcel>),
    PublishRefused(Box<PublishRequest>),
    Answer(PublishAnswer),
    Drain(Duration),
    EndStreams,
}

/// What a turn hands to others.
pub enum Post {
    /// To the sequencer.
    Publish(usize, Box<PublishRequest>),
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
pub struct ShardOptions {
    /// Which one it is.
    pub number: usize,
    /// Its rules.
    pub engine: Engine,
    /// Slots of its table.
    pub slots: u32,
    /// Events that its inbox holds.
    pub events_max: usize,
    /// The model of its history.
    pub retention: Retention,
    /// What the engine was told about streams.
    pub rules: StreamSettings,
    /// What is wrong with this host.
    pub plant: Plant,
}

impl Shard {
    /// A shard that has not run yet.
    #[must_use]
    pub fn new(options: ShardOptions) -> Self {
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
            paused_until: Instant::ZERO,
            retention: options.retention,
            streams_opened: 0,
            openings: VecDeque::new(),
            rules: options.rules,
            plant: options.plant,
            planted: false,
            is_closed: false,
            ends_streams: false,
            closed: Vec::new(),
        }
    }

    /// The model of its history.
    #[must_use]
    pub const fn retention(&self) -> &Retention {
        &self.retention
    }

    /// A client connects.
    pub fn on_connect(&mut self, wire: WireId, net: &mut Network) {
        if self.is_closed {
            return net.reset(wire);
        }
        self.backlog.push_back(wire);
        self.wake_soon(net);
    }

    /// Something about a wire has changed that the kernel may report.
    pub fn on_wire(&mut self, id: ConnectionId, net: &mut Network) {
        let Some(seat) = self.seat(id) else { return };
        let wire = &net.wires[seat.wire];
        let (readable, writable) = (wire.is_readable(), wire.is_writable());
        let Some(seat) = self.seat(id) else { return };
        let mut notices = Vec::new();
        if readable && std::mem::take(&mut seat.receives) {
            notices.push(Notice::Readable(id));
        }
        if writable && seat.awaits.take().is_some() {
            notices.push(Notice::Writable(id));
        }
        for notice in notices {
            self.report(notice, net);
        }
    }

    /// Room for one more event in the inbox.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.events.len() < self.events_max
    }

    /// The sequencer hands in an event.
    pub fn on_event(&mut self, event: SharedEvent, net: &mut Network) {
        self.events.push_back(event);
        self.wake_soon(net);
    }

    /// The sequencer answers.
    pub fn on_answer(&mut self, answer: PublishAnswer, net: &mut Network) {
        self.report(Notice::Answer(answer), net);
    }

    /// The sequencer has no room.
    pub fn on_publish_refused(&mut self, request: Box<PublishRequest>, net: &mut Network) {
        self.report(Notice::PublishRefused(request), net);
    }

    /// The hub is to stop.
    pub fn on_drain(&mut self, over: Duration, net: &mut Network) {
        self.report(Notice::Drain(over), net);
    }

    /// Streams are to end.
    pub fn on_end_streams(&mut self, net: &mut Network) {
        self.report(Notice::EndStreams, net);
    }

    /// Whether one more socket from another shard finds a slot; then it is kept for it.
    pub fn try_promise(&mut self) -> bool {
        let has_room = self.free.len() > self.promised;
        self.promised += usize::from(has_room);
        has_room
    }

    /// A socket from another shard.
    pub fn on_arrival(&mut self, wire: WireId, parcel: Box<Parcel>, net: &mut Network) {
        let torn = net.chance.strikes(Fault::TornMove);
        let delay = if torn {
            net.chance.length(Fault::TornMove, Duration::from_millis(1), Duration::from_millis(300))
        } else {
            net.latency()
        };
        self.report_after(delay, Notice::Arrived(wire, parcel), net);
    }

    /// What became of a move from here.
    pub fn on_moved(&mut self, id: ConnectionId, refused: Option<Box<Parcel>>, net: &mut Network) {
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
    pub fn turn(&mut self, net: &mut Network, oracle: &mut Oracle) -> Vec<Post> {
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
        for (to, buffer) in sends {
            self.send(to, buffer, net, oracle);
        }
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

    fn hand_in_events(&mut self, quantum: usize, net: &mut Network, oracle: &Oracle) {
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

    /// The event to hand in, after the planted fault.
    fn plant_in(&mut self, event: SharedEvent, oracle: &Oracle) -> Option<SharedEvent> {
        match self.plant {
            Plant::SkipEvent if !self.planted && !event.ephemeral && oracle.is_awaited(&event) => {
                self.planted = true;
                None
            }
            // The bytes of the second under the place of the first, and the other way round.
            Plant::SwapEvents if !self.planted && oracle.is_awaited(&event) => {
                let is_public = |event: &SharedEvent| !event.ephemeral && !event.private;
                let next = self.events.front_mut().filter(|next| next.audience == event.audience);
                if let Some(next) = next.filter(|next| is_public(next) && is_public(&event)) {
                    self.planted = true;
                    let shown_first = with_frame_of(&event, next);
                    *next = with_frame_of(next, &event);
                    return Some(shown_first);
                }
                Some(event)
            }
            _ => Some(event),
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

    fn receive(&mut self, id: ConnectionId, net: &mut Network) {
        let Some(seat) = self.seat(id) else {
            // Of a slot's former owner: read before its end, reported after it.
            return self.engine.handle_received(id, b"GET / HTTP/1.1\r\n\r\n");
        };
        let wire = &mut net.wires[seat.wire];
        if wire.is_reset {
            return self.engine.handle_hangup(id);
        }
        let rng = net.chance.draw(Draw::Order);
        let len = if rng.u8(..4) == 0 { rng.usize(1..=RECEIVE_BYTES_MAX) } else { RECEIVE_BYTES_MAX };
        let bytes: Vec<u8> = wire.rx.drain(..len.min(wire.rx.len())).collect();
        self.engine.handle_received(id, &bytes);
    }

    fn accept(&mut self, net: &mut Network) {
        while self.free.len() > self.promised
            && let Some(wire) = self.backlog.pop_front()
        {
            let index = self.take_slot(net);
            let id = self.engine.handle_accepted(index, net.wires[wire].peer);
            net.trace.note(format_args!("shard {} slot {index} accepts wire {wire}", self.number));
            self.seat_wire(id, wire, net);
        }
    }

    fn arrive(&mut self, wire: WireId, parcel: &Parcel, net: &mut Network) {
        self.promised -= 1;
        let index = self.take_slot(net);
        let id = self.engine.handle_arrived(index, parcel);
        net.trace.note(format_args!("shard {} slot {index} takes over wire {wire}", self.number));
        self.seat_wire(id, wire, net);
    }

    /// Any free slot; often the one that was freed last, as the kernel does.
    fn take_slot(&mut self, net: &mut Network) -> u32 {
        let rng = net.chance.draw(Draw::Order);
        let at = if rng.bool() { self.free.len() - 1 } else { rng.usize(..self.free.len()) };
        self.free.remove(at)
    }

    fn seat_wire(&mut self, id: ConnectionId, wire: WireId, net: &mut Network) {
        net.wires[wire].place = Place::Slot(self.number, id);
        let seat = Seat {
            id,
            wire,
            receives: false,
            awaits: None,
            is_stream: false,
            is_closing: false,
            sent: net.now,
            was_full: Instant::ZERO,
        };
        assert!(self.seats[id.index as usize].replace(seat).is_none(), "the host gives a slot out once");
    }

    fn release(&mut self, id: ConnectionId, net: &mut Network) {
        self.engine.handle_closed(id);
        self.seats[id.index as usize] = None;
        self.free.push(id.index);
        if net.chance.strikes(Fault::StaleNotice) {
            let rng = net.chance.of(Fault::StaleNotice);
            let notice = match rng.u8(..3) {
                0 => Notice::Readable(id),
                1 => Notice::Hangup(id),
                _ => Notice::Writable(id),
            };
            let delay = net.chance.length(Fault::StaleNotice, Duration::ZERO, Duration::from_millis(200));
            self.report_after(delay, notice, net);
        }
    }

    fn perform(
        &mut self,
        output: Output,
        net: &mut Network,
        oracle: &mut Oracle,
        sends: &mut Vec<(ConnectionId, BufferId)>,
        posts: &mut Vec<Post>,
    ) {
        match output {
            Output::Send { to, buffer } => {
                assert!(
                    sends.iter().all(|(other, _)| other.index != to.index),
                    "slot {} is sent to twice in one turn",
                    to.index
                );
                sends.push((to, buffer));
            }
            Output::Receive(id) => {
                self.open_seat(id).receives = true;
                self.on_wire(id, net);
            }
            Output::WatchHangup(id) => {
                let seat = self.open_seat(id);
                seat.receives = true;
                if !std::mem::replace(&mut seat.is_stream, true) {
                    seat.sent = net.now;
                    let wire = seat.wire;
                    let mark = self.openings.pop_front().expect("each stream that is watched was opened");
                    net.trace.note(format_args!("shard {} opens a stream on wire {wire}", self.number));
                    oracle.on_open(wire, self.number, mark, &self.retention, net);
                }
                self.on_wire(id, net);
            }
            Output::AwaitWritable(id) => {
                self.open_seat(id).awaits.get_or_insert(net.now);
                if self.plant != Plant::ForgetWritable {
                    self.on_wire(id, net);
                }
            }
            Output::Move { from, to, parcel } => {
                let wire = self.open_seat(from).wire;
                posts.push(Post::Move { shard: self.number, id: from, to: to.0.into(), wire, parcel });
            }
            Output::Publish(request) => posts.push(Post::Publish(self.number, request)),
            Output::Close(id) => {
                let seat = self.open_seat(id);
                seat.is_closing = true;
                let wire = seat.wire;
                net.trace.note(format_args!("shard {} closes wire {wire}", self.number));
                oracle.on_close(wire, net);
                if self.engine.is_cut(id) {
                    net.wires[wire].place = Place::Gone;
                    net.reset(wire);
                } else {
                    close(wire, net);
                }
                self.report_closed(id, net);
            }
        }
    }

    fn send(&mut self, to: ConnectionId, buffer: BufferId, net: &mut Network, oracle: &mut Oracle) {
        let seat = self.open_seat(to);
        let (wire, is_stream, sent, was_full) = (seat.wire, seat.is_stream, seat.sent, seat.was_full);
        seat.sent = net.now;
        assert!(seat.awaits.is_none(), "wire {wire} is sent to while its socket is full");
        let bytes = self.engine.buffer(buffer).to_vec();
        if is_stream {
            self.check_silence(&bytes, sent, was_full, net.now);
            oracle.on_sent(wire, net, net.now <= self.paused_until + SLACK);
        }
        let Some(taken) = net.send(wire, &bytes) else { return self.engine.handle_send_failed(to) };
        net.trace.note(format_args!("shard {} wire {wire} takes {taken} of {}", self.number, bytes.len()));
        if taken < bytes.len() {
            oracle.on_short(wire);
        }
        if taken == bytes.len() {
            self.plant_send(wire, &bytes, is_stream, net);
        }
        if taken < bytes.len() && self.plant != Plant::HideShortSend {
            self.engine.handle_short_send(to, taken as u32);
        }
    }

    fn plant_send(&mut self, wire: WireId, taken: &[u8], is_stream: bool, net: &mut Network) {
        let is_answer = !is_stream && taken.windows(5).any(|window| window == b"\"id\":");
        if self.plant == Plant::AnswerTwice
            && !self.planted
            && is_answer
            && taken.starts_with(b"HTTP/1.1 200")
        {
            net.wires[wire].tx.extend(taken);
            self.planted = true;
        }
        let is_event = is_stream && taken.windows(5).any(|window| window == b"\nid: ");
        if self.planted || !is_event {
            return;
        }
        match self.plant {
            Plant::LoseByte => {
                let tx = &mut net.wires[wire].tx;
                tx.remove(tx.len().saturating_sub(taken.len() / 2 + 1));
                self.planted = true;
            }
            Plant::DuplicateEvent if !taken.starts_with(b"HTTP") => {
                net.wires[wire].tx.extend(taken);
                self.planted = true;
            }
            _ => {}
        }
    }

    /// Heartbeats come in silence, and silence does not last longer than they allow.
    fn check_silence(&self, bytes: &[u8], sent: Instant, was_full: Instant, now: Instant) {
        let silence = now.since(sent);
        let is_heartbeat = HEARTBEATS.contains(&bytes);
        let Some(interval) = self.rules.heartbeat else {
            return assert!(!is_heartbeat, "a heartbeat although they are off");
        };
        if is_heartbeat {
            let least = interval.mul_f64(0.75).saturating_sub(SLACK);
            assert!(silence >= least, "a heartbeat after {silence:?}, allowed are {least:?} of silence");
        }
        let silence = now.since(sent.max(was_full));
        let is_excused = now <= self.paused_until + SLACK;
        assert!(
            silence <= interval + SLACK || is_excused,
            "a stream was silent for {silence:?}, allowed are {interval:?}"
        );
    }

    /// Whoever takes nothing for too long is gone, and nobody who takes everything is left in silence.
    fn check_deadlines(&self, net: &Network) {
        if net.now <= self.paused_until + SLACK {
            return;
        }
        for seat in self.seats.iter().flatten().filter(|seat| !seat.is_closing) {
            let wire = &net.wires[seat.wire];
            if let Some(since) = seat.awaits {
                let stuck = net.now.since(since.max(wire.moved));
                let allowed = self.rules.dead_peer + SLACK;
                assert!(
                    stuck <= allowed,
                    "wire {} took nothing for {stuck:?}, allowed are {allowed:?}",
                    seat.wire
                );
            } else if let Some(interval) = self.rules.heartbeat.filter(|_| seat.is_stream && !wire.is_reset) {
                let silence = net.now.since(seat.sent.max(seat.was_full));
                let is_waiting = self.engine.has_work() || self.is_noticed(seat.id);
                assert!(
                    silence <= interval + SLACK || is_waiting,
                    "wire {} is silent for {silence:?}, allowed are {interval:?}",
                    seat.wire
                );
            }
        }
    }

    fn is_noticed(&self, id: ConnectionId) -> bool {
        self.notices.iter().any(|(_, notice)| matches!(notice, Notice::Writable(other) if *other == id))
    }

    fn schedule(&mut self, net: &mut Network) {
        let soon = net.now + Duration::from_micros(20);
        if self.engine.has_work() {
            return self.wake_at(soon, net);
        }
        if !self.events.is_empty() && self.engine.wants_event() {
            self.wake_at(soon, net);
        }
        if self.plant != Plant::OversleepTimers
            && let Some(at) = self.engine.poll_timeout()
        {
            self.wake_at(at.max(soon), net);
        }
        if let Some(at) = self.notices.iter().map(|(at, _)| *at).min() {
            self.wake_at(at.max(soon), net);
        }
    }

    /// At the end of the turn, as the io_uring driver does, or later.
    fn report_closed(&mut self, id: ConnectionId, net: &mut Network) {
        if !net.chance.strikes(Fault::LateClosed) {
            return self.closed.push(id);
        }
        let delay = net.chance.length(Fault::LateClosed, Duration::ZERO, Duration::from_millis(400));
        self.report_after(delay, Notice::Closed(id), net);
    }

    fn report(&mut self, notice: Notice, net: &mut Network) {
        let delay = if net.chance.strikes(Fault::LateNotice) {
            net.chance.length(Fault::LateNotice, Duration::from_millis(1), Duration::from_millis(250))
        } else {
            net.latency()
        };
        self.report_after(delay, notice, net);
    }

    fn report_after(&mut self, delay: Duration, notice: Notice, net: &mut Network) {
        let at = net.now + delay;
        self.notices.push((at, notice));
        self.wake_at(at, net);
    }

    /// Has the loop turn soon: the wake-up itself takes a moment.
    pub fn wake_soon(&mut self, net: &mut Network) {
        let latency = net.latency();
        self.wake_at(net.now + latency, net);
    }

    fn wake_at(&mut self, at: Instant, net: &mut Network) {
        let at = if net.now < self.paused_until { at.max(self.paused_until) } else { at };
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            net.at(at, Action::Turn(self.number));
        }
    }

    fn note_openings(&mut self) {
        let opened = self.engine.counters().streams_opened;
        while self.streams_opened < opened {
            self.streams_opened += 1;
            self.openings.push_back(self.retention.mark());
        }
    }

    fn seat(&mut self, id: ConnectionId) -> Option<&mut Seat> {
        self.seats.get_mut(id.index as usize)?.as_mut().filter(|seat| seat.id == id && !seat.is_closing)
    }

    /// The seat of a connection that an output names: it is there, and not closed.
    fn open_seat(&mut self, id: ConnectionId) -> &mut Seat {
        self.seat(id).unwrap_or_else(|| panic!("an output names {id:?}, which is closed or was never there"))
    }
}

/// The hub closes a socket. What was sent before still arrives, then the end.
fn close(id: WireId, net: &mut Network) {
    let wire = &mut net.wires[id];
    wire.place = Place::Gone;
    // The driver reads what is there first: unread input would turn the close into a reset.
    wire.rx.clear();
    wire.tx_end = true;
    net.schedule_read(id);
}

fn with_frame_of(place: &SharedEvent, shown: &SharedEvent) -> SharedEvent {
    std::sync::Arc::new(corecast_core::event::SequencedEvent {
        position: place.position,
        id: place.id,
        publisher_id: place.publisher_id.clone(),
        audience: place.audience.clone(),
        private: place.private,
        expires: place.expires,
        ephemeral: place.ephemeral,
        sequenced: place.sequenced,
        frame: shown.frame.clone(),
    })
}
