//! The load: one thread that holds very many subscribers and a few publishers, and checks what each is sent.
//!
//! Invariant: nothing that arrives goes unchecked. A mark out of order, missing or repeated, an unexpected status and an
//! unexpected end are counted as [`Fault`]s, and [`Load::run_until`] turns the first into an error.
//! Not here: what is sent when (`scenario`), and what requests look like (`target`).

mod answers;
mod crowd;
mod head;
mod latencies;
mod progress;
mod publisher;
mod rings;
mod scan;
mod sources;
mod stream;
mod subscriber;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use corecast_ring::{Connect, Ring, ShortSend, Slot};
use hdrhistogram::Histogram;

pub use answers::Protocol;
use crowd::Crowd;
use latencies::histogram;
use publisher::Publisher;
use rings::Layout;
use sources::Sources;
use subscriber::{Kind, Phase};

/// How a load is made.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where subscribers connect; an unspecified address means loopback. On 127.0.0.0/8 they come from many addresses of it,
    /// so that ports do not run out.
    pub subscribe: SocketAddr,
    /// Where publishers connect.
    pub publish: SocketAddr,
    /// How they are answered.
    pub protocol: Protocol,
    /// The most subscribers there will be.
    pub subscribers: u32,
    /// The core that the calling thread is pinned to.
    pub core: usize,
}

/// The load of the calling thread. Subscribers are numbered from 0 below [`LoadOptions::subscribers`]; to name one that is
/// not there is a panic.
pub struct Load {
    subscribe: SocketAddr,
    publish: SocketAddr,
    layout: Layout,
    rings: Vec<Ring>,
    crowd: Crowd,
    publishers: Vec<Publisher>,
    answer_times: Histogram<u64>,
    sources: Sources,
    /// Subscribers that wait for their turn to connect, with their generation and request.
    queue: VecDeque<(u32, u32, Vec<u8>)>,
    /// Requests of subscribers that are connecting.
    requests: HashMap<u32, Vec<u8>>,
    /// Subscribers that connected during a reap, with their request.
    to_greet: Vec<(u32, Vec<u8>)>,
    /// By ring: emptied by each turn, kept for its memory.
    connects: Vec<Vec<Connect>>,
    short: Vec<ShortSend>,
    fault: Option<Fault>,
    flow: turn::Flow,
    /// The ring that was slept on last.
    slept_on: usize,
}

/// A connection that publishes, its requests one after another (HTTP/1.1 pipelining where several are outstanding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherId(pub u32);

/// As the next event of a subscriber: whichever comes first, and then the one after it.
pub const ANY: u32 = u32::MAX;

/// What has happened since the load was made.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Subscribers whose connection is established.
    pub connected: u32,
    /// Subscribers that have the head of a 200 answer.
    pub live: u32,
    /// Connections that ended without [`Load::drop_subscriber`].
    pub ended: u64,
    /// Marks received, each in its place.
    pub deliveries: u64,
    /// Bytes received by subscribers.
    pub bytes: u64,
    /// Publishing requests answered with a status of 2xx, or what says the same in another protocol.
    pub published: u64,
}

/// What must not happen: it makes the run worthless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("subscriber {subscriber} was given event {got} of stream {stream} when {expected} was due")]
    OutOfOrder { subscriber: u32, stream: u32, expected: u32, got: u32 },
    #[error("subscriber {subscriber} was given an event of stream {stream}, which is not its own")]
    Misdelivered { subscriber: u32, stream: u32 },
    #[error("subscriber {subscriber} was refused: {head}")]
    Refused { subscriber: u32, head: String },
    #[error("subscriber {subscriber} sent bytes that are no event stream: {bytes}")]
    Garbage { subscriber: u32, bytes: String },
    #[error("subscriber {subscriber} was disconnected: {cause}")]
    Disconnected { subscriber: u32, cause: String },
    #[error("a publishing request was answered: {head}")]
    PublishRefused { head: String },
    #[error("a publisher was disconnected: {cause}")]
    PublisherDisconnected { cause: String },
    #[error("cannot connect to {to}: {cause}")]
    Connect { to: SocketAddr, cause: String },
    #[error("{what} not within {within:?}: {state}")]
    TooLate { what: String, within: Duration, state: String },
    #[error("the load cannot be set up: {0}")]
    Setup(String),
}

