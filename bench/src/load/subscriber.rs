//! What the load knows of each subscriber, small enough that a million of them fit.

use corecast_ring::Token;

use super::ANY;
use super::scan::Carry;

/// One subscriber, connected or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subscriber {
    /// Counts its connections, within 24 bits: late completions of an earlier one are told by it.
    pub(super) generation: u32,
    /// The number of the next event to all.
    pub(super) next_to_all: u32,
    /// The number of the next event of its own stream.
    pub(super) next_own: u32,
    pub(super) phase: Phase,
    pub(super) is_stalled: bool,
    /// A receive is with the kernel.
    pub(super) is_armed: bool,
    /// Its whole stream is parsed.
    pub(super) is_parsed: bool,
    pub(super) carry: Carry,
}

impl Subscriber {
    /// Whether events to all are complete only once it has them.
    #[inline]
    pub(super) fn is_counted(&self) -> bool {
        self.phase.is_connected() && !self.is_stalled && self.next_to_all != ANY
    }
}

const _: () = assert!(size_of::<Subscriber>() <= 64, "a million subscribers take 64 MB at most");

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Idle,
    /// Its turn to connect has not come.
    Queued,
    Connecting,
    /// Connected; the head of the answer is not there yet.
    Head,
    /// The answer is an event stream.
    Live,
}

impl Phase {
    pub(super) fn is_connected(self) -> bool {
        matches!(self, Self::Head | Self::Live)
    }

    /// Whether the target has yet to answer.
    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::Connecting | Self::Head)
    }
}

/// What a completion is about: `kind:8 | generation:24 | number:32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Receive,
    Send,
    PublisherReceive,
    PublisherSend,
    PublisherWritable,
}

/// Below this a generation fits into a token.
const GENERATION_END: u32 = 1 << 24;

pub(super) fn next_generation(generation: u32) -> u32 {
    (generation + 1) % GENERATION_END
}

impl Kind {
    #[inline]
    pub(super) fn token(self, number: u32, generation: u32) -> Token {
        Token::new((self as u64) << 56 | u64::from(generation) << 32 | u64::from(number))
    }

    /// Kind, number and generation; `None` of a token that is not ours.
    #[inline]
    pub(super) fn read(token: Token) -> Option<(Self, u32, u32)> {
        let value = token.value();
        let kind = match value >> 56 {
            0 => Self::Connect,
            1 => Self::Receive,
            2 => Self::Send,
            3 => Self::PublisherReceive,
            4 => Self::PublisherSend,
            5 => Self::PublisherWritable,
            _ => return None,
        };
        Some((kind, value as u32, (value >> 32) as u32 % GENERATION_END))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_written() {
        for kind in [
            Kind::Connect,
            Kind::Receive,
            Kind::Send,
            Kind::PublisherReceive,
            Kind::PublisherSend,
            Kind::PublisherWritable,
        ] {
            for (number, generation) in [(0, 0), (u32::MAX, GENERATION_END - 1)] {
                assert_eq!(Kind::read(kind.token(number, generation)), Some((kind, number, generation)));
            }
        }
        assert_eq!(Kind::read(Token::new(6 << 56)), None);
        assert_eq!(next_generation(GENERATION_END - 1), 0);
    }
}
