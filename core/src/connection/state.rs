//! The states of a connection, and which may follow which.
//!
//! ```text
//!  accept ─▶ Head ─▶ Publishing ─▶ Answering ─▶ Head (kept) …
//!              │ └────────────────────▶┘ │
//!              ├─▶ Moving ── passed on ──┼─▶ (slot free)
//!              │     │  ◀── arrival      │
//!              ├─────┴─▶ Streaming       │
//!              │             └─▶ Draining ◀────┘
//!              └──┴──────────┴─▶ Closing ─▶ (slot free)      error, peer gone: from any of them
//! ```
//!
//! Only `Streaming` has what a stream needs. `Closing` lasts until the host says that the kernel has given
//! everything back.

use std::num::NonZeroU64;

use crate::close_reason::CloseReason;
use crate::engine::intake::Intake;
use crate::frame::Framing;
use crate::id::Position;
use crate::time::Instant;

/// Where in its life a connection is.
#[derive(Debug)]
pub(crate) enum State {
    /// Reading a request; between two requests of a kept connection too.
    Head(Box<Intake>),
    /// The sequencer has what this connection published, and has not answered.
    Publishing(Box<Intake>),
    /// An answer is going out; afterwards the connection is kept.
    Answering(Box<Intake>),
    /// The host is handing the socket to its home shard.
    Moving,
    /// An event stream.
    Streaming(Stream),
    /// Its last bytes are going out; at `until` it ends without them.
    Draining {
        /// Why it ends.
        reason: CloseReason,
        /// When patience ends.
        until: Instant,
        /// Input that is still read and thrown away, so that our close is no reset that destroys the answer.
        linger_bytes: u32,
        /// Whether the host has been asked for input that it has not reported yet.
        receiving: bool,
    },
    /// The host has been told to close it.
    Closing,
}

/// What a stream needs beside its places in the indexes.
#[derive(Debug)]
pub(crate) struct Stream {
    /// When it was opened.
    pub(crate) opened: Instant,
    /// The end of its token, in Unix milliseconds.
    pub(crate) expires_unix_ms: Option<NonZeroU64>,
    /// When it is too old, by the monotonic clock.
    pub(crate) ends: Option<Instant>,
    /// The next position to look at in history. Absent exactly while the stream is live.
    pub(crate) cursor: Option<Position>,
    /// Whether the warning before the token's end has been sent.
    pub(crate) warned: bool,
    /// Whether heartbeats are events that the page can see.
    pub(crate) visible_heartbeat: bool,
    /// How its body is delimited.
    pub(crate) framing: Framing,
}

/// The names of the states, for the table of transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Head,
    Publishing,
    Answering,
    Moving,
    Streaming,
    Draining,
    Closing,
}

impl State {
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Head(_) => Phase::Head,
            Self::Publishing(_) => Phase::Publishing,
            Self::Answering(_) => Phase::Answering,
            Self::Moving => Phase::Moving,
            Self::Streaming(_) => Phase::Streaming,
            Self::Draining { .. } => Phase::Draining,
            Self::Closing => Phase::Closing,
        }
    }

    pub(crate) fn stream(&self) -> Option<&Stream> {
        match self {
            Self::Streaming(stream) => Some(stream),
            Self::Head(_)
            | Self::Publishing(_)
            | Self::Answering(_)
            | Self::Moving
            | Self::Draining { .. }
            | Self::Closing => None,
        }
    }
}

impl Phase {
    /// Whether the picture above has an arrow from `self` to `next`.
    pub(crate) fn may_become(self, next: Self) -> bool {
        match self {
            Self::Head => matches!(
                next,
                Self::Publishing
                    | Self::Answering
                    | Self::Moving
                    | Self::Streaming
                    | Self::Draining
                    | Self::Closing
            ),
            Self::Publishing => matches!(next, Self::Answering | Self::Draining | Self::Closing),
            Self::Answering => matches!(next, Self::Head | Self::Draining | Self::Closing),
            // An arrival is `Moving` until it is admitted or refused; a departure, until the host has passed it on.
            Self::Moving => matches!(next, Self::Streaming | Self::Draining | Self::Closing),
            Self::Streaming => matches!(next, Self::Draining | Self::Closing),
            Self::Draining => matches!(next, Self::Closing),
            Self::Closing => false,
        }
    }
}
