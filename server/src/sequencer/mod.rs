//! The single writer: gives each event its place, encodes it once, has the log keep it, and only then hands it to
//! every shard and answers its publisher.
//!
//! One order for all events means that one `Last-Event-ID` resumes any mix of topics.
//! Here are the thread and its queue; what is done with a batch is in `writer`.
//! Not here: what is an acceptable event, and who may publish it (the shard has checked that).

mod writer;

pub use writer::{Writer, Written};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use corecast_core::engine::output::PublishRequest;
use crossbeam_queue::ArrayQueue;

use crate::clock;
use crate::log::{Log, LogError, Retention};
use crate::shard::bell::Bell;
use crate::shard::inbox::{Inbox, Mail, hand_in};

/// Publishes that wait for the sequencer. Beyond it publishers are told to come back: 503. 32 B each, and the
/// events of their requests, each at most `limits.event_bytes`.
pub const REQUESTS_MAX: usize = 4096;

/// Requests that are kept by one append: enough that one sync of a log is shared by many, few enough that the first
/// does not wait for long.
const BATCH_REQUESTS_MAX: usize = 1024;

/// Bytes of data that are kept by one append, after which no further request is taken into it: what a disk writes in
/// some milliseconds.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Where shards hand in what is published. All clones are the same queue.
#[derive(Clone)]
pub struct SequencerQueue {
    shared: Arc<Shared>,
}

struct Shared {
    requests: ArrayQueue<Box<PublishRequest>>,
    bell: Bell,
    /// What the log is to keep from now on, until the sequencer has told it.
    retention: Mutex<Option<Retention>>,
    stop: AtomicBool,
    refuses: AtomicBool,
    /// How often it was asked for a sign of life, and which of these it has answered.
    asked: AtomicU64,
    proven: AtomicU64,
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
            retention: Mutex::default(),
            stop: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            proven: AtomicU64::new(0),
            thread: std::sync::OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hands in the requests of a turn and then wakes the sequencer, so that one append has all of them. `refused` gets those
    /// beyond `REQUESTS_MAX`, and all once the queue takes none any more.
    pub fn send_all(
        &self,
        requests: impl Iterator<Item = Box<PublishRequest>>,
        mut refused: impl FnMut(Box<PublishRequest>),
    ) {
        let takes = !self.shared.refuses.load(Ordering::SeqCst);
        for request in requests {
            match if takes { self.shared.requests.push(request) } else { Err(request) } {
                Ok(()) => {}
                Err(request) => refused(request),
            }
        }
        self.ring();
    }

    /// Takes no request any more. A shard may be handing in some at this moment: once each has turned, what is in the queue
    /// is all there will ever be.
    pub fn refuse(&self) {
        self.shared.refuses.store(true, Ordering::SeqCst);
    }

    /// Asks the sequencer for a sign of life: it gives one with its next turn, to be seen by [`SequencerQueue::has_turned`].
    pub fn ask_to_turn(&self) -> u64 {
        let question = self.shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.ring();
        question
    }

    /// Whether the sequencer has turned since it was asked to.
    #[must_use]
    pub fn has_turned(&self, question: u64) -> bool {
        self.shared.proven.load(Ordering::SeqCst) >= question
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

    /// Lets the log keep so much from now on.
    pub fn set_retention(&self, retention: Retention) {
        *self.shared.retention.lock().unwrap_or_else(PoisonError::into_inner) = Some(retention);
        self.ring();
    }

    fn take_retention(&self) -> Option<Retention> {
        self.shared.retention.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn has_retention(&self) -> bool {
        self.shared.retention.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Lets the sequencer end once it has answered everything that waits.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.ring();
    }

    fn ring(&self) {
        if self.shared.bell.must_wake()
            && let Some(thread) = self.shared.thread.get()
        {
            thread.unpark();
        }
    }

    /// Whether the sequencer has been let go.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::SeqCst)
    }
}

/// See the module.
pub struct Sequencer<L> {
    queue: SequencerQueue,
    writer: Writer<L>,
    shards: Vec<Inbox>,
    /// Why the last append failed, if it did: said once for each cause, and once more when it works again.
    failing: Option<String>,
}

impl<L: Log> Sequencer<L> {
    /// A sequencer that has not begun.
    #[must_use]
    pub fn new(queue: SequencerQueue, log: L, shards: Vec<Inbox>) -> Self {
        Self { queue, writer: Writer::new(log), shards, failing: None }
    }

    /// Works until the queue is stopped and empty, and gives the log back. The calling thread is the sequencer's
    /// meanwhile.
    pub fn run(mut self) -> L {
        self.queue.shared.thread.get_or_init(std::thread::current);
        loop {
            while self.turn() {}
            self.queue.shared.bell.announce_sleep();
            if self.queue.is_empty() && !self.queue.has_retention() {
                if self.queue.is_stopped() {
                    return self.writer.into_log();
                }
                std::thread::park();
            }
            self.queue.shared.bell.announce_awake();
        }
    }

    /// Takes what waits, up to a batch. Whether there was anything.
    pub(crate) fn turn(&mut self) -> bool {
        let shared = &self.queue.shared;
        shared.proven.store(shared.asked.load(Ordering::SeqCst), Ordering::SeqCst);
        if let Some(retention) = self.queue.take_retention() {
            self.writer.set_retention(&retention, clock::unix_now());
        }
        let requests = self.next_batch();
        if requests.is_empty() {
            return false;
        }
        let written = self.writer.write(requests, clock::unix_now());
        // A batch of which nothing is to be kept says nothing about the log.
        if written.error.is_some() || written.events.iter().any(|event| !event.ephemeral) {
            self.report(written.error.as_ref());
        }
        self.hand_out(written);
        true
    }

    #[expect(clippy::vec_box, reason = "requests travel boxed")]
    fn next_batch(&self) -> Vec<Box<PublishRequest>> {
        let (mut requests, mut bytes) = (Vec::new(), 0);
        while requests.len() < BATCH_REQUESTS_MAX
            && bytes < BATCH_BYTES_MAX
            && let Some(request) = self.queue.shared.requests.pop()
        {
            bytes += request.events.iter().flatten().map(|event| event.data.len()).sum::<usize>();
            requests.push(request);
        }
        requests
    }

    fn report(&mut self, error: Option<&LogError>) {
        let cause = error.map(|error| error.source.to_string());
        match &cause {
            Some(cause) if self.failing.as_ref() != Some(cause) => {
                tracing::error!(cause, "the log cannot keep events, publishers are answered 503");
            }
            None if self.failing.is_some() => tracing::info!("the log keeps events again"),
            Some(_) | None => {}
        }
        self.failing = cause;
    }

    /// Each shard is woken once, when all is there: a shard that wakes for the first event, does its turn and sleeps again
    /// would have to be woken for the answer as well.
    fn hand_out(&self, Written { events, answers, .. }: Written) {
        for event in events {
            for shard in &self.shards {
                hand_in(event.clone(), |event| shard.queue_event(event));
            }
        }
        for answer in answers {
            let shard = &self.shards[answer.to.shard.0 as usize];
            hand_in(Mail::Published(answer), |mail| shard.queue(mail));
        }
        self.shards.iter().for_each(Inbox::wake_shard);
    }
}
