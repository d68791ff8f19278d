//! The rules of one shard, without I/O.
//!
//! The host owns sockets and time. It turns in a loop of four steps, and every host has the same loop:
//!
//! 1. [`Engine::begin_turn`] with the time. What was sent in the turn before counts as taken whole, except where
//!    [`Engine::handle_short_send`] said otherwise.
//! 2. Say what happened: `handle_*`, in any order and number; [`Engine::handle_event`] only while
//!    [`Engine::wants_event`].
//! 3. [`Engine::poll_output`] until it gives `None`, and do what it says. Never go back to 2 in between.
//! 4. Submit the sends, report those that fell short, and say with [`Engine::handle_sent`] when that was. Then wait: not
//!    at all while [`Engine::has_work`], else until something happens or [`Engine::poll_timeout`] is reached.
//!
//! Invariants: a connection is sent at most one piece a turn, so an unreported shortfall cannot corrupt a stream. A
//! cut frame is finished before anything else. Events reach a stream in the log's order. A connection is in the
//! arena, the user index, the topic index and the wheel, or in none of them.
//!
//! Not here: sockets, clocks, threads, the log, and the order of events (the sequencer's).

pub mod census;
pub mod disconnect;
pub mod inspect;
pub mod output;
pub mod parcel;

mod admission;
pub(crate) mod intake;
mod publish;
mod routes;
mod stream;
mod subscribe;

mod fanout;
mod feed;
mod hot;
mod outgoing;
mod queues;
mod replay;
mod turn;
mod window;

mod check;
mod deadlines;
mod last_requests;
mod drain;
mod reload;
mod retry;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::auth::{Keys, Verifier};
use crate::close_reason::CloseReason;
use crate::connection::arena::Arena;
use crate::connection::state::{Phase, State};
use crate::connection::{Connection, ConnectionId, Peer};
use crate::counters::Counters;
use crate::hash::{HashSeed, SeededMap};
use crate::history::History;
use crate::http::Asset;
use crate::id::{Incarnation, Position};
use crate::limits::EVICTIONS_MAX;
use crate::settings::{CorsSettings, Settings};
use crate::time::{Instant, Now};
use crate::timer_wheel::TimerWheel;
use crate::topics::TopicIndex;
use crate::users::UserIndex;

use census::Census;
use drain::Drain;
use hot::Hot;
use outgoing::Outgoing;
use output::{BufferId, Output, ShardId};
use queues::{Queues, Source};
use replay::Replay;
use retry::Arrivals;
use turn::{Carried, SendRecord, Turn};
use window::Window;

/// What an engine is made with, beside its settings.
pub struct EngineOptions {
    /// Which shard this is.
    pub shard: ShardId,
    /// How many shards there are.
    pub shards: u16,
    /// The log that events come from.
    pub incarnation: Incarnation,
    /// The position of the log's last event at the moment the engine begins.
    pub newest: Position,
    /// Of the hash tables. Secret, since outsiders choose topics and names; the same in every shard of a process,
    /// since it also finds a user's home shard.
    pub hash_seed: HashSeed,
    /// How many connections the host has slots for. All tables take their room at the start: a table that grew would
    /// copy itself, which takes time, and twice the memory meanwhile. A host that touches its slots from the lowest on
    /// has as much of it resident as it needs.
    pub slots: u32,
    /// Of everything random in this engine.
    pub random_seed: u64,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Whether the log can be asked for what the shard's history no longer has (`Output::Seek`, `Output::ReadPage`).
    pub replays: bool,
    /// Counts streams over all shards.
    pub census: Box<dyn Census>,
    /// Files under paths of their own, few: they are looked for one by one. The hub's own paths win.
    pub assets: Arc<[Asset]>,
}

/// One shard's rules. See the module for how to drive it.
pub struct Engine {
    settings: Settings,
    shard: ShardId,
    shards: u16,
    seed: HashSeed,
    cors: Arc<CorsSettings>,
    verifier: Verifier,
    census: Box<dyn Census>,
    assets: Arc<[Asset]>,
    rng: fastrand::Rng,
    now: Now,

