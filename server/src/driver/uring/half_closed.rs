//! Connections that wait for room, and whose peer has closed its sending half.
//!
//! A ring's poll ends for the peer's FIN whether it asks for it or not (Linux, io_uring/poll.c: `IO_POLL_UNMASK`), so that one
//! for room would end at once, for ever. These are tried again after a while instead.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::time::Instant;

/// How long they rest: whoever does read gets what both sockets hold so often.
const REST: Duration = Duration::from_millis(10);

/// So much longer for each that was tried the last time: all together are tried 10,000 times a second at most.
const REST_EACH: Duration = Duration::from_micros(100);

/// See the module.
#[derive(Default)]
pub(super) struct HalfClosed {
    waiting: Vec<ConnectionId>,
    /// When all of them are tried.
    next: Option<Instant>,
    /// How many were the last time.
    tried: u32,
}

impl HalfClosed {
    /// One more.
    pub(super) fn wait(&mut self, id: ConnectionId, now: Instant) {
        self.waiting.push(id);
        self.next.get_or_insert(now + REST + REST_EACH * self.tried);
    }

    /// When they are to be tried, if there are any.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.next
    }

    /// All, if it is time. Some may have ended meanwhile.
    pub(super) fn due(&mut self, now: Instant) -> Vec<ConnectionId> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        self.next = None;
        self.tried = self.waiting.len() as u32;
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u32) -> ConnectionId {
        ConnectionId { index, generation: 0 }
    }

    #[test]
    fn whoever_waits_is_tried_once_it_is_time_and_then_no_more() {
        let (mut half_closed, begin) = (HalfClosed::default(), Instant::ZERO);
        assert_eq!((half_closed.due(begin + REST), half_closed.next_try()), (Vec::new(), None));
        half_closed.wait(id(1), begin);
        half_closed.wait(id(2), begin + REST / 2);
        assert_eq!(half_closed.next_try(), Some(begin + REST));
        assert_eq!(half_closed.due(begin + REST / 2), []);
        assert_eq!(half_closed.due(begin + REST), [id(1), id(2)]);
        assert_eq!((half_closed.due(begin + REST * 2), half_closed.next_try()), (Vec::new(), None));
    }

    #[test]
    fn the_more_wait_the_longer_each_rests() {
        let (mut half_closed, mut now) = (HalfClosed::default(), Instant::ZERO);
        let mut tries = 0;
        while now < Instant::ZERO + Duration::from_secs(10) {
            (0..20_000).for_each(|index| half_closed.wait(id(index), now));
            now = half_closed.next_try().unwrap();
            tries += half_closed.due(now).len();
        }
        assert!(tries <= 10 * 10_000 + 2 * 20_000, "{tries} in ten seconds");
    }
}
