//! What the kernel does for a shard: sockets in slots, reports, and the outputs of an engine carried out.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::{BufferId, Output, PublishAnswer, PublishRequest};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;

use super::checks::SLACK;
use super::{Post, Shard};
use crate::sim::chance::{Draw, Fault};
use crate::sim::network::{Action, Network, Place, WireId};
use crate::sim::oracle::Oracle;
use crate::sim::plant::Plant;
use crate::sim::reader::{Answer, Question};

/// Bytes that one receive of the host takes at most.
const RECEIVE_BYTES_MAX: usize = 2048;

/// What the driver knows of a slot's present owner.
pub(super) struct Seat {
    pub(super) id: ConnectionId,
    pub(super) wire: WireId,
    /// Whether bytes, an end or an error are to be reported, once.
    pub(super) receives: bool,
    pub(super) awaits: Option<Instant>,
    pub(super) is_stream: bool,
    pub(super) is_closing: bool,
    /// When something was last sent to it.
    pub(super) sent: Instant,
    /// When its socket was last full: nobody's silence but its own.
    pub(super) was_full: Instant,
}

/// What the kernel, another shard or the sequencer reports.
pub(super) enum Notice {
    Readable(ConnectionId),
    Hangup(ConnectionId),
    Writable(ConnectionId),
    Closed(ConnectionId),
    MoveRefused(ConnectionId, Box<Parcel>),
    Arrived(WireId, Box<Parcel>),
    PublishRefused(Box<PublishRequest>),
    Answer(PublishAnswer),
    Log(Answer),
    Drain(Duration),
    EndStreams,
}

impl Shard {
    /// Something about a wire has changed that the kernel may report.
    pub(in crate::sim) fn on_wire(&mut self, id: ConnectionId, net: &mut Network) {
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

    pub(super) fn receive(&mut self, id: ConnectionId, net: &mut Network) {
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

    pub(super) fn accept(&mut self, net: &mut Network) {
        while self.free.len() > self.promised
            && let Some(wire) = self.backlog.pop_front()
        {
            let index = self.take_slot(net);
            let id = self.engine.handle_accepted(index, (net.wires[wire].peer, 40_000).into());
            net.trace.note(format_args!("shard {} slot {index} accepts wire {wire}", self.number));
            self.seat_wire(id, wire, net);
        }
    }

    pub(super) fn arrive(&mut self, wire: WireId, parcel: &Parcel, net: &mut Network) {
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
        assert!(self.former.get(&id.index) != Some(&id), "{id:?} names a former owner of its slot as well");
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

    pub(super) fn release(&mut self, id: ConnectionId, net: &mut Network) {
        self.engine.handle_closed(id);
        self.seats[id.index as usize] = None;
        self.former.insert(id.index, id);
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

    pub(super) fn perform(
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
            Output::Seek { from, last_event_id } => {
                posts.push(Post::Ask(self.number, Question::Seek(from, last_event_id)));
            }
            Output::ReadPage(at) => posts.push(Post::Ask(self.number, Question::Page(at))),
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

    pub(super) fn send(
        &mut self,
        to: ConnectionId,
        buffer: BufferId,
        net: &mut Network,
        oracle: &mut Oracle,
    ) {
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

    pub(super) fn schedule(&mut self, net: &mut Network) {
        if self.engine.has_work() || (!self.events.is_empty() && self.engine.wants_event()) {
            return self.wake_at(self.busy_until, net);
        }
        if self.plant != Plant::OversleepTimers
            && let Some(at) = self.engine.poll_timeout()
        {
            self.wake_at(at, net);
        }
        if let Some(at) = self.notices.iter().map(|(at, _)| *at).min() {
            self.wake_at(at, net);
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

    pub(super) fn report(&mut self, notice: Notice, net: &mut Network) {
        let delay = if net.chance.strikes(Fault::LateNotice) {
            net.chance.length(Fault::LateNotice, Duration::from_millis(1), Duration::from_millis(250))
        } else {
            net.latency()
        };
        self.report_after(delay, notice, net);
    }

    pub(super) fn report_after(&mut self, delay: Duration, notice: Notice, net: &mut Network) {
        let at = net.now + delay;
        self.notices.push((at, notice));
        self.wake_at(at, net);
    }

    /// Has the loop turn soon: the wake-up itself takes a moment.
    pub(in crate::sim) fn wake_soon(&mut self, net: &mut Network) {
        let latency = net.latency();
        self.wake_at(net.now + latency, net);
    }

    pub(super) fn wake_at(&mut self, at: Instant, net: &mut Network) {
        let at = at.max(self.busy_until).max(self.paused_until);
        if self.wake.is_none_or(|wake| at < wake) {
            self.wake = Some(at);
            net.at(at, Action::Turn(self.number));
        }
    }

    pub(super) fn seat(&mut self, id: ConnectionId) -> Option<&mut Seat> {
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
