//! The count of streams that all shards of this process share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corecast_core::connection::PeerHash;
use corecast_core::engine::census::{Census, Full};

/// The limits, and how near to them the process is. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct SharedCensus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connections_max: u32,
    per_ip_max: u32,
    streams: AtomicU32,
    /// Empty while `per_ip_max` is 0. One lock for a connect and a disconnect is far below what either costs.
    addresses: Mutex<HashMap<PeerHash, u32>>,
}

impl SharedCensus {
    /// At most `connections_max` streams; at most `per_ip_max` of one address, 0 for no such limit.
    #[must_use]
    pub fn new(connections_max: u32, per_ip_max: u32) -> Self {
        let shared =
            Shared { connections_max, per_ip_max, streams: AtomicU32::new(0), addresses: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Streams in the process.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.shared.streams.load(Ordering::Relaxed)
    }

    fn try_enter_address(&self, peer: PeerHash) -> bool {
        if self.shared.per_ip_max == 0 {
            return true;
        }
        let mut addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(peer).or_insert(0);
        let room = *count < self.shared.per_ip_max;
        *count += u32::from(room);
        room
    }

    fn leave_address(&self, peer: PeerHash) {
        if self.shared.per_ip_max == 0 {
            return;
        }
        let mut addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&peer);
            }
        }
    }
}

impl Census for SharedCensus {
    fn try_enter(&self, peer: PeerHash) -> Result<(), Full> {
        if !self.try_enter_address(peer) {
            return Err(Full::Address);
        }
        let limit = self.shared.connections_max;
        let entered = self.shared.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |streams| {
            (streams < limit).then_some(streams + 1)
        });
        if entered.is_err() {
            self.leave_address(peer);
            return Err(Full::Process);
        }
        Ok(())
    }

    fn leave(&self, peer: PeerHash) {
        self.shared.streams.fetch_sub(1, Ordering::Relaxed);
        self.leave_address(peer);
    }
}

#[cfg(test)]
mod tests {
    use corecast_core::hash::HashSeed;

    use super::*;

    #[test]
    fn whoever_leaves_makes_room_for_another() {
        let census = SharedCensus::new(2, 1);
        let [alice, bob, carol] =
            [1, 2, 3].map(|host| PeerHash::of(HashSeed::new(1), [127, 0, 0, host].into()));
        assert_eq!(census.try_enter(alice), Ok(()));
        assert_eq!(census.try_enter(alice), Err(Full::Address));
        assert_eq!(census.try_enter(bob), Ok(()));
        assert_eq!(census.try_enter(carol), Err(Full::Process));
        census.leave(alice);
        assert_eq!(census.try_enter(carol), Ok(()));
        assert_eq!(census.streams(), 2);
    }
}
