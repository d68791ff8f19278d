//! The pace of accepting: how many connections may be accepted now.
//!
//! No more are accepted in a second than `limits.accept_rate`: a herd that comes back waits in the kernel's queue, and the
//! turns in between are for the streams that are there. The last places of a shard are kept for those who move in from
//! others; whoever else comes waits in the listener's queue. Not here: the accepting itself.

use std::time::Duration;

use corecast_core::time::Instant;
use corecast_core::token_bucket::TokenBucket;
use corecast_ring::Errno;

/// Accepts in one turn, and armed at once where they can be: 16 to 256 cost the same (io-uring.md §5.3).
pub(crate) const ACCEPTS: u32 = 64;

/// Places that accepting leaves free.
pub(crate) const MARGIN: u32 = 192;

/// A burst is what comes in this part of a second.
const BURST_PART: u32 = 2;

/// Accepting goes on once so many may be accepted: a wake-up for each would cost as much as they do.
const PACE_BATCH: u32 = 16;

/// How long accepting rests after the kernel ran out of something.
const REST: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Pace {
    /// Connections that the shard can hold.
    capacity: u32,
    /// A token for each accept.
    tokens: TokenBucket,
    /// When there are tokens again, if there were too few.
    paced_until: Option<Instant>,
    rests_until: Option<Instant>,
    stopped: bool,
}

impl Pace {
    pub(super) fn new(capacity: u32, rate: u32, now: Instant) -> Self {
        let tokens = TokenBucket::new(rate, rate / BURST_PART, now);
        Self { capacity, tokens, paced_until: None, rests_until: None, stopped: false }
    }

    /// The configuration has changed.
    pub(super) fn set_rate(&mut self, rate: u32, now: Instant) {
        self.tokens.set_rate(rate, rate / BURST_PART, now);
    }

    /// How many more may be accepted, with so many connections here and so many accepts armed. What is not used of them
    /// is to be given back.
    pub(super) fn allow(&mut self, connections: u32, armed: u32, now: Instant) -> u32 {
        if self.stopped || self.rests_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.rests_until = None;
        let free = self.capacity.saturating_sub(connections + MARGIN);
        let wanted = ACCEPTS.min(free).saturating_sub(armed);
        let allowed = self.tokens.take(wanted, now);
        self.paced_until = (allowed < wanted).then(|| self.tokens.when(PACE_BATCH));
        allowed
    }

    /// So many were not accepted after all.
    pub(super) fn give_back(&mut self, accepts: u32) {
        self.tokens.give_back(accepts);
    }

    /// Nobody waits, so that there is nothing to be tried again; so many were not accepted.
    pub(super) fn on_nobody(&mut self, unused: u32) {
        self.give_back(unused);
        self.paced_until = None;
    }

    /// An accept has failed.
    pub(super) fn on_failure(&mut self, errno: Errno, now: Instant) {
        if matches!(errno, Errno::NFILE | Errno::MFILE | Errno::NOMEM | Errno::NOBUFS | Errno::NOSPC) {
            if self.rests_until.is_none() {
                tracing::warn!(%errno, "the kernel cannot accept at present, trying again soon");
            }
            self.rests_until = Some(now + REST).filter(|_| !self.stopped);
        }
    }

    /// Connections that may still move in.
    pub(super) fn room(&self, connections: u32, armed: u32) -> u32 {
        self.capacity.saturating_sub(connections + armed)
    }

    /// When accepting is to be tried again, if it rests.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.rests_until.or(self.paced_until)
    }

    /// Nobody is accepted any more, so that nobody need be woken for it.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        (self.rests_until, self.paced_until) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_that_found_nobody_has_nothing_to_try_again() {
        let now = Instant::ZERO;
        // Its bursts are of fewer than a turn may accept.
        let mut pace = Pace::new(1000, 20, now);
        let allowed = pace.allow(0, 0, now);
        assert!(allowed > 0 && allowed < ACCEPTS && pace.next_try().is_some());
        pace.on_nobody(allowed);
        assert_eq!(pace.next_try(), None);
        assert_eq!(pace.allow(0, 0, now), allowed, "what was not used is given back");
    }
}
