//! Where a stream goes on that names the last event it has seen.
//!
//! Not here: the gap event's bytes, and what reaches the stream from there on.

use super::History;
use crate::id::{EARLIEST, EventId, Position};
use crate::limits::RESUME_AHEAD_MAX;

/// Where a stream goes on, and whether it has missed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume<'a> {
    /// After this position, and nothing is missing. It can be a little beyond `newest`: another shard was ahead, and
    /// what this one still gets up to there has been seen.
    After(Position),
    /// What lay between cannot be replayed, and the client has to be told.
    Gap {
        /// The id that was given. Anything may be in it: it came from outside.
        from: &'a str,
        /// The hub's id of the place after which the stream goes on.
        to: EventId,
    },
}

impl Resume<'_> {
    /// The position after which the stream goes on.
    #[must_use]
    pub const fn position(self) -> Position {
        match self {
            Self::After(position) => position,
            Self::Gap { to, .. } => to.position,
        }
    }
}

impl History {
    /// Where a stream goes on whose client has seen `last_event_id` (not empty: that is a client without one).
    ///
    /// | `last_event_id` | goes on | gap |
    /// |---|---|---|
    /// | of this log, from `start` to `newest` | after it | no |
    /// | of this log, up to `RESUME_AHEAD_MAX` beyond `newest` | after it | no |
    /// | of this log, further beyond | live | yes |
    /// | of this log, before `start` | with all that is kept | yes |
    /// | a publisher's, known | after it | no |
    /// | of another log | with all that is kept | yes |
    /// | `earliest` | with all that is kept | unless the log has nothing before it |
    /// | anything else | live | yes |
    ///
    /// An id nobody knows is no reason to replay everything: the client may have seen most of it. A log that was begun
    /// anew is: its events all came after the client's.
    #[must_use]
    pub fn resume<'a>(&self, last_event_id: &'a str) -> Resume<'a> {
        let gap = |to| Resume::Gap { from: last_event_id, to: EventId::kept(self.incarnation, to) };
        if last_event_id == EARLIEST {
            return if self.start == Position(0) { Resume::After(self.start) } else { gap(self.start) };
        }
        let own_form = EventId::parse(last_event_id);
        if let Some(id) = own_form.filter(|id| id.incarnation == self.incarnation) {
            return match id.position {
                position if position < self.start => gap(self.start),
                position if position.0 > self.newest.0.saturating_add(RESUME_AHEAD_MAX) => gap(self.newest),
                position => Resume::After(position),
            };
        }
        // Before the ids of other logs: one hub may publish what it got from another, with the ids it had there.
        match (self.position_of(last_event_id), own_form) {
            (Some(position), _) => Resume::After(position),
            (None, Some(_)) => gap(self.start),
            (None, None) => gap(self.newest),
        }
    }
}
