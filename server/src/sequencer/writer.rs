//! What the sequencer does with a batch: gives each event its place, encodes it once, and has the log keep it.
//!
//! Invariant: nobody is shown an event, and no publisher told that it was taken, before the log has it.
//! Not here: threads and queues. The simulator runs this as it is.

use std::collections::HashMap;
use std::sync::Arc;

use corecast_core::engine::output::{PublishAnswer, PublishRequest, Refused};
use corecast_core::event::{Event, SequencedEvent, SharedEvent};
use corecast_core::frame::Frame;
use corecast_core::id::{EventId, Position};
use corecast_core::idempotency::EventKey;
use corecast_core::time::{Instant, UnixMillis};

use crate::log::{Log, LogError, Retention};

/// Places events in one log, in one order.
pub struct Writer<L> {
    log: L,
    /// Ephemeral events so far: the last part of their ids.
    ephemerals: u64,
}

/// What is made of one batch of requests.
#[derive(Debug, Default)]
pub struct Written {
    /// For every shard, in order; kept and ephemeral ones.
    pub events: Vec<SharedEvent>,
    /// For the publishers, in the order of their requests.
    pub answers: Vec<PublishAnswer>,
    /// Why nothing of it was kept; then there are no events, and the answers say so.
    pub error: Option<LogError>,
}

/// A batch before the log has it.
struct Batch {
    events: Vec<SharedEvent>,
    newest: Position,
    now: UnixMillis,
    by_publisher_id: HashMap<Box<str>, Position>,
    by_key: HashMap<EventKey, Position>,
}

impl<L: Log> Writer<L> {
    /// Goes on where the log ends.
    #[must_use]
    pub const fn new(log: L) -> Self {
        Self { log, ephemerals: 0 }
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &L {
        &self.log
    }

    /// The log, when nothing more is to be written.
    pub fn into_log(self) -> L {
        self.log
    }

    /// Lets the log keep so much, and let go of what is more.
    pub fn set_retention(&mut self, retention: &Retention, now: UnixMillis) {
        self.log.set_retention(retention);
        // Of nothing: a log that cannot keep anything has said so to who wanted it to.
        let _ = self.log.append(&[], now);
    }

    /// Places and keeps what `requests` publish: all of it or nothing.
    pub fn write(&mut self, requests: Vec<Box<PublishRequest>>, now: UnixMillis) -> Written {
        let mut batch = Batch {
            events: Vec::new(),
            newest: self.log.newest(),
            now,
            by_publisher_id: HashMap::new(),
            by_key: HashMap::new(),
        };
        let answers = requests.into_iter().map(|request| self.place_all(*request, &mut batch)).collect();
        let kept: Vec<SharedEvent> = batch.events.iter().filter(|event| !event.ephemeral).cloned().collect();
        match self.log.append(&kept, now) {
            Ok(()) => Written { events: batch.events, answers, error: None },
            Err(error) => {
                let answers = answers.into_iter().map(not_kept).collect();
                Written { events: Vec::new(), answers, error: Some(error) }
            }
        }
    }

    fn place_all(&mut self, request: PublishRequest, batch: &mut Batch) -> PublishAnswer {
        let PublishRequest { from, key, published, events } = request;
        let events = events.into_iter().enumerate();
        let results = events.map(|(index, event)| {
            let event = event?;
            let key = key.map(|key| key.event(index)).filter(|_| !event.ephemeral);
            Ok(self.place(event, key, published, batch))
        });
        PublishAnswer { to: from, results: results.collect() }
    }

    /// Gives an event its place behind the newest and encodes it. What is kept already, under the publisher's id or
    /// the key of its request, is answered as it was the first time, and nothing is kept twice.
    fn place(
        &mut self,
        event: Event,
        key: Option<EventKey>,
        published: Instant,
        batch: &mut Batch,
    ) -> Box<str> {
        if let Some(known) = self.find(&event, key, batch) {
            return known;
        }
        let incarnation = self.log.incarnation();
        let id = if event.ephemeral {
            self.ephemerals += 1;
            EventId { incarnation, position: batch.newest, ephemeral: Some(self.ephemerals) }
        } else {
            batch.newest = batch.newest.next();
            EventId::kept(incarnation, batch.newest)
        };
        let wire_id: Box<str> = event.id.clone().unwrap_or_else(|| id.to_string().into());
        let frame = Frame::encode(&event, &wire_id);
        if let Some(id) = &event.id {
            batch.by_publisher_id.insert(id.clone(), batch.newest);
        }
        if let Some(key) = key {
            batch.by_key.insert(key, batch.newest);
        }
        let ttl_ms = event.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        batch.events.push(Arc::new(SequencedEvent {
            position: batch.newest,
            id,
            publisher_id: event.id,
            key,
            audience: event.audience,
            private: event.private,
            expires: ttl_ms.map(|ms| UnixMillis(batch.now.0.saturating_add(ms))),
            ephemeral: event.ephemeral,
            sequenced: batch.now,
            published,
            frame,
        }));
        wire_id
    }

    /// The id of the event that was published before under this id or key, in the log or in the batch. Under a known key it
    /// is the hub's own, if another id comes with it than came the first time: nothing is kept under that one.
    fn find(&self, event: &Event, key: Option<EventKey>, batch: &Batch) -> Option<Box<str>> {
        let by_id = |id: &str| self.log.find(id).or_else(|| batch.by_publisher_id.get(id).copied());
        let by_key = |key: EventKey| self.log.find_key(&key).or_else(|| batch.by_key.get(&key).copied());
        if let Some(id) = &event.id
            && by_id(id).is_some()
        {
            return Some(id.clone());
        }
        key.and_then(by_key).map(|first| self.own_id(first))
    }

    fn own_id(&self, position: Position) -> Box<str> {
        EventId::kept(self.log.incarnation(), position).to_string().into()
    }
}

/// An answer to a request of which nothing was kept.
fn not_kept(answer: PublishAnswer) -> PublishAnswer {
    let results = answer.results.into_iter().map(|result| result.and(Err(Refused::not_kept()))).collect();
    PublishAnswer { to: answer.to, results }
}