impl Load {
    /// Pins the thread, sets up rings for all subscribers and `publishers` connections to publish on.
    ///
    /// # Errors
    /// [`Fault::Setup`] or [`Fault::Connect`].
    pub fn new(options: &LoadOptions, publishers: u32) -> Result<Self, Fault> {
        Self::with_tables(options, publishers, rings::TABLE_MAX)
    }

    /// The same, with at most `table` sockets on each ring: it takes more rings then.
    ///
    /// # Errors
    /// As [`Load::new`].
    pub fn with_tables(options: &LoadOptions, publishers: u32, table: u32) -> Result<Self, Fault> {
        let layout = Layout::new(options.subscribers, publishers, rings::table_limit(table)?)?;
        rings::settle_thread(options.core)?;
        let subscribe = sources::reachable(options.subscribe);
        let mut load = Self {
            subscribe,
            publish: sources::reachable(options.publish),
            layout,
            rings: (0..layout.rings).map(|_| layout.ring()).collect::<Result<_, _>>()?,
            crowd: Crowd::new(options.subscribers),
            publishers: (0..publishers).map(|_| Publisher::of(options.protocol)).collect(),
            answer_times: histogram(),
            sources: Sources::new(subscribe),
            queue: VecDeque::new(),
            requests: HashMap::new(),
            to_greet: Vec::new(),
            connects: (0..layout.rings).map(|_| Vec::new()).collect(),
            short: Vec::new(),
            fault: None,
            flow: turn::Flow::default(),
            slept_on: 0,
        };
        for publisher in 0..publishers {
            load.connect_publisher(publisher)?;
        }
        Ok(load)
    }

    fn connect_publisher(&mut self, publisher: u32) -> Result<(), Fault> {
        let slot = self.layout.publisher(publisher);
        let ring = &mut self.rings[0];
        // What was in the slot before is closed by that.
        let adopted = ring.adopt(slot, publisher::connect(self.publish)?);
        adopted.map_err(|error| Fault::Setup(format!("a publisher's socket: {error}")))?;
        ring.receive_on(slot, Kind::PublisherReceive.token(publisher, 0));
        Ok(())
    }

    /// Connects `subscriber` and sends `request`; it expects the mark `next` of each stream it is given, where [`ANY`] is
    /// whichever comes first. With that it does not count for [`Load::delivered_to_all`] before it has an event.
    /// Queued: as many as the target takes are under way at once. If it is connected it is dropped first.
    pub fn connect(&mut self, subscriber: u32, request: Vec<u8>, next: u32) {
        self.drop_subscriber(subscriber);
        let generation = self.crowd.queue(subscriber, next);
        self.queue.push_back((subscriber, generation, request));
    }

    /// Closes the connection of `subscriber`, without waiting for anything; it may be connected again at once.
    pub fn drop_subscriber(&mut self, subscriber: u32) {
        let (ring, slot) = self.place(subscriber);
        let state = *self.crowd.subscriber(subscriber);
        let ring = &mut self.rings[ring];
        match state.phase {
            Phase::Idle => return,
            Phase::Queued => {}
            Phase::Connecting => {
                self.requests.remove(&subscriber);
                ring.cancel(Kind::Connect.token(subscriber, state.generation));
                ring.close(slot);
            }
            Phase::Head | Phase::Live => {
                if state.is_armed {
                    ring.cancel(Kind::Receive.token(subscriber, state.generation));
                }
                ring.close(slot);
            }
        }
        self.crowd.on_gone(subscriber);
    }

    /// `subscriber` reads nothing any more, until [`Load::unstall`].
    pub fn stall(&mut self, subscriber: u32) {
        let (ring, _) = self.place(subscriber);
        if self.crowd.set_stalled(subscriber, true) {
            let state = self.crowd.subscriber(subscriber);
            if state.is_armed {
                self.rings[ring].cancel(Kind::Receive.token(subscriber, state.generation));
            }
        }
    }

    /// `subscriber` reads again.
    pub fn unstall(&mut self, subscriber: u32) {
        if self.crowd.set_stalled(subscriber, false) {
            self.arm(subscriber);
        }
    }

