//! Connections on their way from another shard: the socket comes through the ring, what is known of it through the
//! inbox, in either order.

use std::collections::HashMap;

use corecast_core::engine::output::ShardId;
use corecast_core::engine::parcel::Parcel;

/// A key is the sending shard and its count of moves: unique for 2^40 moves.
const COUNT_BITS: u32 = 40;

/// Halves that wait for their other half.
#[derive(Default)]
pub(super) struct Arrivals {
    shard: u64,
    sent: u64,
    parcels: HashMap<u64, Box<Parcel>>,
    sockets: HashMap<u64, u32>,
}

impl Arrivals {
    pub(super) fn new(shard: ShardId) -> Self {
        Self { shard: u64::from(shard.0), ..Self::default() }
    }

    /// A key for the next connection that this shard passes on.
    pub(super) fn next_key(&mut self) -> u64 {
        self.sent = (self.sent + 1) % (1 << COUNT_BITS);
        self.full_key(self.sent)
    }

    /// The key of which only the count came back.
    pub(super) fn full_key(&self, count: u64) -> u64 {
        self.shard << COUNT_BITS | count
    }

    /// A socket has come; gives its parcel if that is here.
    pub(super) fn on_socket(&mut self, key: u64, slot: u32) -> Option<Box<Parcel>> {
        let parcel = self.parcels.remove(&key);
        if parcel.is_none() {
            self.sockets.insert(key, slot);
        }
        parcel
    }

    /// A parcel has come; gives it back with its socket if that is here.
    pub(super) fn on_parcel(&mut self, key: u64, parcel: Box<Parcel>) -> Option<(u32, Box<Parcel>)> {
        match self.sockets.remove(&key) {
            Some(slot) => Some((slot, parcel)),
            None => {
                self.parcels.insert(key, parcel);
                None
            }
        }
    }

    /// The socket of this parcel will not come.
    pub(super) fn forget(&mut self, key: u64) {
        self.parcels.remove(&key);
    }
}
