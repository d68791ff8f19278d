//! The simulated clock, agenda and network: what is to happen when, and what is on its way between two ends.
//!
//! Invariant: bytes of one direction of a wire arrive in order, whole, and once, unless the wire is reset.
//! Not here: what the ends do with them (`shard`, `client`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::time::{Instant, Now, UnixMillis};

use super::chance::{Chance, Draw, Fault};
use super::trace::Trace;

/// Which connection, from the client's point of view: never used again.
pub(super) type WireId = usize;

/// Which client.
pub(super) type ClientId = usize;

/// What is to happen at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// A client's connection reaches the hub.
    Connect(WireId),
    /// A shard's loop turns.
    Turn(usize),
    /// The sequencer looks at its queue, or has written a batch.
    Sequence,
    /// The log's reader goes on with the question of this number.
    ReadLog(u64),
    /// The disk has room again.
    FreeDisk,
    /// A client acts by itself.
    Client(ClientId),
    /// A client reads.
    Read(WireId),
    /// A client's next bytes arrive at the hub.
    Arrive(WireId),
    /// A client's end arrives at the hub.
    ArriveEnd(WireId),
    /// The kernel gives up on a peer that acknowledges nothing, or learns that it is gone.
    GiveUp(WireId),
    /// Something that concerns the whole hub may go wrong.
    Chaos,
    /// A hub that stops looks whether it may go on with that.
    Stop,
    /// The hub is up again.
    Start,
}

/// Where the hub has a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the backlog of a shard's listener.
    Backlog(usize),
    /// In a slot.
    Slot(usize, ConnectionId),
    /// Between two shards.
    Moving,
    /// Nowhere: closed, or never taken.
    Gone,
}

/// A connection, as the network has it.
#[derive(Debug)]
pub(super) struct Wire {
    /// Whose it is.
    pub(super) client: ClientId,
    /// The client's address.
    pub(super) peer: IpAddr,
    /// Where the hub has it.
    pub(super) place: Place,
    /// From the client, not yet arrived.
    pub(super) uploading: VecDeque<Vec<u8>>,
    /// Arrived at the hub, not yet read.
    pub(super) rx: VecDeque<u8>,
    /// The client's end has arrived.
    pub(super) rx_end: bool,
    /// Sent by the hub, not yet read by the client.
    pub(super) tx: VecDeque<u8>,
    /// Bytes that `tx` holds at most.
    pub(super) tx_capacity: usize,
    /// The hub has closed it: after `tx` comes the end.
    pub(super) tx_end: bool,
    /// Neither end gets anything through.
    pub(super) is_reset: bool,
    /// The client does not exist any more, and nobody says so.
    pub(super) is_vanished: bool,
    /// The client has closed it: what is sent to it is answered with a reset.
    pub(super) is_abandoned: bool,
    /// The client does not read before this.
    pub(super) stalled_until: Instant,
    /// Bytes that the client reads at once.
    pub(super) read_max: usize,
    /// Whether a `Read` is on the agenda.
    pub(super) is_reading: bool,
    /// Whether a `GiveUp` is on the agenda.
    pub(super) is_giving_up: bool,
    /// When the client last took bytes out of `tx`, or `tx` was empty.
    pub(super) moved: Instant,
}

impl Wire {
    /// Room for what the hub sends.
    #[must_use]
    pub(super) fn room(&self) -> usize {
        self.tx_capacity - self.tx.len().min(self.tx_capacity)
    }

    /// Whether the kernel would report the socket writable: like Linux, only once a third of it is free.
    #[must_use]
    pub(super) fn is_writable(&self) -> bool {
        self.is_reset || self.room() * 3 >= self.tx_capacity
    }