    /// Sends `requests` (one or more whole requests, of which `answers` answers will come) on a publisher's connection. If
    /// the server closed that while it was idle, it is opened again first.
    pub fn publish(&mut self, publisher: PublisherId, requests: &[u8], answers: u32) {
        let now = self.now_ns();
        if std::mem::take(&mut self.publishers[publisher.0 as usize].is_closed)
            && let Err(fault) = self.connect_publisher(publisher.0)
        {
            self.raise(fault);
        }
        self.publishers[publisher.0 as usize].queue(requests, answers, now);
        self.send_published(publisher.0);
    }

    /// Answers that `publisher` has yet to get.
    #[must_use]
    pub fn unanswered(&self, publisher: PublisherId) -> u32 {
        self.publishers[publisher.0 as usize].unanswered()
    }

    /// How long each publishing request took, from being handed in to its answer, in nanoseconds, since it was last taken.
    pub fn take_answer_times(&mut self) -> Histogram<u64> {
        std::mem::replace(&mut self.answer_times, histogram())
    }

    /// Takes what has arrived and sends what is queued; waits up to `patience` if there is nothing.
    ///
    /// # Errors
    /// The first [`Fault`] since the load was made.
    pub fn turn(&mut self, patience: Duration) -> Result<(), Fault> {
        self.take_turn(patience);
        self.fault.clone().map_or(Ok(()), Err)
    }

    /// Takes turns until `condition`.
    ///
    /// # Errors
    /// The first [`Fault`], or [`Fault::TooLate`] naming `what`.
    pub fn run_until(
        &mut self,
        within: Duration,
        what: &str,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), Fault> {
        const PATIENCE: Duration = Duration::from_millis(10);
        let deadline = self.now() + within;
        while !condition(self) {
            let left = deadline.saturating_duration_since(self.now());
            if left.is_zero() {
                return Err(Fault::TooLate { what: what.to_owned(), within, state: self.state() });
            }
            self.turn(left.min(PATIENCE))?;
        }
        Ok(())
    }

    fn state(&self) -> String {
        let unanswered: u32 = self.publishers.iter().map(Publisher::unanswered).sum();
        format!(
            "{:?}, {} delivered to all, {unanswered} requests unanswered",
            self.totals(),
            self.delivered_to_all()
        )
    }

    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.crowd.totals
    }

    /// The number of the next event to all that has yet to reach somebody: all before it are delivered to every subscriber
    /// that is connected and not stalled.
    #[must_use]
    pub fn delivered_to_all(&self) -> u32 {
        self.crowd.progress.due()
    }

    /// When the last subscriber had the event to all with this number, as nanoseconds after its intended time, for each event
    /// that became complete since it was last taken.
    pub fn take_last_byte_times(&mut self) -> Histogram<u64> {
        self.crowd.progress.take_last_byte_times()
    }

    /// From the intended time of an event to its arrival, in nanoseconds, for each delivery since it was last taken; those to
    /// subscribers that [`Load::time_only`] leaves out excepted.
    pub fn take_latencies(&mut self) -> Histogram<u64> {
        self.crowd.latencies.take()
    }

    /// Times deliveries to subscribers with numbers below `end` only: who catches up with old events says nothing about how
    /// fast new ones come.
    pub fn time_only(&mut self, end: u32) {
        self.crowd.timed_end = end;
    }

    /// The last `id:` that `subscriber` was sent, on any of its connections. Only of subscribers that
    /// [`Load::remember_ids`] names.
    #[must_use]
    pub fn last_event_id(&self, subscriber: u32) -> Option<&str> {
        self.crowd.last_id(subscriber)
    }

    /// Parses the whole stream of `subscriber` (chunks, lines, fields) besides looking for marks, from its next connection
    /// on: dear, so for a sample only. It notices what is no event stream, and knows the last id.
    pub fn remember_ids(&mut self, subscriber: u32) {
        self.crowd.parse(subscriber);
    }

    /// The present as marks tell it.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        turn::clock_ns()
    }

    /// The same moment as [`Instant`].
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    fn place(&self, subscriber: u32) -> (usize, Slot) {
        assert!(subscriber < self.crowd.count(), "there is no subscriber {subscriber}");
        self.layout.subscriber(subscriber)
    }
}