    arena: Arena<Connection>,
    hot: Vec<Hot>,
    /// Where each connection comes from, by slot.
    peers: Vec<Peer>,
    outgoing: SeededMap<u32, Outgoing>,
    topics: TopicIndex,
    users: UserIndex,
    history: History,
    wheel: TimerWheel,
    expired: Vec<u32>,

    window: Window,
    queues: Queues,
    turn: Turn,
    /// The sends of the turn before while they are settled; else empty, and kept for its memory.
    settling: Vec<SendRecord>,
    outputs: VecDeque<Output>,
    /// Slow consumers and resumers by the position they have yet to read: the first falls off the history first.
    behind: BTreeSet<(Position, u32)>,
    /// Those of `behind` that have already seen, at another shard, what has not arrived here: the first is live first.
    ahead: BTreeSet<(Position, u32)>,
    /// Whether the log can be asked for more than the history has.
    replays: bool,
    replay: Replay,
    /// Bytes of requests that are not complete.
    intake_bytes: usize,
    /// Streams here.
    streams: u32,
    /// Connections here, by `Phase::index`.
    phases: [u32; Phase::COUNT],
    /// Whether no connection is kept for another request.
    last_requests: bool,
    drain: Option<Drain>,
    arrivals: Arrivals,
    /// Slots whose timers were set under other settings.
    to_rearm: Range<u32>,
    /// Whether the history is within its limits.
    is_trimmed: bool,
    counters: Counters,
}

impl Engine {
    /// An engine without connections.
    #[must_use]
    pub fn new(settings: Settings, options: EngineOptions) -> Self {
        let (seed, room) = (options.hash_seed, options.slots as usize);
        Self {
            history: History::new(seed, options.incarnation, options.newest, settings.history.clone()),
            topics: TopicIndex::new(seed, room),
            users: UserIndex::new(seed, room, EVICTIONS_MAX),
            outgoing: SeededMap::with_hasher(seed),
            cors: Arc::new(settings.cors.clone()),
            seed,
            wheel: TimerWheel::with_room(room, Instant::ZERO),
            settings,
            shard: options.shard,
            shards: options.shards,
            verifier: options.verifier,
            census: options.census,
            assets: options.assets,
            rng: fastrand::Rng::with_seed(options.random_seed),
            now: Now::default(),
            arena: Arena::with_room(room),
            hot: Vec::with_capacity(room),
            peers: Vec::with_capacity(room),
            expired: Vec::new(),
            window: Window::new(),
            queues: Queues::default(),
            turn: Turn::default(),
            settling: Vec::new(),
            outputs: VecDeque::new(),
            behind: BTreeSet::new(),
            ahead: BTreeSet::new(),
            replays: options.replays,
            replay: Replay::new(seed),
            intake_bytes: 0,
            streams: 0,
            phases: [0; Phase::COUNT],
            last_requests: false,
            drain: None,
            arrivals: Arrivals::default(),
            to_rearm: 0..0,
            is_trimmed: true,
            counters: Counters::default(),
        }
    }

    /// Step 1: a new turn at `now`. Timers that are due go off.
    pub fn begin_turn(&mut self, now: Now) {
        self.now = now;
        self.book_shared();
        self.settle_sends();
        self.measure_fanout(now.instant);
        self.window.reclaim();
        self.queues.begin_turn();
        self.trim_history();
        self.rearm_some();
        self.fire_timers();
        self.step_drain();
    }

