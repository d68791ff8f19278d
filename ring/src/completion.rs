//! What a ring reports: completions of queued operations, and the sends that did not go out whole.

use std::net::SocketAddr;

use rustix::event::PollFlags;

use crate::{Buffer, Errno, Slot, Token};

/// The end of a queued operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What the caller named the operation.
    pub token: Token,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a queued operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A connection was accepted into `slot`.
    Accepted {
        /// Where it is in this ring's table.
        slot: Slot,
        /// The other end, as the socket reports it: an IPv4 peer of a dual-stack listener is IPv4-mapped.
        peer: SocketAddr,
    },
    /// An accept ended without a connection. `ENFILE` with a full table: the kernel has accepted *and closed* a connection.
    AcceptFailed(Errno),
    /// A lasting receive brought bytes: [`crate::Ring::received`] reads them.
    Received {
        /// Where they are, until [`crate::Ring::give_back`].
        buffer: Buffer,
        /// Whether the receive goes on. If not, arm it again.
        goes_on: bool,
    },
    /// A [`crate::Wake`] was woken, once or more often. May be spurious.
    Woken,
    /// Anything else. For a poll [`Readiness::from_bits`] reads the value, for an arrival out of another ring it is the
    /// new [`Slot`], for a message 0; a failed `pass` comes back here as an error.
    Done(Result<u32, Errno>),
}

/// What a poll waits for. All three also end when the peer has closed its sending half, reset or vanished: the kernel adds
/// that to every poll of a ring (Linux, io_uring/poll.c: `IO_POLL_UNMASK`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// The peer has gone; bytes from it do not count.
    Hangup,
    /// There is something to read.
    Readable,
    /// There is room to send. Whoever has closed its sending half may still take what is sent later: [`Readiness::is_writable`]
    /// tells.
    Writable,
}

impl Interest {
    pub(crate) fn mask(self) -> u32 {
        let flags = match self {
            Self::Hangup => PollFlags::RDHUP,
            Self::Readable => PollFlags::IN | PollFlags::RDHUP,
            Self::Writable => PollFlags::OUT | PollFlags::RDHUP,
        };
        u32::from(flags.bits())
    }
}

/// What a poll found. Several may hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness(PollFlags);

impl Readiness {
    /// Reads the value of a poll's [`Outcome::Done`]; bits that are not known here are dropped.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(PollFlags::from_bits_truncate(bits as u16))
    }

    /// There is something to read, which may be the end of the stream.
    #[must_use]
    pub fn is_readable(self) -> bool {
        self.0.contains(PollFlags::IN)
    }

    /// There is room to send.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self.0.contains(PollFlags::OUT)
    }

    /// The peer closed its sending half and is there, and there is no room to send.
    #[must_use]
    pub fn is_half_closed(self) -> bool {
        self.0.contains(PollFlags::RDHUP)
            && !self.0.intersects(PollFlags::OUT | PollFlags::HUP | PollFlags::ERR)
    }

    /// The peer closed its sending half, reset the connection, or was given up as dead.
    #[must_use]
    pub fn is_hangup(self) -> bool {
        self.0.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }
}

/// A send that did not go out whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortSend {
    /// What the caller named it.
    pub token: Token,
    /// The bytes the socket took, fewer than were given; or why it took none: `EAGAIN` for a full socket,
    /// `ECONNRESET` and then `EPIPE` for a reset one.
    pub taken: Result<u32, Errno>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_read_from_the_bits_that_linux_6_18_gives() {
        for (bits, readable, writable, hangup) in [
            (0x1, true, false, false),
            (0x4, false, true, false),
            (0x2000, false, false, true),
            (0x2010, false, false, true),
            (0x2018, false, false, true),
            (0x2005, true, true, true),
            (0x8000_0000, false, false, false),
        ] {
            let found = Readiness::from_bits(bits);
            assert_eq!(
                (found.is_readable(), found.is_writable(), found.is_hangup()),
                (readable, writable, hangup),
                "{bits:#x}"
            );
        }
    }
}
