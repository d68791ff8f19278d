//! What a connection takes of the machine, and how many a given amount is enough for.
//!
//! The hub refuses to start by these sums (`hub/capacity.rs`), and `doctor` tells them beforehand.
//! Not here: where the amounts are read.

use crate::driver::{ACCEPTS, Choice, DESCRIPTORS_BESIDE, MARGIN};

/// The kernel's side of an idle connection and ours (docs/operations.md, "Memory"), in bytes.
const CONNECTION_BYTES: u64 = 4400;

/// Bytes of a shard besides its connections: ring, buffers, tables (docs/operations.md, "Memory").
const SHARD_BYTES: u64 = 4 << 20;

/// Bytes of send buffer that a stalled reader holds: twice what the listener asks for.
pub(crate) const SLOW_READER_BYTES: u64 = 64 << 10;

/// One reader in so many is slow at the same time, in a bad moment.
const SLOW_READER_SHARE: u64 = 10;

/// Slots of a ring's table, at most (`IORING_MAX_FIXED_FILES`).
pub(crate) const TABLE_MAX: u64 = 1 << 20;

/// Slots beside streams: publishers, heads being read, refusals being told. Bounded, so that those cannot crowd out
/// streams, nor streams them.
const RESERVE_MIN: u64 = 1024;

/// The same as a share of the connections.
const RESERVE_SHARE: u64 = 16;

/// Above the largest `limits.connections` that can be set: whatever allows more bounds nothing.
const CONNECTIONS_MAX: u64 = 1 << 24;

/// Slots that all shards have together under this limit of open files: a ring has a table of its own, and whoever has none
/// shares the process's.
pub(crate) fn slots_under(nofile: u64, shards: u64, driver: Choice) -> u64 {
    match driver {
        Choice::Uring => nofile.min(TABLE_MAX) * shards,
        Choice::Monoio(_) => nofile.saturating_sub(DESCRIPTORS_BESIDE),
    }
}

/// Slots that a hub of so many connections needs in all tables together.
pub(crate) fn slots_for(connections: u64) -> u64 {
    connections + RESERVE_MIN.max(connections / RESERVE_SHARE) + u64::from(MARGIN + ACCEPTS)
}

/// The most connections that so many slots are enough for.
pub(crate) fn connections_in_slots(slots: u64) -> u64 {
    let free = slots.saturating_sub(u64::from(MARGIN + ACCEPTS));
    // n + n / 16, rounded down, grows by 17 with every 16 connections, and the last one of them takes two.
    let by_share =
        free / (RESERVE_SHARE + 1) * RESERVE_SHARE + (free % (RESERVE_SHARE + 1)).min(RESERVE_SHARE - 1);
    by_share.min(free.saturating_sub(RESERVE_MIN))
}

/// Bytes that a hub takes before it has a connection.
pub(crate) fn fixed_bytes(shards: u64, history_bytes: u64) -> u64 {
    (shards * SHARD_BYTES).saturating_add(history_bytes)
}

/// Bytes that so many idle connections take.
pub(crate) fn idle_bytes(connections: u64) -> u64 {
    connections * CONNECTION_BYTES
}

/// Readers that are slow together in a bad moment, of so many connections.
pub(crate) fn slow_readers(connections: u64) -> u64 {
    connections.div_ceil(SLOW_READER_SHARE)
}

/// The most idle connections that so many bytes are enough for.
pub(crate) fn connections_in_memory(bytes: u64) -> u64 {
    bytes / CONNECTION_BYTES
}

/// `connections` if it is a bound at all.
pub(crate) fn as_ceiling(connections: u64) -> Option<u64> {
    (connections <= CONNECTIONS_MAX).then_some(connections)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_for_some_connections() {
        for (connections, slots) in [
            (0, 1280),
            (1, 1281),
            (10_000, 11_280),
            (16_384, 17_664),
            (16_400, 17_681),
            (1_000_000, 1_062_756),
        ] {
            assert_eq!(slots_for(connections), slots, "{connections}");
        }
    }

    proptest! {
        #[test]
        fn the_ceiling_is_the_last_number_that_fits(slots in 1280_u64..1 << 31) {
            let connections = connections_in_slots(slots);
            prop_assert!(slots_for(connections) <= slots);
            prop_assert!(slots_for(connections + 1) > slots);
        }

        #[test]
        fn no_amount_overflows(slots: u64, history_bytes: u64) {
            prop_assert!(connections_in_slots(slots) <= slots);
            prop_assert!(fixed_bytes(1024, history_bytes) >= history_bytes);
        }
    }
}
