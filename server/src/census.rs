//! The count of streams that all shards of this process share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corecast_core::connection::PeerHash;
use corecast_core::engine::census::{Census, Full};

/// Parts of the table of addresses. Each has a lock of its own, so that shards seldom meet, and grows by itself, so that
/// with a million addresses nobody waits for more than a part of them to be moved.
const PARTS: usize = 256;

/// The limits, and how near to them the process is. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub struct SharedCensus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connections_max: AtomicU32,
    per_ip_max: AtomicU32,
    streams: AtomicU32,
    /// Streams of each address, also while they are not limited: a limit that is set later must know them. 16 B for each
    /// address that has any.
    addresses: Box<[Mutex<HashMap<PeerHash, u32>>]>,
}

impl SharedCensus {
    /// At most `connections_max` streams; at most `per_ip_max` of one address, 0 for no such limit.
    #[must_use]
    pub fn new(connections_max: u32, per_ip_max: u32) -> Self {
        let shared = Shared {
            connections_max: connections_max.into(),
            per_ip_max: per_ip_max.into(),
            streams: AtomicU32::new(0),
            addresses: (0..PARTS).map(|_| Mutex::default()).collect(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Counts under these limits from now on. Who is in stays.
    pub fn set_limits(&self, connections_max: u32, per_ip_max: u32) {
        self.shared.connections_max.store(connections_max, Ordering::Relaxed);
        self.shared.per_ip_max.store(per_ip_max, Ordering::Relaxed);
    }

    /// Streams in the process.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.shared.streams.load(Ordering::Relaxed)
    }

    fn part_of(&self, peer: PeerHash) -> MutexGuard<'_, HashMap<PeerHash, u32>> {
        let part = peer.part(PARTS);
        self.shared.addresses[part].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one stream more of this address, if it may have one or must be counted. Whether it may.
    fn enter_address(&self, peer: PeerHash, is_enforced: bool) -> bool {
        let limit = self.shared.per_ip_max.load(Ordering::Relaxed);
        let mut part = self.part_of(peer);
        let count = part.entry(peer).or_insert(0);
        let has_room = limit == 0 || *count < limit;
        *count += u32::from(has_room || !is_enforced);
        has_room
    }

    fn leave_address(&self, peer: PeerHash) {
        if let Entry::Occupied(mut count) = self.part_of(peer).entry(peer) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Census for SharedCensus {
    fn try_enter(&self, peer: PeerHash) -> Result<(), Full> {
        if !self.enter_address(peer, true) {
            return Err(Full::Address);
        }
        let limit = self.shared.connections_max.load(Ordering::Relaxed);
        let entered = self.shared.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |streams| {
            (streams < limit).then_some(streams + 1)
        });
        if entered.is_err() {
            self.leave_address(peer);
            return Err(Full::Process);
        }
        Ok(())
    }

    fn enter(&self, peer: PeerHash) -> Option<Full> {
        let limit = self.shared.connections_max.load(Ordering::Relaxed);
        let has_address_room = self.enter_address(peer, false);
        let has_room = self.shared.streams.fetch_add(1, Ordering::Relaxed) < limit;
        if has_address_room { (!has_room).then_some(Full::Process) } else { Some(Full::Address) }
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

    #[test]
    fn a_limit_that_is_set_later_knows_who_is_there() {
        let census = SharedCensus::new(10, 0);
        let [alice, bob] = [1, 2].map(|host| PeerHash::of(HashSeed::new(1), [127, 0, 0, host].into()));
        (0..3).for_each(|_| census.try_enter(alice).unwrap());
        census.set_limits(10, 2);
        assert_eq!(census.try_enter(alice), Err(Full::Address));
        (0..2).for_each(|_| census.leave(alice));
        assert_eq!(census.try_enter(alice), Ok(()));
        census.set_limits(1, 0);
        assert_eq!(census.try_enter(bob), Err(Full::Process), "who is there stays, nobody comes in");
        assert_eq!(census.streams(), 2);
    }

    #[test]
    fn limits_that_are_not_enforced_say_what_they_would_have_done() {
        let census = SharedCensus::new(2, 1);
        let [alice, bob] = [1, 2].map(|host| PeerHash::of(HashSeed::new(1), [127, 0, 0, host].into()));
        assert_eq!(census.enter(alice), None);
        assert_eq!(census.enter(alice), Some(Full::Address));
        assert_eq!(census.enter(bob), Some(Full::Process));
        assert_eq!(census.streams(), 3);
        (0..2).for_each(|_| census.leave(alice));
        census.leave(bob);
        assert_eq!((census.streams(), census.try_enter(alice)), (0, Ok(())));
    }
}
