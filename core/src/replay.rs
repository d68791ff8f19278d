//! What a shard asks of a log that keeps more than the shard's own history, and what it is told.
//!
//! Invariant: pages are runs of the log without a hole: every kept event after `after` and up to `upto` is in them.
//! Not here: how the log is read, or who is fed from a page (the engine's `replay`).

use std::sync::Arc;

use crate::event::SharedEvent;
use crate::id::Position;

/// Where a stream goes on whose last event id the shard's history does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// After this position, and nothing is missing.
    After(Position),
    /// After this position; what lay between the client's last event and it is gone.
    Gap(Position),
    /// The log does not know this id either: the stream is live from here on, behind a gap.
    Unknown,
}

/// A run of old events, read from the log.
#[derive(Clone, Debug)]
pub struct Page {
    /// The position before its first.
    pub after: Position,
    /// The last position it covers. At least one beyond `after`.
    pub upto: Position,
    /// The events, in order. Pages that several shards ask for share them.
    pub events: Arc<[SharedEvent]>,
}

/// What a request for the page with a position is answered with.
#[derive(Clone, Debug)]
pub enum PageRead {
    /// The page. It may begin before the position that was asked for.
    Page(Page),
    /// Nothing from that position up to this one can be had any more: retention took it, or it is damaged.
    Gone {
        /// Where to go on: after this.
        upto: Position,
    },
    /// The log cannot be read at present.
    Failed {
        /// The position that was asked for.
        at: Position,
    },
}
