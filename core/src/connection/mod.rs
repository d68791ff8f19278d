//! Connections of a shard: identities, slots and states.

pub mod arena;
pub(crate) mod compact;
pub(crate) mod state;

use std::net::IpAddr;

use crate::hash::HashSeed;

/// A connection's slot number. The host allocates it (for io_uring it is the direct descriptor), small numbers first,
/// so every structure keyed by it is a plain table that grows on demand.
pub type ConnectionIndex = u32;

/// Names one connection for as long as the shard lives: its slot, and which of the slot's connections it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The slot.
    pub index: ConnectionIndex,
    /// Counts the slot's connections, modulo `GENERATION_MODULUS`.
    pub generation: u32,
}

impl ConnectionId {
    /// Generations have 24 bits, so that slot, generation and an operation's tag share the 64 bits of a completion's
    /// `user_data`. A stale id could only be mistaken after 16.7 million connections in one slot, with a completion
    /// of the first still outstanding.
    pub const GENERATION_MODULUS: u32 = 1 << 24;
}

/// A peer's address in 8 bytes, under the engine's seed: all there is to ask is whether two are the same. Two addresses
/// share one with probability 2^-64; then they have one limit between them, and nothing worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerHash(u64);

impl PeerHash {
    /// The hash of `peer` under `seed`.
    #[must_use]
    pub fn of(seed: HashSeed, peer: IpAddr) -> Self {
        Self(seed.hash_of(peer))
    }
}

/// One accepted socket and what is known of it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The peer's address.
    pub(crate) peer: PeerHash,
    /// Where in its life it is.
    pub(crate) state: state::State,
}

const _: () = assert!(size_of::<Option<Connection>>() == 32, "an idle stream has one");
