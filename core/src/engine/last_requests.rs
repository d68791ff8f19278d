//! Before a drain: connections are let go of without losing a request that is on its way.
//!
//! A connection that is closed while it waits may be closed in the moment in which its client sends the next request,
//! and a publisher cannot know then what became of it. So for a moment every request is still answered, and its
//! answer says that the connection ends with it.
//! Not here: what is refused from the drain on (`drain`).

use crate::close_reason::CloseReason;
use crate::connection::state::{Phase, State};
use crate::limits::LAST_REQUESTS_PATIENCE;
use crate::time::Instant;

use super::Engine;

impl Engine {
    /// No connection is kept for another request once it has had an answer. Who has waited for one for longer than
    /// [`LAST_REQUESTS_PATIENCE`] already is closed now: it is not likely to send one this very moment. Once
    /// [`Engine::awaited_requests`] is 0 on every shard, or that patience is over, [`Engine::begin_drain`] comes next.
    pub fn begin_last_requests(&mut self) {
        self.last_requests = true;
        let now = self.now.instant;
        for index in 0..self.hot.len() as u32 {
            let waits_since = self.arena.by_index(index).and_then(|_| self.waits_since(index));
            if waits_since.is_some_and(|since| now.since(since) > LAST_REQUESTS_PATIENCE) {
                self.end(index, CloseReason::Drain);
            }
        }
    }

    /// Connections that have a request to be answered, or may send one. Costs O(connections): ask before a drain.
    #[must_use]
    pub fn awaited_requests(&self) -> u32 {
        let is_awaited = |index: &u32| {
            self.arena.by_index(*index).is_some_and(|connection| match connection.state.phase() {
                Phase::Head | Phase::Publishing | Phase::Answering => true,
                Phase::Moving | Phase::Streaming | Phase::Draining | Phase::Closing => false,
            })
        };
        (0..self.hot.len() as u32).filter(is_awaited).count() as u32
    }

    /// Since when a connection has waited for a request of which nothing has come.
    fn waits_since(&self, index: u32) -> Option<Instant> {
        if !self.is_between_requests(index) {
            return None;
        }
        let State::Head(intake) = &self.connection(index).state else { return None };
        let head_timeout = self.settings.limits.head_timeout;
        let patience = if intake.keep_alive {
            self.settings.stream.idle_timeout.unwrap_or(head_timeout)
        } else {
            head_timeout
        };
        Some(intake.deadline - patience)
    }
}