    /// Whether a read of the hub would give anything, an end or an error included.
    #[must_use]
    pub(super) fn is_readable(&self) -> bool {
        self.is_reset || self.rx_end || !self.rx.is_empty()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Network {
    /// The present.
    pub(super) now: Instant,
    /// The wall clock.
    pub(super) unix: UnixMillis,
    /// The latest that the wall clock has ever shown.
    pub(super) unix_max: UnixMillis,
    /// All randomness.
    pub(super) chance: Chance,
    /// What happened.
    pub(super) trace: Trace,
    /// Every connection there ever was.
    pub(super) wires: Vec<Wire>,
    agenda: BinaryHeap<Reverse<(Instant, u64, Action)>>,
    agenda_count: u64,
}

/// 2026-01-01: any time that a token can have will do.
const UNIX_START: UnixMillis = UnixMillis(1_767_225_600_000);

impl Network {
    /// An empty network at the beginning of time.
    #[must_use]
    pub(super) fn new(chance: Chance, trace: Trace) -> Self {
        Self {
            now: Instant::from_nanos(1_000_000_000),
            unix: UNIX_START,
            unix_max: UNIX_START,
            chance,
            trace,
            wires: Vec::new(),
            agenda: BinaryHeap::new(),
            agenda_count: 0,
        }
    }

    /// The present on both clocks.
    #[must_use]
    pub(super) const fn clocks(&self) -> Now {
        Now { instant: self.now, unix: self.unix }
    }

    /// Puts something on the agenda.
    pub(super) fn at(&mut self, at: Instant, action: Action) {
        self.agenda_count += 1;
        self.agenda.push(Reverse((at.max(self.now), self.agenda_count, action)));
    }

    /// Puts something on the agenda, some time from now.
    pub(super) fn after(&mut self, delay: Duration, action: Action) {
        self.at(self.now + delay, action);
    }

    /// Goes on to the next thing on the agenda.
    pub(super) fn next(&mut self) -> Option<Action> {
        let Reverse((at, _, action)) = self.agenda.pop()?;
        let elapsed_ms = at.as_millis() - self.now.as_millis();
        self.unix.0 += elapsed_ms;
        self.unix_max = self.unix_max.max(self.unix);
        self.now = at;
        Some(action)
    }

    /// When the next thing is on the agenda.
    #[must_use]
    pub(super) fn peek(&self) -> Option<Instant> {
        self.agenda.peek().map(|Reverse((at, _, _))| *at)
    }

    /// A delay as the network and the scheduler have them: mostly short.
    pub(super) fn latency(&mut self) -> Duration {
        let rng = self.chance.draw(Draw::Latency);
        let max_us = if rng.u8(..16) == 0 { 20_000 } else { 800 };
        Duration::from_micros(rng.u64(1..max_us))
    }

    /// The client sends bytes.
    pub(super) fn upload(&mut self, wire: WireId, bytes: Vec<u8>, delay: Duration) {
        self.wires[wire].uploading.push_back(bytes);
        let latency = self.latency();
        self.after(delay + latency, Action::Arrive(wire));
    }

    /// The client takes what there is to take. Empty if there is nothing yet.
    pub(super) fn download(&mut self, wire: WireId) -> Vec<u8> {
        let now = self.now;
        let wire = &mut self.wires[wire];
        let len = wire.tx.len().min(wire.read_max);
        wire.moved = now;
        wire.tx.drain(..len).collect()
    }

    /// Has the client read soon, if it reads at all.
    pub(super) fn schedule_read(&mut self, id: WireId) {
        let latency = self.latency();
        let wire = &mut self.wires[id];
        if wire.is_reading || wire.is_vanished || wire.is_abandoned {
            return;
        }
        wire.is_reading = true;
        let at = (self.now + latency).max(wire.stalled_until);
        self.at(at, Action::Read(id));
    }

    /// The hub's kernel takes as much of `bytes` as it has room for; `None` if the connection is no more.
    pub(super) fn send(&mut self, id: WireId, bytes: &[u8]) -> Option<usize> {
        if self.wires[id].is_reset {
            return None;
        }
        let room = self.wires[id].room();
        let mut taken = room.min(bytes.len());
        if self.chance.strikes(Fault::ShortSend) {
            taken = self.chance.of(Fault::ShortSend).usize(..=taken);
        }
        if self.chance.strikes(Fault::FullSocket) {
            taken = 0;
        }
        let now = self.now;
        let wire = &mut self.wires[id];
        if wire.tx.is_empty() {
            wire.moved = now;
        }
        wire.tx.extend(&bytes[..taken]);
        self.trace.bytes(&bytes[..taken]);
        if self.wires[id].is_abandoned {
            self.give_up_after(id, Duration::from_millis(1), Duration::from_millis(50));
        } else if self.wires[id].is_vanished {
            // `TCP_USER_TIMEOUT`, or a retransmission time-out that is longer than anybody's patience.
            self.give_up_after(id, Duration::from_secs(15), Duration::from_secs(120));
        } else {
            self.schedule_read(id);
        }
        Some(taken)
    }

    fn give_up_after(&mut self, id: WireId, min: Duration, max: Duration) {
        if !self.wires[id].is_giving_up {
            self.wires[id].is_giving_up = true;
            let delay = self.chance.time(Draw::Latency, min, max);
            self.after(delay, Action::GiveUp(id));
        }
    }
}

/// How a client's end of a connection begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    /// Who connects.
    pub(super) client: ClientId,
    /// From where.
    pub(super) peer: IpAddr,
    /// Bytes that the socket's buffers hold towards the client.
    pub(super) tx_capacity: usize,
}

impl Network {
    /// A client connects. What it sends arrives once the hub has taken the connection.
    pub(super) fn connect(&mut self, dial: Dial) -> WireId {
        let id = self.wires.len();
        self.wires.push(Wire {
            client: dial.client,
            peer: dial.peer,
            place: Place::Gone,
            uploading: VecDeque::new(),
            rx: VecDeque::new(),
            rx_end: false,
            tx: VecDeque::new(),
            tx_capacity: dial.tx_capacity,
            tx_end: false,
            is_reset: false,
            is_vanished: false,
            is_abandoned: false,
            stalled_until: self.now,
            read_max: usize::MAX,
            is_reading: false,
            is_giving_up: false,
            moved: self.now,
        });
        self.trace.note(format_args!("client {} connects wire {id}", dial.client));
        self.at(self.now, Action::Connect(id));
        id
    }

    /// The client closes its end for good.
    pub(super) fn abandon(&mut self, id: WireId) {
        let latency = self.latency();
        let wire = &mut self.wires[id];
        if !wire.is_abandoned && !wire.is_vanished {
            wire.is_abandoned = true;
            wire.tx.clear();
            self.after(latency, Action::ArriveEnd(id));
        }
    }

    /// The client sends its end and goes on reading.
    pub(super) fn half_close(&mut self, id: WireId) {
        let latency = self.latency();
        self.after(latency, Action::ArriveEnd(id));
    }

    /// The client is cut off without a word.
    pub(super) fn vanish(&mut self, id: WireId) {
        let wire = &mut self.wires[id];
        wire.is_vanished = true;
        wire.uploading.clear();
        if !wire.tx.is_empty() {
            self.give_up_after(id, Duration::from_secs(15), Duration::from_secs(120));
        }
    }

    /// The connection is reset at both ends. What is on its way is lost.
    pub(super) fn reset(&mut self, id: WireId) {
        let wire = &mut self.wires[id];
        wire.is_reset = true;
        wire.tx.clear();
        wire.rx.clear();
        wire.uploading.clear();
        self.schedule_read(id);
    }
}
