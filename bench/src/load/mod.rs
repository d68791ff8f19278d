//! The load: one thread that holds very many subscribers and a few publishers, and checks what each is sent.
//!
//! Invariant: nothing that arrives goes unchecked. A mark out of order, missing or repeated, an unexpected status and an
//! unexpected end are counted as [`Fault`]s, and [`Load::run_until`] turns the first into an error.
//! Not here: what is sent when (`scenario`), and what requests look like (`target`).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// How a load is made.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where subscribers connect. With an unspecified address they spread over 127.x.y.z.
    pub subscribe: SocketAddr,
    /// Where publishers connect.
    pub publish: SocketAddr,
    /// The most subscribers there will be.
    pub subscribers: u32,
    /// The core that the calling thread is pinned to.
    pub core: usize,
}

/// The load of the calling thread. Subscribers are numbered from 0 below [`LoadOptions::subscribers`].
pub struct Load {}

/// A connection that publishes, its requests one after another (HTTP/1.1 pipelining where several are outstanding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherId(pub u32);

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
    /// Publishing requests answered with a status of 2xx.
    pub published: u64,
}

/// What must not happen: it makes the run worthless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("subscriber {subscriber} was given event {got} of stream {stream} when {expected} was due")]
    OutOfOrder { subscriber: u32, stream: u32, expected: u32, got: u32 },
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
    pub fn new(_options: &LoadOptions, _publishers: u32) -> Result<Self, Fault> {
        todo!()
    }

    /// Connects `subscriber` and sends `request`; it expects the mark `next` of each stream it is given.
    /// Queued: as many as the target takes are under way at once.
    pub fn connect(&mut self, _subscriber: u32, _request: Vec<u8>, _next: u32) {
        todo!()
    }

    /// Closes the connection of `subscriber`, without waiting for anything; it may be connected again at once.
    pub fn drop_subscriber(&mut self, _subscriber: u32) {
        todo!()
    }

    /// `subscriber` reads nothing any more, until [`Load::unstall`].
    pub fn stall(&mut self, _subscriber: u32) {
        todo!()
    }

    /// `subscriber` reads again.
    pub fn unstall(&mut self, _subscriber: u32) {
        todo!()
    }

    /// Sends `requests` (one or more whole requests, of which `answers` answers will come) on a publisher's connection.
    pub fn publish(&mut self, _publisher: PublisherId, _requests: &[u8], _answers: u32) {
        todo!()
    }

    /// Answers that `publisher` has yet to get.
    #[must_use]
    pub fn unanswered(&self, _publisher: PublisherId) -> u32 {
        todo!()
    }

    /// How long each publishing request took, from being handed in to its answer, in nanoseconds, since it was last taken.
    pub fn take_answer_times(&mut self) -> Histogram<u64> {
        todo!()
    }

    /// Takes what has arrived and sends what is queued; waits up to `patience` if there is nothing.
    ///
    /// # Errors
    /// The first [`Fault`] since the load was made.
    pub fn turn(&mut self, _patience: Duration) -> Result<(), Fault> {
        todo!()
    }

    /// Takes turns until `condition`.
    ///
    /// # Errors
    /// The first [`Fault`], or [`Fault::TooLate`] naming `what`.
    pub fn run_until(
        &mut self,
        _within: Duration,
        _what: &str,
        _condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), Fault> {
        todo!()
    }

    #[must_use]
    pub fn totals(&self) -> &Totals {
        todo!()
    }

    /// The number of the next event to all that has yet to reach somebody: all before it are delivered to every subscriber
    /// that is connected and not stalled.
    #[must_use]
    pub fn delivered_to_all(&self) -> u32 {
        todo!()
    }

    /// When the last subscriber had the event to all with this number, as nanoseconds after its intended time, for each event
    /// that became complete since it was last taken.
    pub fn take_last_byte_times(&mut self) -> Histogram<u64> {
        todo!()
    }

    /// From the intended time of an event to its arrival, in nanoseconds, for each delivery since it was last taken.
    pub fn take_latencies(&mut self) -> Histogram<u64> {
        todo!()
    }

    /// The last `id:` that `subscriber` was sent. Only of subscribers that [`Load::remember_ids`] names.
    #[must_use]
    pub fn last_event_id(&self, _subscriber: u32) -> Option<&str> {
        todo!()
    }

    /// Parses the whole stream of `subscriber` (chunks, lines, fields) besides looking for marks: dear, so for a sample only.
    /// It notices what is no event stream, and knows the last id.
    pub fn remember_ids(&mut self, _subscriber: u32) {
        todo!()
    }

    /// The present as marks tell it.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        todo!()
    }

    /// The same moment as [`Instant`].
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::now()
    }
}
