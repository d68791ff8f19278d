//! Connections of a shard: identities, slots and states.

pub mod arena;
pub(crate) mod compact;
pub mod peer;
pub(crate) mod state;

pub use peer::{Peer, PeerHash};
pub use state::Phase;

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

/// One accepted socket and what is known of it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where in its life it is.
    pub(crate) state: state::State,
}

const _: () = assert!(size_of::<Option<Connection>>() == 24, "an idle stream has one");
