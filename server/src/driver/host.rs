//! The turn of a shard: an engine hosted on sockets, whatever these are made of.
//!
//! A turn is the engine's numbered loop: say what happened (sockets, mail, events, bytes), carry out what it asks, report
//! the sends that fell short, and say how long the shard may rest.
//! Not here: what is sent to whom (the engine), how a socket is read (the driver), and the waiting itself.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::{BufferId, Output, PublishRequest, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;

use super::pace::Pace;
use super::sockets::{Sockets, Watch};
use crate::shard::inbox::Mail;
use crate::shard::stats::Snapshot;
use crate::shard::{Shard, ShardSettings};

/// How old a snapshot may get while the shard is at work.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(50);

/// An engine, its sockets, and what is under way between them.
pub(super) struct Host<S> {
    pub(super) sockets: S,
    shard: Shard,
    pace: Pace,
    /// Who has bytes to read, or may have.
    to_receive: Vec<ConnectionId>,
    sends: Vec<(ConnectionId, BufferId)>,
    to_close: Vec<ConnectionId>,
    /// Passed on in this turn.
    moved: Vec<ConnectionId>,
    refused_moves: Vec<(ConnectionId, Box<Parcel>)>,
    refused_publishes: Vec<PublishRequest>,
    #[expect(clippy::vec_box, reason = "requests travel boxed")]
    to_publish: Vec<Box<PublishRequest>>,
    /// When the last snapshot was left, and in which turn.
    shown: Instant,
    shown_turns: u64,
    turns: u64,
    /// When this turn came to its end.
    now: Instant,
    /// Whether connections are waited for that may send a last request.
    awaits_requests: bool,
    /// Whether the last step of a stop has begun.
    ends_streams: bool,
}

impl<S: Sockets> Host<S> {
    /// A host for `shard`, whose `sockets` hold at most `capacity` connections.
    pub(super) fn new(shard: Shard, sockets: S, capacity: u32) -> Self {
        Self {
            pace: Pace::new(capacity, shard.accept_rate, shard.clock.instant()),
            to_receive: Vec::new(),
            sends: Vec::new(),
            to_close: Vec::new(),
            moved: Vec::new(),
            refused_moves: Vec::new(),
            refused_publishes: Vec::new(),
            to_publish: Vec::new(),
            shown: Instant::ZERO,
            shown_turns: 0,
            turns: 0,
            now: Instant::ZERO,
            awaits_requests: false,
            ends_streams: false,
            shard,
            sockets,
        }
    }

    /// Whether the hub has been told to stop and every connection has ended.
    pub(super) fn is_done(&self) -> bool {
        self.shard.engine.is_drained()
    }

    /// One turn. Gives how much had happened on the sockets.
    pub(super) fn turn(&mut self) -> usize {
        self.turns += 1;
        self.shard.engine.begin_turn(self.shard.clock.now());
        let happened = self.sockets.take(&mut self.shard, &mut self.pace, &mut self.to_receive);
        self.take_mail();
        self.take_refusals();
        self.shard.take_events();
        self.end_streams();
        self.sockets.receive(&mut self.to_receive, &mut self.shard.engine);
        self.carry_out();
        self.sockets.send(&mut self.sends, &mut self.shard.engine);
        self.shard.engine.handle_sent(self.shard.clock.instant());
        self.sockets.close(&mut self.to_close, &mut self.moved, &mut self.shard.engine);
        self.now = self.shard.clock.instant();
        self.sockets.accept(&mut self.shard.engine, &mut self.pace, self.now);
        self.announce();
        happened
    }

    /// Whether there is work for another turn at once.
    pub(super) fn is_busy(&self) -> bool {
        self.shard.engine.has_work()
            || !self.to_receive.is_empty()
            || !self.refused_moves.is_empty()
            || !self.refused_publishes.is_empty()
    }

    /// The shard is about to sleep: gives how long it may (`Some(None)` is until it is woken), or `None` if there is
    /// something to do already. To be followed by [`Host::wake_up`].
    pub(super) fn fall_asleep(&self) -> Option<Option<Duration>> {
        self.shard.inbox.bell().announce_sleep();
        let has_something = self.shard.inbox.has_something(self.shard.engine.wants_event());
        (!has_something).then(|| self.timeout())
    }

