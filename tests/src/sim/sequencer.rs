//! The hub's own writer over a real log, and a model of what is around it: the queue, and letters to shards.
//!
//! Not here: when it runs, and who looks at what it hands out.

use std::collections::VecDeque;

use corecast::log::Retention;
use corecast::sequencer::{Writer, Written};
use corecast_core::engine::output::{PublishAnswer, PublishRequest};
use corecast_core::event::{Event, SharedEvent};
use corecast_core::time::UnixMillis;

use super::kept::SimLog;

/// Requests kept by one append.
const BATCH_REQUESTS_MAX: usize = 16;

/// See the module.
pub(super) struct Sequencer {
    writer: Writer<SimLog>,
    requests: VecDeque<Box<PublishRequest>>,
    requests_max: usize,
    /// What has been written and nobody was told of yet.
    written: Option<Written>,
    /// Handed out next, in this order.
    letters: VecDeque<Letter>,
}

/// What each request of a batch asked for: `None` is what was refused before.
type HandedIn = Vec<Vec<Option<Event>>>;

/// What the sequencer hands to a shard.
#[derive(Debug)]
pub(super) enum Letter {
    /// The next event of the log, for this shard.
    Event(usize, SharedEvent),
    /// The answer to a publish.
    Answer(PublishAnswer),
}

/// What became of one event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It has its place now.
    Placed(Event, SharedEvent),
    /// It is answered as one that came before: this is the id of that.
    Repeated(Event, Box<str>),
    /// The log did not keep it.
    Refused(Event),
}

impl Sequencer {
    /// A sequencer that goes on where `log` ends, and whose queue holds `requests_max`.
    #[must_use]
    pub(super) fn new(log: SimLog, requests_max: usize) -> Self {
        Self {
            writer: Writer::new(log),
            requests: VecDeque::new(),
            requests_max,
            written: None,
            letters: VecDeque::new(),
        }
    }

    /// The log.
    #[must_use]
    pub(super) const fn log(&self) -> &SimLog {
        self.writer.log()
    }

    /// Hands in a request, or gives it back if there is no room.
    pub(super) fn try_send(&mut self, request: Box<PublishRequest>) -> Result<(), Box<PublishRequest>> {
        if self.requests.len() == self.requests_max {
            return Err(request);
        }
        self.requests.push_back(request);
        Ok(())
    }

    /// The log keeps so much from now on.
    pub(super) fn set_retention(&mut self, retention: &Retention, now: UnixMillis) {
        self.writer.set_retention(retention, now);
    }

    /// Whether there is anything to do.
    #[must_use]
    pub(super) fn has_work(&self) -> bool {
        !self.requests.is_empty() || self.written.is_some() || !self.letters.is_empty()
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

    /// The log, when nothing more is to be written.
    pub(super) fn into_log(self) -> SimLog {
        self.writer.into_log()
    }

    /// Whether a batch has been written that nobody was told of.
    #[must_use]
    pub(super) const fn has_written(&self) -> bool {
        self.written.is_some()
    }

    /// Has the log keep what waits, up to a batch, and says what became of it. Nobody else learns of it before
    /// `finish`.
    pub(super) fn write(&mut self, now: UnixMillis) -> Vec<Outcome> {
        let count = self.requests.len().min(BATCH_REQUESTS_MAX);
        let requests: Vec<_> = self.requests.drain(..count).collect();
        let of_request = |request: &PublishRequest| -> Vec<Option<Event>> {
            request.events.iter().map(|event| event.as_ref().ok().cloned()).collect()
        };
        let handed_in: HandedIn = requests.iter().map(|request| of_request(request)).collect();
        let written = self.writer.write(requests, now);
        let outcomes = match_up(handed_in, &written);
        self.written = Some(written);
        outcomes
    }

    /// Makes letters of what `write` has written.
    pub(super) fn finish(&mut self, shards: usize) {
        let Some(Written { events, answers, .. }) = self.written.take() else { return };
        self.show(events, shards);
        self.letters.extend(answers.into_iter().map(Letter::Answer));
    }

    /// Makes letters of events for every shard.
    pub(super) fn show(&mut self, events: Vec<SharedEvent>, shards: usize) {
        for event in events {
            self.letters.extend((0..shards).map(|shard| Letter::Event(shard, event.clone())));
        }
    }
}

/// Finds out from the answers alone what became of each event: it was placed if the next event that was written has
/// the id in its answer.
fn match_up(handed_in: HandedIn, written: &Written) -> Vec<Outcome> {
    assert_eq!(handed_in.len(), written.answers.len(), "one answer for each request");
    let mut placed = written.events.iter().peekable();
    let mut outcomes = Vec::new();
    for (events, answer) in handed_in.into_iter().zip(&written.answers) {
        assert_eq!(events.len(), answer.results.len(), "one result for each event of a request");
        for (event, result) in events.into_iter().zip(&answer.results) {
            outcomes.extend(match (event, result) {
                (Some(event), Ok(id)) => Some(match placed.next_if(|next| wire_id(next) == **id) {
                    Some(shared) => Outcome::Placed(event, shared.clone()),
                    None => Outcome::Repeated(event, id.clone()),
                }),
                (Some(event), Err(_)) => Some(Outcome::Refused(event)),
                (None, Ok(id)) => panic!("what was no event is answered {id}"),
                (None, Err(_)) => None,
            });
        }
    }
    assert!(placed.next().is_none(), "an event was written that no answer names");
    outcomes
}

/// The id on the wire.
fn wire_id(event: &SharedEvent) -> String {
    event.publisher_id.as_deref().map_or_else(|| event.id.to_string(), str::to_owned)
}
