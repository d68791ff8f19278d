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
    /// What connections come from: one socket, or several that nobody else accepts from. None once the hub stops.
    listeners: Vec<Source>,
    capacity: u32,
    /// Over all of them, those whose listener is gone included.
    armed: u32,
    rests_until: Option<Instant>,
    /// A token for each accept that is armed.
    pace: TokenBucket,
    /// When there are tokens again, if there were too few.
    paced_until: Option<Instant>,
}

/// A listener, and the accepts that are armed on it.
struct Source {
    listener: Listener,
    armed: u32,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<Listener>, capacity: u32, rate: u32, now: Instant) -> Self {
        let listeners = listeners.into_iter().map(|listener| Source { listener, armed: 0 }).collect();
        let pace = TokenBucket::new(rate, rate / BURST_PART, now);
        Self { listeners, capacity, armed: 0, rests_until: None, pace, paced_until: None }
    }

    /// The configuration has changed.
    pub(super) fn follow(&mut self, rate: u32, user_timeout: Duration, now: Instant) {
        self.pace.set_rate(rate, rate / BURST_PART, now);
        for source in &self.listeners {
            if let Err(error) = source.listener.set_user_timeout(user_timeout) {
                tracing::warn!(%error, "the kernel does not take another time-out for dead peers");
            }
        }
    }

    /// Arms as many accepts as the free slots allow.
    pub(super) fn arm(&mut self, ring: &mut Ring, connections: u32, now: Instant) {
        if self.listeners.is_empty() || self.rests_until.is_some_and(|until| now < until) {
            return;
        }
        self.rests_until = None;
        let free = self.capacity.saturating_sub(connections + MARGIN);
        let wanted = ACCEPTS.min(free).saturating_sub(self.armed);
        let allowed = self.pace.take(wanted, now);
        self.paced_until = (allowed < wanted).then(|| self.pace.when(PACE_BATCH));
        let most = self.armed + allowed;
        let share = (ACCEPTS / self.listeners.len() as u32).max(1);
        for (number, source) in self.listeners.iter_mut().enumerate() {
            // The name of an accept says which listener it is of.
            let name = token(Operation::Accept, ConnectionId { index: number as u32, generation: 0 });
            while source.armed < share && self.armed < most && ring.accept(&source.listener, name).is_ok() {
                source.armed += 1;
                self.armed += 1;
            }
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

    /// Accepts that are armed, or whose end has not been seen.
    pub(super) fn armed(&self) -> u32 {
        self.armed
    }

    /// An accept of the listener with this number has ended.
    pub(super) fn on_end(&mut self, number: u32) {
        self.armed -= 1;
        if let Some(source) = self.listeners.get_mut(number as usize) {
            source.armed -= 1;
        }
    }

    pub(super) fn on_failure(&mut self, number: u32, errno: Errno, now: Instant) {
        self.on_end(number);
        if matches!(errno, Errno::NFILE | Errno::MFILE | Errno::NOMEM | Errno::NOBUFS) {
            if self.rests_until.is_none() {
                tracing::warn!(%errno, "the kernel cannot accept at present, trying again soon");
            }
            self.rests_until = Some(now + REST).filter(|_| !self.listeners.is_empty());
        }
    }

    /// Accepts no more, and gives the address up if nobody else has the socket.
    pub(super) fn stop(&mut self, ring: &mut Ring) {
        // There is nothing to be tried again, and nobody must be woken for it.
        (self.rests_until, self.paced_until) = (None, None);
        if !std::mem::take(&mut self.listeners).is_empty() {
            ring.cancel_accepts();
        }
    }
}