    /// The shard is awake, so that nobody need wake it.
    pub(super) fn wake_up(&self) {
        self.shard.inbox.bell().announce_awake();
    }

    /// The last thing a shard does.
    pub(super) fn end(mut self) {
        self.shard.inbox.close();
        self.show();
    }

    fn take_mail(&mut self) {
        while let Some(mail) = self.shard.inbox.next_mail() {
            match mail {
                Mail::Published(answer) => self.shard.engine.handle_published(answer),
                Mail::Arriving { passage, parcel } => {
                    self.sockets.arrive(passage, parcel, &mut self.shard.engine);
                }
                Mail::NotArriving { key } => self.sockets.forget(key),
                Mail::Sought { connection, sought } => self.shard.engine.handle_sought(connection, sought),
                Mail::Page(read) => self.shard.engine.handle_page(read),
                Mail::Ask(ask) => ask(&mut self.shard.engine),
                Mail::Keys(keys) => self.shard.engine.replace_keys(*keys),
                Mail::Settings(settings) => self.follow(*settings),
                Mail::LastRequests => {
                    self.stop_accepting();
                    self.shard.engine.begin_last_requests();
                    self.awaits_requests = true;
                }
                Mail::Drain => {
                    self.stop_accepting();
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
        self.pace.set_rate(accept_rate, self.shard.clock.instant());
        self.sockets.set_user_timeout(user_timeout);
    }

    fn stop_accepting(&mut self) {
        self.pace.stop();
        self.sockets.stop_accepting();
    }

    /// Streams end once every acknowledged event has come in.
    fn end_streams(&mut self) {
        if self.ends_streams && !self.shard.inbox.has_events() {
            self.shard.engine.end_streams();
        }
    }

    fn take_refusals(&mut self) {
        for (id, parcel) in self.refused_moves.drain(..) {
            self.shard.engine.handle_move_refused(id, &parcel);
        }
        for request in self.refused_publishes.drain(..) {
            self.shard.engine.handle_publish_refused(&request);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.shard.engine.poll_output() {
            match output {
                Output::Send { to, buffer } => self.sends.push((to, buffer)),
                Output::Receive(id) => self.to_receive.push(id),
                Output::WatchHangup(id) => self.sockets.watch(id, Watch::Readable),
                Output::AwaitWritable(id) => self.sockets.watch(id, Watch::Writable),
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

    /// A shard without room is noticed here, before the socket has left.
    fn pass(&mut self, from: ConnectionId, to: ShardId, parcel: Box<Parcel>) {
        let has_room = self.shard.peers[to.0 as usize].has_room();
        let passed = if has_room { self.sockets.pass(from, to, parcel, &self.shard) } else { Err(parcel) };
        match passed {
            Ok(()) => self.moved.push(from),
            Err(parcel) => self.refused_moves.push((from, parcel)),
        }
    }

    fn announce(&mut self) {
        let connections = self.shard.engine.connections();
        self.shard.inbox.announce_room(self.pace.room(connections, self.sockets.accepts_armed()));
        self.announce_unfinished();
        if self.now.since(self.shown) >= SNAPSHOT_INTERVAL {
            self.show();
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
        self.shard.inbox.announce_unfinished(requests + self.sockets.accepts_armed());
    }

    /// How long the shard may sleep. While its last snapshot is out of date it wakes once more to leave a new one.
    fn timeout(&self) -> Option<Duration> {
        let engine = self.shard.engine.poll_timeout();
        let accepting = self.pace.next_try();
        let snapshot = (self.turns != self.shown_turns).then(|| self.shown + SNAPSHOT_INTERVAL);
        let sockets = self.sockets.next_try();
        [engine, accepting, sockets, snapshot]
            .into_iter()
            .flatten()
            .min()
            .map(|deadline| deadline.since(self.now))
    }

    fn show(&mut self) {
        self.shown = self.shard.clock.instant();
        self.shown_turns = self.turns;
        let (engine, sockets, turns) = (&self.shard.engine, &self.sockets, self.turns);
        self.shard.stats.publish(|| Snapshot::of(engine, sockets.counters(), turns));
    }
}
