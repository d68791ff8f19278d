//! Accepting at a pace: a few oneshot accepts at a time, none near the end of the table.
//!
//! No more are accepted in a second than `limits.accept_rate`: a herd that comes back waits in the kernel's queue, and the
//! turns in between are for the streams that are there.
//!
//! With no free slot the kernel would accept a connection only to close it; so the last slots are kept for those who
//! move in from other shards, and whoever else comes waits in the listener's queue.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::time::Instant;
use corecast_core::token_bucket::TokenBucket;
use corecast_ring::{Errno, Listener, Ring};

use super::token::{Operation, token};

/// Accepts armed at once: 16 to 256 cost the same (io-uring.md §5.3).
pub(crate) const ACCEPTS: u32 = 64;

/// Slots that accepting leaves free.
pub(crate) const MARGIN: u32 = 192;

/// A burst is what comes in this part of a second.
const BURST_PART: u32 = 2;

/// Accepting goes on once so many may be accepted: a wake-up for each would cost as much as they do.
const PACE_BATCH: u32 = 16;

/// How long accepting rests after the kernel ran out of something.
const REST: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Acceptor {
    /// Absent once the hub stops.
    listener: Option<Listener>,
    capacity: u32,
    armed: u32,
    rests_until: Option<Instant>,
    /// A token for each accept that is armed.
    pace: TokenBucket,
    /// When there are tokens again, if there were too few.
    paced_until: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(listener: Listener, capacity: u32, rate: u32, now: Instant) -> Self {
        let pace = TokenBucket::new(rate, rate / BURST_PART, now);
        Self { listener: Some(listener), capacity, armed: 0, rests_until: None, pace, paced_until: None }
    }

    /// The configuration has changed.
    pub(super) fn follow(&mut self, rate: u32, user_timeout: Duration, now: Instant) {
        self.pace.set_rate(rate, rate / BURST_PART, now);
        if let Some(Err(error)) = self.listener.as_ref().map(|it| it.set_user_timeout(user_timeout)) {
            tracing::warn!(%error, "the kernel does not take another time-out for dead peers");
        }
    }

    /// Arms as many accepts as the free slots allow.
    pub(super) fn arm(&mut self, ring: &mut Ring, connections: u32, now: Instant) {
        let Some(listener) = &self.listener else { return };
        if self.rests_until.is_some_and(|until| now < until) {
            return;
        }
        self.rests_until = None;
        let free = self.capacity.saturating_sub(connections + MARGIN);
        let wanted = ACCEPTS.min(free).saturating_sub(self.armed);
        let allowed = self.pace.take(wanted, now);
        self.paced_until = (allowed < wanted).then(|| self.pace.when(PACE_BATCH));
        let most = self.armed + allowed;
        let name = token(Operation::Accept, ConnectionId { index: 0, generation: 0 });
        while self.armed < most && ring.accept(listener, name).is_ok() {
            self.armed += 1;
        }
        self.pace.give_back(most - self.armed);
    }

    /// Slots that may still be moved into.
    pub(super) fn room(&self, connections: u32) -> u32 {
        self.capacity.saturating_sub(connections + self.armed)
    }

    /// When accepting is to be tried again, if it rests.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.rests_until.or(self.paced_until)
    }

    pub(super) fn on_end(&mut self) {
        self.armed -= 1;
    }

    pub(super) fn on_failure(&mut self, errno: Errno, now: Instant) {
        self.armed -= 1;
        if matches!(errno, Errno::NFILE | Errno::MFILE | Errno::NOMEM | Errno::NOBUFS) {
            if self.rests_until.is_none() {
                tracing::warn!(%errno, "the kernel cannot accept at present, trying again soon");
            }
            self.rests_until = Some(now + REST);
        }
    }

    /// Accepts no more, and gives the address up.
    pub(super) fn stop(&mut self, ring: &mut Ring) {
        if self.listener.take().is_some() {
            ring.cancel_accepts();
        }
    }
}
