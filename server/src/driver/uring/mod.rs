//! The io_uring driver: an engine hosted on a ring of its own.
//!
//! A turn is the engine's numbered loop: say what happened (completions, bytes, mail, events), carry out what it asks,
//! submit the sends and report those that fell short, wait. Idle connections sit on a oneshot poll for the peer's end;
//! sends are inline and leave nothing with the kernel.
//!
//! Invariant: an operation's token names the connection by slot and generation. The kernel gives a closed slot to the
//! next accept at once, so a completion of the slot's former owner is expected, finds no one, and is dropped.
//! Not here: what is sent to whom.

mod acceptor;
mod arrivals;
mod slots;
mod token;

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::{BufferId, Output, PublishRequest, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;
use corecast_ring::{Completion, Errno, Interest, Listener, Outcome, Ring, RingAddress, ShortSend, Slot};

use crate::shard::inbox::Mail;
use crate::shard::stats::Snapshot;
use crate::shard::{Shard, ShardSettings};

use acceptor::Acceptor;
pub(crate) use acceptor::{ACCEPTS, MARGIN};
use arrivals::Arrivals;
use slots::{Armed, Slots};
use token::{Operation, token};

/// A wait is asked for so many completions when there are many: the kernel does about that many in one go.
const MANY_COMPLETIONS: usize = 512;

/// A reap of so many means that there are more (the kernel stops a pass at 20).
const REAP_PASS: usize = 20;

/// How old a snapshot may get while the shard is at work.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(50);

/// An engine, its ring, and what is under way between them.
pub struct UringDriver {
    shard: Shard,
    ring: Ring,
    rings: Vec<RingAddress>,
    acceptor: Acceptor,
    slots: Slots,
    arrivals: Arrivals,
    /// Who has bytes to read, or may have.
    to_receive: Vec<ConnectionId>,
    sends: Vec<(ConnectionId, BufferId)>,
    short: Vec<ShortSend>,
    to_close: Vec<ConnectionId>,
    /// Passed on in this turn: to be closed here.
    passed: Vec<ConnectionId>,
    refused_moves: Vec<(ConnectionId, Box<Parcel>)>,
    refused_publishes: Vec<PublishRequest>,
    #[expect(clippy::vec_box, reason = "requests travel boxed")]
    to_publish: Vec<Box<PublishRequest>>,
    /// When the last snapshot was left, and in which turn.
    shown: Instant,
    shown_turns: u64,
    turns: u64,
    /// Whether connections are waited for that may send a last request.
    awaits_requests: bool,
    /// Whether the last step of a stop has begun.
    ends_streams: bool,
}

impl UringDriver {
    /// A driver for `shard` on `ring`, made on the calling thread; `rings` are those of all shards.
    #[must_use]
    pub fn new(
        shard: Shard,
        ring: Ring,
        listeners: Vec<Listener>,
        capacity: u32,
        rings: Vec<RingAddress>,
    ) -> Self {
        Self {
            acceptor: Acceptor::new(listeners, capacity, shard.accept_rate, shard.clock.instant()),
            slots: Slots::new(capacity),
            arrivals: Arrivals::new(shard.id),
            to_receive: Vec::new(),
            sends: Vec::new(),
            short: Vec::new(),
            to_close: Vec::new(),
            passed: Vec::new(),
            refused_moves: Vec::new(),
            refused_publishes: Vec::new(),
            to_publish: Vec::new(),
            shown: Instant::ZERO,
            shown_turns: 0,
            turns: 0,
            awaits_requests: false,
            ends_streams: false,
            shard,
            ring,
            rings,
        }
    }

    /// Turns until the hub has been told to stop and every connection has ended.
    pub fn run(mut self) {
        let wake = self.shard.inbox.wake().clone();
        self.ring.watch_wake(&wake, token(Operation::Wake, ConnectionId { index: 0, generation: 0 }));
        while !self.shard.engine.is_drained() {
            self.turn();
        }
        self.shard.inbox.close();
        self.show();
    }

    fn turn(&mut self) {
        self.turns += 1;
        self.shard.engine.begin_turn(self.shard.clock.now());
        let reaped = self.take_completions();
        self.take_mail();
        self.take_refusals();
        self.shard.take_events();
        self.end_streams();
        self.receive();
        self.carry_out();
        self.submit_sends();
        self.submit_closes();
        self.acceptor.arm(&mut self.ring, self.shard.engine.connections(), self.shard.clock.instant());
        self.wait(reaped);
    }

    fn take_completions(&mut self) -> usize {
        let mut reaped = 0;
        while let Some(completion) = self.ring.next_completion() {
            reaped += 1;
            self.on_completion(completion);
        }
        reaped
    }

    fn on_completion(&mut self, completion: Completion) {
        let Some((operation, id)) = token::read(completion.token) else { return };
        match (operation, completion.outcome) {
            (Operation::Accept, Outcome::Accepted { slot, peer }) => {
                self.acceptor.on_end(id.index);
                let accepted = self.shard.engine.handle_accepted(slot.0, peer);
                self.slots.occupy(accepted);
            }
            (Operation::Accept, Outcome::AcceptFailed(errno)) => {
                self.acceptor.on_failure(id.index, errno, self.shard.clock.instant());
            }
            (Operation::Arrive, Outcome::Done(Ok(slot))) => {
                let key = token::key(completion.token);
                if let Some(parcel) = self.arrivals.on_socket(key, slot) {
                    self.arrive(slot, &parcel);
                }
            }
            (Operation::Pass, Outcome::Done(Err(errno))) => self.on_pass_failed(completion, errno),
            (Operation::Readable, Outcome::Done(result)) => {
                if self.slots.disarm(id, Armed::Readable) && result != Err(Errno::CANCELED) {
                    self.to_receive.push(id);
                }
            }
            (Operation::Writable, Outcome::Done(result)) => {
                if self.slots.disarm(id, Armed::Writable) && result != Err(Errno::CANCELED) {
                    self.shard.engine.handle_writable(id);
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

    fn take_mail(&mut self) {
        while let Some(mail) = self.shard.inbox.next_mail() {
            match mail {
                Mail::Published(answer) => self.shard.engine.handle_published(answer),
                Mail::Arriving { key, parcel } => {
                    if let Some((slot, parcel)) = self.arrivals.on_parcel(key, parcel) {
                        self.arrive(slot, &parcel);
                    }
                }
                Mail::NotArriving { key } => self.arrivals.forget(key),
                Mail::Sought { connection, sought } => self.shard.engine.handle_sought(connection, sought),
                Mail::Page(read) => self.shard.engine.handle_page(read),
                Mail::Ask(ask) => ask(&mut self.shard.engine),
                Mail::Keys(keys) => self.shard.engine.replace_keys(*keys),
                Mail::Settings(settings) => self.follow(*settings),
                Mail::LastRequests => {
                    self.acceptor.stop(&mut self.ring);
                    self.shard.engine.begin_last_requests();
                    self.awaits_requests = true;
                }
                Mail::Drain => {
                    self.acceptor.stop(&mut self.ring);
                    self.shard.engine.begin_drain(self.shard.drain_over);
                }
                Mail::EndStreams => self.ends_streams = true,
            }
        }
    }

    fn follow(&mut self, settings: ShardSettings) {
        let ShardSettings { engine, accept_rate, drain_over, user_timeout } = settings;
        self.shard.engine.replace_settings(engine);
        self.shard.drain_over = drain_over;
        self.acceptor.follow(accept_rate, user_timeout, self.shard.clock.instant());
    }

    /// Streams end once every acknowledged event has come in.
    fn end_streams(&mut self) {
        if self.ends_streams && !self.shard.inbox.has_events() {
            self.shard.engine.end_streams();
        }
    }

    fn arrive(&mut self, slot: u32, parcel: &Parcel) {
        let id = self.shard.engine.handle_arrived(slot, parcel);
        self.slots.occupy(id);
    }

    fn take_refusals(&mut self) {
        for (id, parcel) in self.refused_moves.drain(..) {
            self.shard.engine.handle_move_refused(id, &parcel);
        }
        for request in self.refused_publishes.drain(..) {
            self.shard.engine.handle_publish_refused(&request);
        }
    }

    fn receive(&mut self) {
        let slots = &self.slots;
        let present = |id: &ConnectionId| slots.is_present(*id);
        let items: Vec<_> = self.to_receive.drain(..).filter(present).collect();
        let named = items.iter().map(|&id| (Slot(id.index), token(Operation::Receive, id)));
        let (engine, mut quiet) = (&mut self.shard.engine, Vec::new());
        self.ring.receive_all(named, |token, received| {
            let Some((_, id)) = token::read(token) else { return };
            match received {
                Ok(bytes) => engine.handle_received(id, bytes),
                Err(Errno::AGAIN) => quiet.push(id),
                Err(_) => engine.handle_hangup(id),
            }
        });
        for id in quiet {
            self.arm(id, Armed::Readable);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.shard.engine.poll_output() {
            match output {
                Output::Send { to, buffer } => self.sends.push((to, buffer)),
                Output::Receive(id) => self.to_receive.push(id),
                Output::WatchHangup(id) => self.arm(id, Armed::Readable),
                Output::AwaitWritable(id) => self.arm(id, Armed::Writable),
                Output::Close(id) => self.to_close.push(id),
                Output::Move { from, to, parcel } => self.pass(from, to, parcel),
                Output::Seek { from, last_event_id } => self.shard.seek(from, last_event_id),
                Output::ReadPage(at) => self.shard.read_page(at),
                Output::Publish(request) => self.to_publish.push(request),
            }
        }
        if !self.to_publish.is_empty() {
            let refused = &mut self.refused_publishes;
            self.shard.sequencer.send_all(self.to_publish.drain(..), |request| refused.push(*request));
        }
    }

    /// Arms a poll, unless it is armed already.
    fn arm(&mut self, id: ConnectionId, what: Armed) {
        if !self.slots.arm(id, what) {
            return;
        }
        let interest = match what {
            Armed::Readable => Interest::Readable,
            Armed::Writable => Interest::Writable,
        };
        self.ring.poll(Slot(id.index), interest, token(what.operation(), id));
    }

    fn submit_sends(&mut self) {
        let engine = &self.shard.engine;
        let sends = self.sends.drain(..);
        let named =
            sends.map(|(id, buffer)| (Slot(id.index), token(Operation::Send, id), engine.buffer(buffer)));
        self.ring.send_all(named, &mut self.short);
        for ShortSend { token, taken } in self.short.drain(..) {
            let Some((_, id)) = token::read(token) else { continue };
            match taken {
                Ok(taken) => self.shard.engine.handle_short_send(id, taken),
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => {
                    self.shard.engine.handle_short_send(id, 0)
                }
                Err(_) => self.shard.engine.handle_send_failed(id),
            }
        }
        self.shard.engine.handle_sent(self.shard.clock.instant());
    }

    /// Closes what is to be closed. Unread input would turn a close into a reset, which can destroy the last event on
    /// its way; an armed poll would hold the socket, and the peer would hear nothing (io-uring.md, fact 5).
    fn submit_closes(&mut self) {
        if !self.to_close.is_empty() {
            let named = self.to_close.iter().map(|&id| (Slot(id.index), token(Operation::Receive, id)));
            self.ring.receive_all(named, |_, _| {});
            for &id in &self.to_close {
                for armed in self.slots.armed(id) {
                    self.ring.cancel(token(armed.operation(), id));
                }
                if self.shard.engine.is_cut(id) {
                    self.ring.reset_on_close(Slot(id.index));
                }
            }
        }
        self.to_close.append(&mut self.passed);
        if self.to_close.is_empty() {
            return;
        }
        // The kernel looks for a free slot from the one closed last upwards (`io_file_bitmap_clear`). With the lowest
        // closed last, none is left behind, and the tables reach no further than there are connections.
        self.to_close.sort_unstable_by(|a, b| b.cmp(a));
        for id in &self.to_close {
            self.ring.close(Slot(id.index));
        }
        self.ring.flush();
        for id in self.to_close.drain(..) {
            self.slots.release(id);
            self.shard.engine.handle_closed(id);
        }
    }

    /// Hands a socket to its home shard. The parcel goes first, so that a shard without room is noticed here.
    fn pass(&mut self, from: ConnectionId, to: ShardId, parcel: Box<Parcel>) {
        let home = &self.shard.peers[to.0 as usize];
        if !home.has_room() {
            return self.refused_moves.push((from, parcel));
        }
        let key = self.arrivals.next_key();
        match home.try_send(Mail::Arriving { key, parcel }) {
            Ok(()) => {
                let ring = &self.rings[to.0 as usize];
                self.ring.pass(
                    Slot(from.index),
                    ring,
                    token::keyed(Operation::Arrive, key),
                    token::pass(to, key),
                );
                self.passed.push(from);
            }
            Err(Mail::Arriving { parcel, .. }) => self.refused_moves.push((from, parcel)),
            Err(_) => {}
        }
    }

    /// The home shard's table filled up meanwhile. The socket is closed; its client comes back by itself.
    fn on_pass_failed(&self, completion: Completion, errno: Errno) {
        let (to, key) = token::read_pass(completion.token);
        tracing::debug!(%errno, shard = to.0, "a connection could not move to its home shard");
        if let Some(home) = self.shard.peers.get(to.0 as usize) {
            let letter = home.try_send(Mail::NotArriving { key: self.arrivals.full_key(key) });
            if letter.is_err() {
                tracing::debug!(shard = to.0, "its inbox is full, so it keeps a parcel for nothing");
            }
        }
    }

    fn wait(&mut self, reaped: usize) {
        let busy = self.shard.engine.has_work()
            || !self.to_receive.is_empty()
            || !self.refused_moves.is_empty()
            || !self.refused_publishes.is_empty();
        let connections = self.shard.engine.connections();
        self.shard.inbox.announce_room(self.acceptor.room(connections));
        self.announce_unfinished();
        let now = self.shard.clock.instant();
        if now.since(self.shown) >= SNAPSHOT_INTERVAL {
            self.show();
        }
        if busy || reaped >= REAP_PASS || self.ring.taskrun_pending() {
            let many = reaped >= REAP_PASS || self.ring.taskrun_pending();
            return self.ring.wait(if many { MANY_COMPLETIONS } else { 0 }, Some(Duration::ZERO));
        }
        self.shard.inbox.bell().announce_sleep();
        if !self.shard.inbox.has_something(self.shard.engine.wants_event()) {
            let timeout = self.timeout(now);
            self.ring.wait(1, timeout);
        }
        self.shard.inbox.bell().announce_awake();
        if self.ring.taskrun_pending() {
            self.ring.wait(MANY_COMPLETIONS, Some(Duration::ZERO));
        }
    }

    /// Tells who leads the stop how far it has come. Counting costs a look at every slot, so it ends with the requests.
    fn announce_unfinished(&self) {
        let engine = &self.shard.engine;
        let requests = match (engine.is_draining(), self.ends_streams) {
            (_, true) => return,
            (true, false) => engine.unfinished_requests(),
            (false, false) if self.awaits_requests => engine.awaited_requests(),
            (false, false) => return,
        };
        self.shard.inbox.announce_unfinished(requests + self.acceptor.armed());
    }

    /// How long the shard may sleep. While its last snapshot is out of date it wakes once more to leave a new one.
    fn timeout(&self, now: Instant) -> Option<Duration> {
        let engine = self.shard.engine.poll_timeout();
        let acceptor = self.acceptor.next_try();
        let snapshot = (self.turns != self.shown_turns).then(|| self.shown + SNAPSHOT_INTERVAL);
        [engine, acceptor, snapshot].into_iter().flatten().min().map(|deadline| deadline.since(now))
    }

    fn show(&mut self) {
        self.shown = self.shard.clock.instant();
        self.shown_turns = self.turns;
        let (engine, ring, turns) = (&self.shard.engine, &self.ring, self.turns);
        self.shard.stats.publish(|| Snapshot::of(engine, ring.counters(), turns));
    }
}
