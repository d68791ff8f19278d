//! The single writer: gives each event its place, encodes it once, has the log keep it, and only then hands it to
//! every shard and answers its publisher.
//!
//! One order for all events means that one `Last-Event-ID` resumes any mix of topics.
//! Not here: what is an acceptable event, and who may publish it (the shard has checked that).

use std::sync::Arc;
use std::thread::Thread;

use corecast_core::engine::output::{PublishAnswer, PublishRequest, Refused};
use corecast_core::event::{Event, SequencedEvent, SharedEvent};
use corecast_core::frame::Frame;
use corecast_core::id::{EventId, Position};
use corecast_core::time::UnixMillis;
use crossbeam_queue::ArrayQueue;

use crate::clock;
use crate::log::Log;
use crate::shard::bell::Bell;
use crate::shard::inbox::{Inbox, Mail, hand_in};

/// Publishes that wait for the sequencer. Beyond it publishers are told to come back: 503. 32 B each, and the
/// events of their requests, each at most `limits.event_bytes`.
pub const REQUESTS_MAX: usize = 4096;

/// Requests that are kept by one append: enough that a log which syncs is shared by many, few enough that the first
/// does not wait for long.
const BATCH_REQUESTS_MAX: usize = 256;

/// Where shards hand in what is published. All clones are the same queue.
#[derive(Clone)]
pub struct SequencerQueue {
    shared: Arc<Shared>,
}

struct Shared {
    requests: ArrayQueue<Box<PublishRequest>>,
    bell: Bell,
    stop: std::sync::atomic::AtomicBool,
    thread: std::sync::OnceLock<Thread>,
}

impl Default for SequencerQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl SequencerQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            requests: ArrayQueue::new(REQUESTS_MAX),
            bell: Bell::default(),
            stop: std::sync::atomic::AtomicBool::new(false),
            thread: std::sync::OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hands in a request.
    ///
    /// # Errors
    /// The request, if `REQUESTS_MAX` wait already.
    pub fn try_send(&self, request: Box<PublishRequest>) -> Result<(), Box<PublishRequest>> {
        let sent = self.shared.requests.push(request);
        self.ring();
        sent
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.requests.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.requests.is_empty()
    }

    /// Lets the sequencer end once it has answered everything that waits.
    pub fn stop(&self) {
        self.shared.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        self.ring();
    }

    fn ring(&self) {
        if self.shared.bell.must_wake()
            && let Some(thread) = self.shared.thread.get()
        {
            thread.unpark();
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// See the module.
pub struct Sequencer<L> {
    queue: SequencerQueue,
    log: L,
    shards: Vec<Inbox>,
    /// Ephemeral events so far: the last part of their ids.
    ephemerals: u64,
}

/// What is made of one batch of requests.
#[derive(Default)]
struct Batch {
    /// For every shard, in order; kept and ephemeral ones.
    events: Vec<SharedEvent>,
    answers: Vec<PublishAnswer>,
}

impl<L: Log> Sequencer<L> {
    /// A sequencer that has not begun.
    #[must_use]
    pub fn new(queue: SequencerQueue, log: L, shards: Vec<Inbox>) -> Self {
        Self { queue, log, shards, ephemerals: 0 }
    }

    /// Works until the queue is stopped and empty. The calling thread is the sequencer's from here on.
    pub fn run(mut self) {
        self.queue.shared.thread.get_or_init(std::thread::current);
        loop {
            while self.turn() {}
            self.queue.shared.bell.announce_sleep();
            if self.queue.is_empty() {
                if self.queue.is_stopped() {
                    return;
                }
                std::thread::park();
            }
            self.queue.shared.bell.announce_awake();
        }
    }

    /// Takes what waits, up to a batch. Whether there was anything.
    fn turn(&mut self) -> bool {
        let queue = self.queue.clone();
        let requests = std::iter::from_fn(|| queue.shared.requests.pop()).take(BATCH_REQUESTS_MAX);
        let mut batch = Batch::default();
        let now = clock::unix_now();
        let mut newest = self.log.newest();
        for request in requests {
            let PublishRequest { from, events } = *request;
            let results = events
                .into_iter()
                .map(|event| Ok(self.place(event?, &mut newest, now, &mut batch.events)))
                .collect();
            batch.answers.push(PublishAnswer { to: from, results });
        }
        if batch.answers.is_empty() {
            return false;
        }
        self.keep_and_hand_out(batch);
        true
    }

    /// Gives an event its place behind `newest` and encodes it. A publisher's id that is kept already is answered
    /// as it was the first time, and nothing is kept twice.
    fn place(
        &mut self,
        event: Event,
        newest: &mut Position,
        now: UnixMillis,
        batch: &mut Vec<SharedEvent>,
    ) -> Box<str> {
        if let Some(id) = &event.id
            && (self.log.find(id).is_some()
                || batch.iter().any(|placed| placed.publisher_id.as_ref() == Some(id)))
        {
            return id.clone();
        }
        let incarnation = self.log.incarnation();
        let id = if event.ephemeral {
            self.ephemerals += 1;
            EventId { incarnation, position: *newest, ephemeral: Some(self.ephemerals) }
        } else {
            *newest = newest.next();
            EventId::kept(incarnation, *newest)
        };
        let wire_id: Box<str> = event.id.clone().unwrap_or_else(|| id.to_string().into());
        let frame = Frame::encode(&event, &wire_id);
        batch.push(Arc::new(SequencedEvent {
            position: *newest,
            id,
            publisher_id: event.id,
            audience: event.audience,
            private: event.private,
            expires: event.ttl.map(|ttl| UnixMillis(now.0.saturating_add(ttl.as_millis() as u64))),
            ephemeral: event.ephemeral,
            sequenced: now,
            frame,
        }));
        wire_id
    }

    /// Nobody is shown an event, and no publisher told that it was taken, before the log has it.
    fn keep_and_hand_out(&mut self, Batch { events, answers }: Batch) {
        let kept: Vec<SharedEvent> = events.iter().filter(|event| !event.ephemeral).cloned().collect();
        let answers = match self.log.append(&kept) {
            Ok(()) => {
                for event in events {
                    for shard in &self.shards {
                        hand_in(event.clone(), |event| shard.try_send_event(event));
                    }
                }
                answers
            }
            Err(error) => {
                tracing::error!(%error, source = %error.source, "publishers are answered 503");
                answers.into_iter().map(not_kept).collect()
            }
        };
        for answer in answers {
            let shard = &self.shards[answer.to.shard.0 as usize];
            hand_in(Mail::Published(answer), |mail| shard.try_send(mail));
        }
    }
}

/// An answer to a request of which nothing was kept.
fn not_kept(answer: PublishAnswer) -> PublishAnswer {
    let results = answer.results.into_iter().map(|result| result.and(Err(Refused::not_kept()))).collect();
    PublishAnswer { to: answer.to, results }
}
