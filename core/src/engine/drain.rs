//! Stopping: nothing new comes in, publishes are answered, streams are ended in paced steps and told when to return.

use std::time::Duration;

use crate::close_reason::CloseReason;
use crate::connection::state::Phase;
use crate::http::control;
use crate::time::Instant;

use super::Engine;
use super::stream::clamp_ms;

/// Between two steps of a drain.
const STEP: Duration = Duration::from_millis(20);

/// A drain's steps are so many that ten thousand streams leave in batches, and few leave at once.
const STEPS: u32 = 50;

/// Fewest streams ended in a step.
const BATCH_MIN: u32 = 64;

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    /// The window over which clients are asked to come back.
    over: Duration,
    next: Option<Instant>,
    batch: u32,
    /// The slot to go on from.
    position: u32,
}

impl Drain {
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.next
    }
}

impl Engine {
    /// Begins to stop: clients are asked to return spread over `over`. Done when [`Engine::is_drained`].
    pub fn begin_drain(&mut self, over: Duration) {
        if self.drain.is_some() {
            return;
        }
        let batch = (self.streams / STEPS).max(BATCH_MIN);
        self.drain = Some(Drain { over, next: Some(self.now.instant), batch, position: 0 });
        self.step_drain();
    }

    /// Whether a drain is under way.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Whether a drain is over: no connection is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drain.is_some() && self.arena.is_empty()
    }

    pub(super) fn step_drain(&mut self) {
        let now = self.now.instant;
        let Some(drain) = &mut self.drain else { return };
        let Some(next) = drain.next else { return };
        if next > now {
            return;
        }
        let (over, mut position, mut left) = (drain.over, drain.position, drain.batch);
        let end = self.hot.len() as u32;
        while position < end && left > 0 {
            left -= u32::from(self.drain_one(position, over));
            position += 1;
        }
        if let Some(drain) = &mut self.drain {
            drain.position = position;
            // Whoever came in below meanwhile has been turned away at the door.
            drain.next = (position < end).then_some(now + STEP);
        }
    }

    /// Ends what may end now: streams, and connections between two requests. Requests under way are finished.
    fn drain_one(&mut self, index: u32, over: Duration) -> bool {
        let Some(connection) = self.arena.by_index(index) else { return false };
        match connection.state.phase() {
            Phase::Streaming => {
                let bytes = self.drain_notice(index, over);
                self.begin_goodbye(index, bytes, CloseReason::Drain);
                true
            }
            Phase::Head if self.is_between_requests(index) => {
                self.end(index, CloseReason::Drain);
                true
            }
            Phase::Head
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
