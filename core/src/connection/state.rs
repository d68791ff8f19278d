//! The states of a connection, and which may follow which.
//!
//! Each line is a way through them; together they are all the ways there are:
//!
//! ```text
//!  Head ─▶ Answering ─▶ Head                          a request, and the connection is kept
//!  Head ─▶ Publishing ─▶ Answering                    a post, once the sequencer has spoken
//!  Head ─▶ Streaming ─▶ Draining ─▶ Closing           a stream at home, to its goodbye
//!  Head ─▶ Moving                                     a stream whose home is another shard, until it is passed on
//!  Moving ─▶ Streaming                                an arrival from another shard
//!  Head, Publishing, Moving ─▶ Draining               the last answer on a connection, a refusal
//!  Head, Publishing, Answering, Moving ─▶ Closing     the peer is gone, patience is at its end
//!  Streaming ─▶ Closing                               the same, the token is, or the history went on without it
//! ```
//!
//! A connection begins as `Head` when it is accepted and as `Moving` when it arrives. Its slot is free when the host
//! has closed it (`Closing`) or passed it on (`Moving`).
//! Only `Streaming` has what a stream needs. `Closing` lasts until the host says that the kernel has given
//! everything back.

use std::num::NonZeroU64;

use super::compact::{Expiry, Past};
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
    Closing {
        /// Whether it ended within a frame.
        is_cut: bool,
    },
}

/// What a stream needs beside its places in the indexes. Every idle stream has one, so it is kept small.
#[derive(Debug)]
pub(crate) struct Stream {
    /// See [`Stream::cursor`].
    cursor: Option<NonZeroU64>,
    /// The end of its token.
    pub(crate) expires: Expiry,
    /// When it was opened.
    pub(crate) opened: Past,
    /// Bytes that came after the request: ignored, up to a bound.
    pub(crate) stray_bytes: u16,
    /// Whether the warning before the token's end has been sent.
    pub(crate) warned: bool,
    /// Whether heartbeats are events that the page can see.
    pub(crate) visible_heartbeat: bool,
    /// How its body is delimited.
    pub(crate) framing: Framing,
}

const _: () = assert!(size_of::<State>() <= 24, "each connection has one");

impl Stream {
    /// A stream that begins to read history at `cursor`.
    pub(crate) const fn new(cursor: Position, opened: Past, expires: Expiry, framing: Framing) -> Self {
        Self {
            cursor: NonZeroU64::new(cursor.0),
            expires,
            opened,
            stray_bytes: 0,
            warned: false,
            visible_heartbeat: false,
            framing,
        }
    }

    /// The next position to look at in history. Absent exactly while the stream is live.
    pub(crate) fn cursor(&self) -> Option<Position> {
        self.cursor.map(|cursor| Position(cursor.get()))
    }

    /// Sets the cursor, which is behind some position and so not 0; returns the one before.
    pub(crate) fn set_cursor(&mut self, cursor: Option<Position>) -> Option<Position> {
        let before = self.cursor();
        self.cursor = cursor.and_then(|cursor| NonZeroU64::new(cursor.0));
        before
    }
}

/// The names of the states, for the table of transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// A request is read, or waited for.
    Head,
    /// What it published is with the sequencer.
    Publishing,
    /// An answer goes out.
    Answering,
    /// On the way to its home shard.
    Moving,
    /// An event stream.
    Streaming,
    /// Its last bytes go out.
    Draining,
    /// The host has been told to close it.
    Closing,
}

impl Phase {
    /// How many phases there are: tables are indexed by `index`.
    pub const COUNT: usize = Self::ALL.len();

    /// Every phase, in order.
    pub const ALL: [Self; 7] = [
        Self::Head,
        Self::Publishing,
        Self::Answering,
        Self::Moving,
        Self::Streaming,
        Self::Draining,
        Self::Closing,
    ];

    /// Its place in `ALL`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics and on the admin API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Publishing => "publishing",
            Self::Answering => "answering",
            Self::Moving => "moving",
            Self::Streaming => "streaming",
            Self::Draining => "draining",
            Self::Closing => "closing",
        }
    }
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
            Self::Closing { .. } => Phase::Closing,
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
            | Self::Closing { .. } => None,
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
            Self::Answering => matches!(next, Self::Head | Self::Closing),
            // An arrival is `Moving` until it is admitted or refused; a departure, until the host has passed it on.
            Self::Moving => matches!(next, Self::Streaming | Self::Draining | Self::Closing),
            Self::Streaming => matches!(next, Self::Draining | Self::Closing),
            Self::Draining => matches!(next, Self::Closing),
            Self::Closing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn phases(names: &str) -> Vec<Phase> {
        let by_name = |name: &str| Phase::ALL.into_iter().find(|phase| format!("{phase:?}") == name);
        names.split(',').map(|name| by_name(name.trim()).expect(names)).collect()
    }

    /// Every arrow of the picture at the head of this file.
    fn arrows_of_the_picture() -> BTreeSet<(Phase, Phase)> {
        let source = include_str!("state.rs");
        let picture = source.split("//! ```").nth(1).expect("the file begins with a picture");
        let mut arrows = BTreeSet::new();
        for line in picture.lines().filter_map(|line| line.strip_prefix("//!  ")) {
            // Behind the way, after two spaces, stands what it means.
            let way = line.split("  ").next().unwrap();
            let stops: Vec<_> = way.split(" ─▶ ").map(phases).collect();
            for pair in stops.windows(2) {
                arrows.extend(pair[0].iter().flat_map(|&from| pair[1].iter().map(move |&to| (from, to))));
            }
        }
        arrows
    }

    #[test]
    fn the_picture_shows_every_transition_and_no_other() {
        let pairs = Phase::ALL.into_iter().flat_map(|from| Phase::ALL.map(|to| (from, to)));
        let allowed: BTreeSet<_> = pairs.filter(|(from, to)| from.may_become(*to)).collect();
        assert_eq!(arrows_of_the_picture(), allowed);
    }

    #[test]
    fn every_phase_stands_at_its_own_index() {
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase.index(), index, "{}", phase.label());
        }
    }

    #[test]
    fn every_connection_can_end() {
        let arrows = arrows_of_the_picture();
        for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Closing) {
            assert!(arrows.contains(&(phase, Phase::Closing)), "{phase:?}");
        }
    }
}
