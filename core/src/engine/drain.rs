//! Stopping: nothing new comes in, publishes are answered, streams are ended in paced steps and told when to return.

use std::time::Duration;

use bytes::Bytes;

use crate::close_reason::CloseReason;
use crate::connection::state::Phase;
use crate::http::control;
use crate::time::Instant;

use super::Engine;

/// Between two steps of ending streams.
const STEP: Duration = Duration::from_millis(20);

/// Streams that end in a second at least: a shard with few of them need not take the whole window.
const ENDS_A_SECOND_MIN: u32 = 100;

/// How long streams that have yet to be sent something are waited for once all others have ended, and requests that
/// are not complete.
const PATIENCE: Duration = Duration::from_secs(2);

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    /// The window over which streams end, and clients are asked to come back.
    over: Duration,
    /// Absent while requests are being finished.
    ending: Option<Ending>,
}

/// Streams are being ended, at an even pace.
#[derive(Debug)]
struct Ending {
    begun: Instant,
    next: Instant,
    /// How long it takes until all that were there have ended; at most the window.
    takes: Duration,
    /// Streams there were.
    streams: u32,
    /// Streams that have ended.
    ended: u32,
    /// The slot to go on from.
    position: u32,
}

impl Drain {
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.ending.as_ref().map(|ending| ending.next)
    }
}

impl Ending {
    fn of(streams: u32, over: Duration, now: Instant) -> Self {
        let takes = over.min(Duration::from_secs(1) * streams / ENDS_A_SECOND_MIN);
        Self { begun: now, next: now, takes, streams, ended: 0, position: 0 }
    }

    /// How many streams may end now that have not: those of the present step included.
    fn due(&self, now: Instant) -> u32 {
        let passed = now.since(self.begun) + STEP;
        if passed >= self.takes {
            // Those that were passed over too.
            return u32::MAX;
        }
        let due = u128::from(self.streams) * passed.as_nanos() / self.takes.as_nanos();
        u32::try_from(due).unwrap_or(u32::MAX).saturating_sub(self.ended)
    }

    /// What is not waited for any more.
    fn impatience(&self, now: Instant) -> Impatience {
        Impatience {
            with_streams: now >= self.begun + self.takes + PATIENCE,
            with_requests: now >= self.begun + PATIENCE,
        }
    }
}

#[derive(Clone, Copy)]
struct Impatience {
    with_streams: bool,
    with_requests: bool,
}

impl Engine {
    /// Begins to stop: no new stream, no new publish, no connection kept for another request. Once
    /// [`Engine::unfinished_requests`] is 0 on every shard, or patience is over, [`Engine::end_streams`] comes next:
    /// streams end over `over`, and if they are so few that they end sooner, their clients are asked to return over the
    /// rest of it.
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

    /// Ends the streams of a draining engine, each once it has been sent everything, at an even pace over the window or
    /// faster if they are few. Done when [`Engine::is_drained`].
    pub fn end_streams(&mut self) {
        let (now, streams) = (self.now.instant, self.streams);
        if let Some(drain) = &mut self.drain {
            let over = drain.over;
            drain.ending.get_or_insert_with(|| Ending::of(streams, over, now));
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
        let unused = over.saturating_sub(ending.takes);
        let (first, due, impatience) = (ending.position, ending.due(now), ending.impatience(now));
        let (mut looked_at, mut ended) = (0, 0);
        while looked_at < slots && ended < due {
            let index = (first + looked_at) % slots;
            ended += u32::from(self.drain_one(index, unused, impatience));
            looked_at += 1;
        }
        if let Some(Drain { ending: Some(ending), .. }) = &mut self.drain {
            ending.position = (first + looked_at) % slots.max(1);
            ending.ended += ended;
        }
    }

    /// Ends what may end now; whether it was a stream. A stream that waits for events, or a request that is not
    /// complete, is not hurried.
    fn drain_one(&mut self, index: u32, unused: Duration, impatience: Impatience) -> bool {
        let Some(connection) = self.arena.by_index(index) else { return false };
        let row = &self.hot[index as usize];
        match connection.state.phase() {
            Phase::Streaming if impatience.with_streams || (row.pending == 0 && self.is_quiet(index)) => {
                let bytes = self.drain_notice(index, unused);
                self.begin_goodbye(index, bytes, CloseReason::Drain);
                true
            }
            Phase::Head if impatience.with_requests || self.is_between_requests(index) => {
                self.end(index, CloseReason::Drain);
                false
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

    /// What the pace has not used of the window, the reconnection times do.
    fn drain_notice(&mut self, index: u32, unused: Duration) -> Bytes {
        let retry = self.settings.stream.retry;
        let retry = self.retry_within(retry, retry + unused);
        let framing = self.hot[index as usize].framing;
        control::drain(framing, retry)
    }
}