    /// The send of the present turn to `id` took only `taken` bytes: its socket is full.
    pub fn handle_short_send(&mut self, id: ConnectionId, taken: u32) {
        let Some(record) = self.turn.sends.iter_mut().find(|record| record.index == id.index) else {
            self.counters.stale_inputs += 1;
            return;
        };
        let carried = std::mem::replace(&mut record.carried, Carried::Settled);
        let untaken = u64::from(record.len.saturating_sub(taken));
        self.hot[id.index as usize].bytes -= untaken;
        self.counters.bytes -= untaken;
        let taken = taken as usize;
        match carried {
            Carried::Fanout(mask) => self.on_fanout_short(id.index, mask, taken),
            Carried::Feed(from) => self.on_feed_short(id.index, from, taken),
            Carried::Outgoing => self.on_outgoing_short(id.index, taken),
            Carried::Heartbeat => self.on_heartbeat_short(id.index, taken),
            Carried::Settled => self.counters.stale_inputs += 1,
        }
    }

    /// The send of the present turn to `id` failed for good.
    pub fn handle_send_failed(&mut self, id: ConnectionId) {
        if let Some(record) = self.turn.sends.iter_mut().find(|record| record.index == id.index) {
            record.carried = Carried::Settled;
            self.hot[id.index as usize].bytes -= u64::from(record.len);
            self.counters.bytes -= u64::from(record.len);
        }
        self.handle_hangup(id);
    }

    /// What the present turn sends is with the kernel by now, and what fell short has been reported. Only latencies are
    /// measured by it: without it they would end with the wait before the next turn.
    pub fn handle_sent(&mut self, now: Instant) {
        self.measure_fanout(now);
    }

    /// Tokens are verified with other keys from now on.
    pub fn replace_keys(&mut self, keys: Keys) {
        self.verifier.replace_keys(keys);
    }

    /// The socket takes bytes again.
    pub fn handle_writable(&mut self, id: ConnectionId) {
        if self.phase(id).is_some() {
            self.on_writable(id.index);
        }
    }

    /// The peer hung up, or a send or receive failed for good.
    pub fn handle_hangup(&mut self, id: ConnectionId) {
        if self.phase(id).is_some() {
            self.end(id.index, CloseReason::PeerGone);
        }
    }

    /// The host has closed the socket: its slot may be given to another.
    pub fn handle_closed(&mut self, id: ConnectionId) {
        let released = self.arena.release(id).expect("the host closes each connection once");
        self.phases[released.state.phase().index()] -= 1;
        if matches!(released.state, State::Moving) {
            self.counters.closes[CloseReason::Moved.index()] += 1;
        }
        self.hot[id.index as usize] = Hot::IDLE;
    }

