//! The io_uring driver: a shard hosted on a ring of its own.
//!
//! Idle connections sit on a oneshot poll for the peer's end; sends are inline and leave nothing with the kernel.
//!
//! Invariant: an operation's token names the connection by slot and generation. The kernel gives a closed slot to the
//! next accept at once, so a completion of the slot's former owner is expected, finds no one, and is dropped.
//! Not here: the turn itself (`host.rs`).

mod acceptor;
mod arrivals;
mod half_closed;
mod slots;
mod token;

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::{BufferId, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;
use corecast_ring::{
    Completion, Errno, Interest, Listener, Outcome, Readiness, Ring, RingAddress, RingCounters, ShortSend,
    Slot,
};

use super::host::Host;
use super::pace::Pace;
use super::sockets::{Sockets, Watch};
use crate::shard::Shard;
use crate::shard::inbox::{Mail, Passage};

use acceptor::Acceptor;
use arrivals::Arrivals;
use half_closed::HalfClosed;
use slots::Slots;
use token::{Operation, token};

/// A wait is asked for so many completions when there are many: the kernel does about that many in one go.
const MANY_COMPLETIONS: usize = 512;

/// A reap of so many means that there are more (the kernel stops a pass at 20).
const REAP_PASS: usize = 20;

/// Hosts `shard` on `ring`, made on the calling thread, until the hub has been told to stop and every connection has
/// ended. `rings` are those of all shards.
pub fn run(shard: Shard, mut ring: Ring, listeners: Vec<Listener>, capacity: u32, rings: Vec<RingAddress>) {
    let wake = shard.inbox.wake().clone();
    ring.watch_wake(&wake, token(Operation::Wake, ConnectionId { index: 0, generation: 0 }));
    let sockets = UringSockets {
        acceptor: Acceptor::new(listeners),
        slots: Slots::new(capacity),
        arrivals: Arrivals::new(shard.id),
        half_closed: HalfClosed::default(),
        short: Vec::new(),
        ring,
        rings,
    };
    let mut host = Host::new(shard, sockets, capacity);
    while !host.is_done() {
        let reaped = host.turn();
        wait(&mut host, reaped);
    }
    host.end();
}

fn wait(host: &mut Host<UringSockets>, reaped: usize) {
    let many = reaped >= REAP_PASS || host.sockets.ring.taskrun_pending();
    if many || host.is_busy() {
        return host.sockets.ring.wait(if many { MANY_COMPLETIONS } else { 0 }, Some(Duration::ZERO));
    }
    if let Some(timeout) = host.fall_asleep() {
        host.sockets.ring.wait(1, timeout);
    }
    host.wake_up();
    if host.sockets.ring.taskrun_pending() {
        host.sockets.ring.wait(MANY_COMPLETIONS, Some(Duration::ZERO));
    }
}

/// Sockets in the table of a ring.
struct UringSockets {
    ring: Ring,
    rings: Vec<RingAddress>,
    acceptor: Acceptor,
    slots: Slots,
    arrivals: Arrivals,
    half_closed: HalfClosed,
    short: Vec<ShortSend>,
}

impl UringSockets {
    fn on_completion(
        &mut self,
        completion: Completion,
        shard: &mut Shard,
        pace: &mut Pace,
        readable: &mut Vec<ConnectionId>,
    ) {
        let Some((operation, id)) = token::read(completion.token) else { return };
        match (operation, completion.outcome) {
            (Operation::Accept, Outcome::Accepted { slot, peer }) => {
                self.acceptor.on_end(id.index);
                let accepted = shard.engine.handle_accepted(slot.0, peer);
                self.slots.occupy(accepted);
            }
            (Operation::Accept, Outcome::AcceptFailed(errno)) => {
                self.acceptor.on_end(id.index);
                pace.on_failure(errno, shard.clock.instant());
            }
            (Operation::Arrive, Outcome::Done(Ok(slot))) => {
                let key = token::key(completion.token);
                if let Some(parcel) = self.arrivals.on_socket(key, slot) {
                    self.settle(slot, &parcel, &mut shard.engine);
                }
            }
            (Operation::Pass, Outcome::Done(Err(errno))) => self.on_pass_failed(completion, errno, shard),
            (Operation::Readable, Outcome::Done(result)) => {
                if self.slots.disarm(id, Watch::Readable) && result != Err(Errno::CANCELED) {
                    readable.push(id);
                }
            }
            (Operation::Writable, Outcome::Done(result)) => {
                if self.slots.disarm(id, Watch::Writable) && result != Err(Errno::CANCELED) {
                    if result.is_ok_and(|bits| Readiness::from_bits(bits).is_half_closed()) {
                        self.half_closed.wait(id, shard.clock.instant());
                    } else {
                        shard.engine.handle_writable(id);
                    }
                }
            }
            // What the kernel says is input: anything else is nobody's.
            (
                Operation::Accept
                | Operation::Arrive
                | Operation::Pass
                | Operation::Readable
                | Operation::Writable
                | Operation::Send
                | Operation::Receive
                | Operation::Wake,
                _,
            ) => {}
        }
    }

    /// The home shard's table filled up meanwhile. The socket is closed; its client comes back by itself.
    fn on_pass_failed(&self, completion: Completion, errno: Errno, shard: &Shard) {
        let (to, key) = token::read_pass(completion.token);
        tracing::debug!(%errno, shard = to.0, "a connection could not move to its home shard");
        if let Some(home) = shard.peers.get(to.0 as usize) {
            let letter = home.try_send(Mail::NotArriving { key: self.arrivals.full_key(key) });
            if letter.is_err() {
                tracing::debug!(shard = to.0, "its inbox is full, so it keeps a parcel for nothing");
            }
        }
    }

    /// A connection and its parcel have both come.
    fn settle(&mut self, slot: u32, parcel: &Parcel, engine: &mut Engine) {
        let id = engine.handle_arrived(slot, parcel);
        self.slots.occupy(id);
    }
}

impl Sockets for UringSockets {
    fn take(&mut self, shard: &mut Shard, pace: &mut Pace, readable: &mut Vec<ConnectionId>) -> usize {
        let mut reaped = 0;
        while let Some(completion) = self.ring.next_completion() {
            reaped += 1;
            self.on_completion(completion, shard, pace, readable);
        }
        if self.half_closed.next_try().is_some() {
            for id in self.half_closed.due(shard.clock.instant()) {
                shard.engine.handle_writable(id);
            }
        }
        reaped
    }

    fn accept(&mut self, engine: &mut Engine, pace: &mut Pace, now: Instant) {
        self.acceptor.arm(&mut self.ring, pace, engine.connections(), now);
    }

    fn stop_accepting(&mut self) {
        self.acceptor.stop(&mut self.ring);
    }

    fn accepts_armed(&self) -> u32 {
        self.acceptor.armed()
    }

    fn set_user_timeout(&self, timeout: Duration) {
        self.acceptor.set_user_timeout(timeout);
    }

    fn receive(&mut self, from: &mut Vec<ConnectionId>, engine: &mut Engine) {
        let slots = &self.slots;
        let present = |id: &ConnectionId| slots.is_present(*id);
        let items: Vec<_> = from.drain(..).filter(present).collect();
        let named = items.iter().map(|&id| (Slot(id.index), token(Operation::Receive, id)));
        let mut quiet = Vec::new();
        self.ring.receive_all(named, |token, received| {
            let Some((_, id)) = token::read(token) else { return };
            match received {
                Ok(bytes) => engine.handle_received(id, bytes),
                Err(Errno::AGAIN) => quiet.push(id),
                Err(_) => engine.handle_hangup(id),
            }
        });
        for id in quiet {
            self.watch(id, Watch::Readable);
        }
    }

    fn watch(&mut self, id: ConnectionId, what: Watch) {
        if !self.slots.arm(id, what) {
            return;
        }
        let interest = match what {
            Watch::Readable => Interest::Readable,
            Watch::Writable => Interest::Writable,
        };
        self.ring.poll(Slot(id.index), interest, token(what.into(), id));
    }

    fn send(&mut self, sends: &mut Vec<(ConnectionId, BufferId)>, engine: &mut Engine) {
        let named = sends
            .drain(..)
            .map(|(id, buffer)| (Slot(id.index), token(Operation::Send, id), engine.buffer(buffer)));
        self.ring.send_all(named, &mut self.short);
        for ShortSend { token, taken } in self.short.drain(..) {
            let Some((_, id)) = token::read(token) else { continue };
            match taken {
                Ok(taken) => engine.handle_short_send(id, taken),
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => engine.handle_short_send(id, 0),
                Err(_) => engine.handle_send_failed(id),
            }
        }
    }

    /// Unread input would turn a close into a reset, which can destroy the last event on its way; an armed poll would hold
    /// the socket, and the peer would hear nothing (io-uring.md, fact 5).
    fn close(&mut self, closing: &mut Vec<ConnectionId>, moved: &mut Vec<ConnectionId>, engine: &mut Engine) {
        if !closing.is_empty() {
            let named = closing.iter().map(|&id| (Slot(id.index), token(Operation::Receive, id)));
            self.ring.receive_all(named, |_, _| {});
            for &id in &*closing {
                for watch in self.slots.armed(id) {
                    self.ring.cancel(token(watch.into(), id));
                }
                if engine.is_cut(id) {
                    self.ring.reset_on_close(Slot(id.index));
                }
            }
        }
        closing.append(moved);
        if closing.is_empty() {
            return;
        }
        // The kernel looks for a free slot from the one closed last upwards (`io_file_bitmap_clear`). With the lowest
        // closed last, none is left behind, and the tables reach no further than there are connections.
        closing.sort_unstable_by(|a, b| b.cmp(a));
        for id in &*closing {
            self.ring.close(Slot(id.index));
        }
        self.ring.flush();
        for id in closing.drain(..) {
            self.slots.release(id);
            engine.handle_closed(id);
        }
    }

    /// The parcel goes first, so that an inbox without room is noticed here.
    fn pass(
        &mut self,
        from: ConnectionId,
        to: ShardId,
        parcel: Box<Parcel>,
        shard: &Shard,
    ) -> Result<(), Box<Parcel>> {
        let key = self.arrivals.next_key();
        let letter = Mail::Arriving { passage: Passage::Ring(key), parcel };
        match shard.peers[to.0 as usize].try_send(letter) {
            Ok(()) => {
                let (arrive, pass) = (token::keyed(Operation::Arrive, key), token::pass(to, key));
                self.ring.pass(Slot(from.index), &self.rings[to.0 as usize], arrive, pass);
                Ok(())
            }
            Err(Mail::Arriving { parcel, .. }) => Err(parcel),
            // An inbox gives back the letter that was handed in.
            Err(_) => Ok(()),
        }
    }

    fn arrive(&mut self, passage: Passage, parcel: Box<Parcel>, engine: &mut Engine) {
        // All shards have the same driver, so that nothing else comes.
        let Passage::Ring(key) = passage else { return };
        if let Some((slot, parcel)) = self.arrivals.on_parcel(key, parcel) {
            self.settle(slot, &parcel, engine);
        }
    }

    fn forget(&mut self, key: u64) {
        self.arrivals.forget(key);
    }

    fn next_try(&self) -> Option<Instant> {
        self.half_closed.next_try()
    }

    fn counters(&self) -> RingCounters {
        self.ring.counters()
    }
}
