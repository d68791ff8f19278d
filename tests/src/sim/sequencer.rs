//! A model of the sequencer with its memory log: order, ids, publishers' repeated ids, and waiting for full inboxes.
//!
//! It does what `corecast`'s sequencer and memory log do, one batch at a time and without a thread.
//! Not here: when it runs, and who looks at what it hands out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use corecast_core::engine::output::{PublishAnswer, PublishRequest, Refused};
use corecast_core::event::{Event, SequencedEvent, SharedEvent};
use corecast_core::frame::{Frame, Framing};
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::settings::HistorySettings;
use corecast_core::time::UnixMillis;

/// Requests kept by one append.
const BATCH_REQUESTS_MAX: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Sequencer {
    incarnation: Incarnation,
    newest: Position,
    ephemerals: u64,
    retention: HistorySettings,
    /// What the log keeps.
    kept: VecDeque<SharedEvent>,
    kept_bytes: usize,
    by_publisher_id: BTreeMap<Box<str>, Position>,
    requests: VecDeque<Box<PublishRequest>>,
    requests_max: usize,
    /// Handed out next, in this order.
    letters: VecDeque<Letter>,
}

/// What the sequencer hands to a shard.
#[derive(Debug)]
pub(super) enum Letter {
    /// The next event of the log, for this shard.
    Event(usize, SharedEvent),
    /// The answer to a publish.
    Answer(PublishAnswer),
}

/// What became of one batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Events that have their place now, each with what the publisher handed in.
    pub(super) placed: Vec<(Event, SharedEvent)>,
}

impl Sequencer {
    /// A sequencer with an empty log, whose queue holds `requests_max`.
    #[must_use]
    pub(super) fn new(incarnation: Incarnation, retention: HistorySettings, requests_max: usize) -> Self {
        Self {
            incarnation,
            newest: Position(0),
            ephemerals: 0,
            retention,
            kept: VecDeque::new(),
            kept_bytes: 0,
            by_publisher_id: BTreeMap::new(),
            requests: VecDeque::new(),
            requests_max,
            letters: VecDeque::new(),
        }
    }

    /// Hands in a request, or gives it back if there is no room.
    pub(super) fn try_send(&mut self, request: Box<PublishRequest>) -> Result<(), Box<PublishRequest>> {
        if self.requests.len() == self.requests_max {
            return Err(request);
        }
        self.requests.push_back(request);
        Ok(())
    }

    /// Whether there is anything to do.
    #[must_use]
    pub(super) fn has_work(&self) -> bool {
        !self.requests.is_empty() || !self.letters.is_empty()
    }

    /// Whose letter is next: the sequencer waits until that shard has room.
    #[must_use]
    pub(super) fn next_letter(&self) -> Option<&Letter> {
        self.letters.front()
    }

    /// Takes the letter out that `next_letter` showed.
    pub(super) fn take_letter(&mut self) -> Option<Letter> {
        self.letters.pop_front()
    }

    /// Places what waits, keeps it unless the log `fails`, and makes letters of it.
    pub(super) fn work(&mut self, now: UnixMillis, shards: usize, fails: bool) -> Batch {
        let mut batch = Batch::default();
        let mut answers = Vec::new();
        let count = self.requests.len().min(BATCH_REQUESTS_MAX);
        let mut newest = self.newest;
        for request in self.requests.drain(..count).collect::<Vec<_>>() {
            let PublishRequest { from, events, .. } = *request;
            let results = events
                .into_iter()
                .map(|event| Ok(self.place(event?, &mut newest, now, &mut batch.placed)))
                .collect();
            answers.push(PublishAnswer { to: from, results });
        }
        if fails {
            batch.placed.clear();
            for answer in &mut answers {
                for result in &mut answer.results {
                    *result = result.clone().and(Err(Refused::not_kept()));
                }
            }
        }
        for (_, event) in &batch.placed {
            self.keep(event);
            self.letters.extend((0..shards).map(|shard| Letter::Event(shard, event.clone())));
        }
        self.trim(now);
        self.letters.extend(answers.into_iter().map(Letter::Answer));
        batch
    }

    fn place(
        &mut self,
        event: Event,
        newest: &mut Position,
        now: UnixMillis,
        placed: &mut Vec<(Event, SharedEvent)>,
    ) -> Box<str> {
        if let Some(id) = &event.id
            && (self.by_publisher_id.contains_key(id)
                || placed.iter().any(|(_, placed)| placed.publisher_id.as_ref() == Some(id)))
        {
            return id.clone();
        }
        let id = if event.ephemeral {
            self.ephemerals += 1;
            EventId { incarnation: self.incarnation, position: *newest, ephemeral: Some(self.ephemerals) }
        } else {
            *newest = newest.next();
            EventId::kept(self.incarnation, *newest)
        };
        let wire_id: Box<str> = event.id.clone().unwrap_or_else(|| id.to_string().into());
        let sequenced = SequencedEvent {
            position: *newest,
            id,
            publisher_id: event.id.clone(),
            key: None,
            audience: event.audience.clone(),
            private: event.private,
            expires: event.ttl.map(|ttl| UnixMillis(now.0.saturating_add(ttl.as_millis() as u64))),
            ephemeral: event.ephemeral,
            sequenced: now,
            frame: Frame::encode(&event, &wire_id),
        };
        placed.push((event, Arc::new(sequenced)));
        wire_id
    }

    fn keep(&mut self, event: &SharedEvent) {
        if event.ephemeral {
            return;
        }
        self.newest = event.position;
        self.kept_bytes += bytes_of(event);
        if let Some(id) = &event.publisher_id {
            self.by_publisher_id.insert(id.clone(), event.position);
        }
        self.kept.push_back(event.clone());
    }

    fn trim(&mut self, now: UnixMillis) {
        let age_ms = self.retention.age.as_millis() as u64;
        while let Some(oldest) = self.kept.front() {
            let is_too_old = oldest.sequenced.0.saturating_add(age_ms) <= now.0;
            let is_too_much =
                self.kept.len() > self.retention.events || self.kept_bytes > self.retention.bytes;
            if !is_too_old && !is_too_much {
                return;
            }
            self.kept_bytes -= bytes_of(oldest);
            if let Some(id) = &oldest.publisher_id {
                self.by_publisher_id.remove(id);
            }
            self.kept.pop_front();
        }
    }
}

/// What an event weighs in a history.
#[must_use]
pub(super) fn bytes_of(event: &SharedEvent) -> usize {
    event.frame.bytes(Framing::Chunked).len()
}