    /// Step 3: what to do next; `None` ends the turn.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        while !self.turn.is_full()
            && let Some((source, index)) = self.queues.pop()
        {
            if let Some(output) = self.next_send(source, index) {
                return Some(output);
            }
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
        }
        self.book_shared();
        None
    }

    /// The bytes of an `Output::Send` of the present turn.
    #[must_use]
    pub fn buffer(&self, buffer: BufferId) -> &[u8] {
        self.turn.bytes(buffer)
    }

    /// Whether another turn is due at once: there is more to send, or what was sent has consequences.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.queues.is_empty()
            || !self.outputs.is_empty()
            || self.turn.has_consequences
            || self.window.is_full()
            || self.is_following_settings()
    }

    /// When the engine next wants a turn, if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let drain = self.drain.as_ref().and_then(Drain::next_step);
        [self.wheel.next_deadline(), drain].into_iter().flatten().min()
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Streams here, in any state before draining.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.streams
    }

    /// Connections here, in any state.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.arena.len() as u32
    }

    /// Connections here in each phase, by [`Phase::index`].
    #[must_use]
    pub fn phases(&self) -> [u32; Phase::COUNT] {
        self.phases
    }

    /// Positions of the log that the stream furthest behind has yet to be sent, or to be looked up in; 0 if every stream is
    /// live.
    #[must_use]
    pub fn lag_max(&self) -> u64 {
        let next = self.history.newest().next().0;
        self.behind.first().map_or(0, |&(cursor, _)| next.saturating_sub(cursor.0))
    }

    /// What checks tokens here.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Streams that are fed from history: slow consumers and resumers.
    #[must_use]
    pub fn streams_behind(&self) -> u32 {
        self.behind.len() as u32
    }

    /// Users with a stream here.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.users()
    }

    /// Events and bytes that the history holds.
    #[must_use]
    pub fn history_occupancy(&self) -> (usize, usize) {
        (self.history.len(), self.history.bytes())
    }

    /// What was sent in the turn before is out, except what has been reported: acts on that.
    fn settle_sends(&mut self) {
        let mut sends = std::mem::take(&mut self.settling);
        let followed_up = self.turn.has_consequences;
        self.turn.finish(self.now.instant, &mut sends);
        if !followed_up {
            sends.clear();
        }
        // First all of it is out, then something follows: an answer that is out can begin the next request of its
        // connection, and that can evict another whose greeting went out in the same turn.
        for record in sends.iter().filter(|record| record.carried == Carried::Outgoing) {
            self.on_outgoing_sent(record.index);
        }
        for SendRecord { index, carried, .. } in sends.drain(..) {
            match carried {
                Carried::Fanout(_) | Carried::Heartbeat | Carried::Settled => {}
                Carried::Outgoing => self.finish_outgoing(index),
                Carried::Feed(_) => self.on_fed(index),
            }
        }
        self.settling = sends;
    }

    fn next_send(&mut self, source: Source, index: u32) -> Option<Output> {
        if self.hot[index as usize].turn == self.turn.number {
            self.queues.push_next_turn(source, index);
            return None;
        }
        match source {
            Source::Outgoing => self.next_outgoing(index),
            Source::Few | Source::Many => self.next_fanout(index),
            Source::Feed => self.next_feed(index),
            Source::Heartbeat => self.next_heartbeat(index),
        }
    }

    /// Makes a send of the present turn.
    fn send(&mut self, index: u32, bytes: Bytes, carried: Carried) -> Output {
        let len = u32::try_from(bytes.len()).expect("a send is far below 4 GiB");
        self.counters.bytes += u64::from(len);
        let buffer = self.turn.lend(bytes);
        self.send_lent(index, buffer, len, carried)
    }

    fn send_lent(&mut self, index: u32, buffer: BufferId, len: u32, carried: Carried) -> Output {
        let hot = &mut self.hot[index as usize];
        hot.turn = self.turn.number;
        hot.sent_ms = self.turn.clock_ms;
        hot.bytes += u64::from(len);
        self.counters.sends += 1;
        self.turn.record(SendRecord { index, len, carried });
        Output::Send { to: ConnectionId { index, generation: hot.generation }, buffer }
    }

    fn queue(&mut self, source: Source, index: u32) {
        self.queues.push(source, index);
    }

    /// The state of a connection that is still the one `id` names, and has not been given up.
    fn phase(&mut self, id: ConnectionId) -> Option<Phase> {
        let phase = self.arena.by_id(id).map(|connection| connection.state.phase());
        match phase {
            None | Some(Phase::Closing) => {
                self.counters.stale_inputs += 1;
                None
            }
            Some(phase) => Some(phase),
        }
    }

    fn connection(&self, index: u32) -> &Connection {
        self.arena.by_index(index).expect("an index in our own tables has a connection")
    }

    fn connection_mut(&mut self, index: u32) -> &mut Connection {
        self.arena.by_index_mut(index).expect("an index in our own tables has a connection")
    }

    /// Moves a connection to a state that has no intake, and gives back the one it had.
    fn become_state(&mut self, index: u32, next: State) -> State {
        self.forget_intake(index);
        self.count_phase(self.connection(index).state.phase(), next.phase());
        std::mem::replace(&mut self.connection_mut(index).state, next)
    }

    /// Counts a connection that goes from one phase to another.
    fn count_phase(&mut self, before: Phase, after: Phase) {
        assert!(before.may_become(after), "{before:?} does not become {after:?}");
        self.phases[before.index()] -= 1;
        self.phases[after.index()] += 1;
    }

    /// A duration uniform in `[base, base + spread]`.
    fn jittered(&mut self, base: Duration, spread: Duration) -> Duration {
        base + spread.mul_f64(self.rng.f64())
    }
}
