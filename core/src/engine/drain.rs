//! Stopping: nothing new comes in, publishes are answered, streams are ended in paced steps and told when to return.

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::connection::state::Phase;
use crate::http::control;
use crate::time::Instant;

use super::Engine;
use super::stream::clamp_ms;

/// Between two steps of ending streams.
const STEP: Duration = Duration::from_millis(20);

/// Ten thousand streams leave in so many batches; few leave at once.
const STEPS: u32 = 50;

/// Fewest streams ended in a step.
const BATCH_MIN: u32 = 64;

/// How long streams that have yet to be sent something, and requests that are not complete, are waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    /// The window over which clients are asked to come back.
    over: Duration,
    /// Absent while requests are being finished.
    ending: Option<Ending>,
}

/// Streams are being ended.
#[derive(Debug)]
struct Ending {
    next: Instant,
    patience: Instant,
    batch: u32,
    /// The slot to go on from.
    position: u32,
}

impl Drain {
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.ending.as_ref().map(|ending| ending.next)
    }
}

impl Engine {
    /// Begins to stop: no new stream, no new publish, no connection kept for another request. Once
    /// [`Engine::unfinished_requests`] is 0 on every shard, or patience is over, [`Engine::end_streams`] comes next;
    /// its clients are asked to return spread over `over`.
    pub fn begin_drain(&mut self, over: Duration) {
        if self.drain.is_none() {
            self.drain = Some(Drain { over, ending: None });
            for index in 0..self.hot.len() as u32 {
                if self.arena.by_index(index).is_some() && self.is_between_requests(index) {
                    self.end(index, CloseReason::Drain);
                }
            }
        }
    }

    /// Requests that have begun and are not answered. Costs O(connections): ask while draining.
    #[must_use]
    pub fn unfinished_requests(&self) -> u32 {
        let unfinished = |index: &u32| {
            self.arena.by_index(*index).is_some_and(|connection| match connection.state.phase() {
                Phase::Head => !self.is_between_requests(*index),
                Phase::Publishing | Phase::Answering => true,
                Phase::Moving | Phase::Streaming | Phase::Draining | Phase::Closing => false,
            })
        };
        (0..self.hot.len() as u32).filter(unfinished).count() as u32
    }

    /// Ends the streams of a draining engine, each once it has been sent everything, in paced steps. Done when
    /// [`Engine::is_drained`].
    pub fn end_streams(&mut self) {
        let now = self.now.instant;
        let batch = (self.streams / STEPS).max(BATCH_MIN);
        if let Some(drain) = &mut self.drain {
            let ending = Ending { next: now, patience: now + PATIENCE, batch, position: 0 };
            drain.ending.get_or_insert(ending);
            self.step_drain();
        }
    }

    /// Whether a drain is under way.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Whether a drain is over: no connection is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.ending.is_some()) && self.arena.is_empty()
    }

    pub(super) fn step_drain(&mut self) {
        let now = self.now.instant;
        let slots = self.hot.len() as u32;
        let Some(Drain { over, ending: Some(ending) }) = &mut self.drain else { return };
        if ending.next > now {
            return;
        }
        ending.next = now + STEP;
        let (over, first, batch, impatient) = (*over, ending.position, ending.batch, ending.patience <= now);
        let (mut looked_at, mut ended) = (0, 0);
        while looked_at < slots && ended < batch {
            let index = (first + looked_at) % slots;
            ended += u32::from(self.drain_one(index, over, impatient));
            looked_at += 1;
        }
        if let Some(Drain { ending: Some(ending), .. }) = &mut self.drain {
            ending.position = (first + looked_at) % slots.max(1);
        }
    }

    /// Ends what may end now. A stream that waits for events, or a request that is not complete, is not hurried.
    fn drain_one(&mut self, index: u32, over: Duration, impatient: bool) -> bool {
        let Some(connection) = self.arena.by_index(index) else { return false };
        let row = &self.hot[index as usize];
        match connection.state.phase() {
            Phase::Streaming if impatient || (row.pending == 0 && self.is_quiet(index)) => {
                let bytes = self.drain_notice(index, over);
                self.begin_goodbye(index, bytes, CloseReason::Drain);
                true
            }
            Phase::Head if impatient || self.is_between_requests(index) => {
                self.end(index, CloseReason::Drain);
                true
            }
            Phase::Streaming
            | Phase::Head
            | Phase::Publishing
            | Phase::Answering
            | Phase::Moving
            | Phase::Draining
            | Phase::Closing => false,
        }
    }

    fn drain_notice(&mut self, index: u32, over: Duration) -> bytes::Bytes {
        let retry = self.settings.stream.retry;
        let retry = clamp_ms(self.jittered(retry, over));
        let framing = self.hot[index as usize].framing;
        control::drain(framing, retry)
    }
}
