//! What the driver calls its operations: `operation:8 | generation:24 | slot:32`, or `operation:8 | key:56`.

use corecast_core::connection::ConnectionId;
use corecast_core::engine::output::ShardId;
use corecast_ring::Token;

use crate::driver::sockets::Watch;

/// What was asked of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Operation {
    Accept = 1,
    Arrive,
    Pass,
    Readable,
    Writable,
    Send,
    Receive,
    Wake,
}

const OPERATIONS: [Operation; 8] = [
    Operation::Accept,
    Operation::Arrive,
    Operation::Pass,
    Operation::Readable,
    Operation::Writable,
    Operation::Send,
    Operation::Receive,
    Operation::Wake,
];

const KEY_BITS: u32 = 56;
const PASS_KEY_BITS: u32 = 40;

impl From<Watch> for Operation {
    fn from(watch: Watch) -> Self {
        match watch {
            Watch::Readable => Self::Readable,
            Watch::Writable => Self::Writable,
        }
    }
}

/// Names an operation on a connection.
pub(super) fn token(operation: Operation, id: ConnectionId) -> Token {
    let generation = u64::from(id.generation % ConnectionId::GENERATION_MODULUS);
    Token::new((operation as u64) << KEY_BITS | generation << 32 | u64::from(id.index))
}

/// Reads a token back. It comes from the kernel, so it may be anything.
pub(super) fn read(token: Token) -> Option<(Operation, ConnectionId)> {
    let value = token.value();
    let number = (value >> KEY_BITS) as usize;
    let operation = *OPERATIONS.get(number.checked_sub(1)?)?;
    let generation = (value >> 32) as u32 % ConnectionId::GENERATION_MODULUS;
    Some((operation, ConnectionId { index: value as u32, generation }))
}

/// Names an operation by a key of 56 bits.
pub(super) fn keyed(operation: Operation, key: u64) -> Token {
    Token::new((operation as u64) << KEY_BITS | key & ((1 << KEY_BITS) - 1))
}

/// The key of a token made by `keyed`.
pub(super) fn key(token: Token) -> u64 {
    token.value() & ((1 << KEY_BITS) - 1)
}

/// Names the passing of a socket: to whom, and the last part of its key.
pub(super) fn pass(to: ShardId, key: u64) -> Token {
    keyed(Operation::Pass, u64::from(to.0) << PASS_KEY_BITS | key & ((1 << PASS_KEY_BITS) - 1))
}

/// Reads a token made by `pass`.
pub(super) fn read_pass(token: Token) -> (ShardId, u64) {
    let value = key(token);
    (ShardId((value >> PASS_KEY_BITS) as u16), value & ((1 << PASS_KEY_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        for operation in OPERATIONS {
            for (index, generation) in [(0, 0), (u32::MAX, (1 << 24) - 1), (7, 9)] {
                let id = ConnectionId { index, generation };
                assert_eq!(read(token(operation, id)), Some((operation, id)));
            }
        }
        assert_eq!(read_pass(pass(ShardId(3), 77)), (ShardId(3), 77));
        assert_eq!(key(keyed(Operation::Arrive, 1 << 55)), 1 << 55);
    }

    #[test]
    fn what_was_never_packed_is_nobodys() {
        for value in [0, 1, 9 << 56, 0xfe << 56] {
            assert_eq!(read(Token::new(value)), None, "{value:#x}");
        }
    }
}
