//! Which socket is on which ring, and how rings are made.
//!
//! A ring's table is bounded by the limit of open files, each on its own (io-uring.md, fact 6), so very many subscribers
//! are spread over several rings of the one thread.

use std::num::NonZeroU64;

use corecast_ring::{Ring, Setup, Slot, pin_to_core, raise_nofile, set_timer_slack};

use super::Fault;

/// Sockets on one ring at most, where the limit of open files allows it.
pub(super) const TABLE_MAX: u32 = 1 << 17;

/// Bytes of a receive buffer: 64 queued events of 128 bytes fit.
const BUFFER_BYTES: u32 = 16 * 1024;

/// Receive buffers of all rings together: few enough that what was received is still in the cache when it is looked at.
const BUFFERS: u32 = 1024;

/// Receive buffers of one ring, at least and at most: what one wait brings must find room.
const RING_BUFFERS_MIN: u32 = 64;
const RING_BUFFERS_MAX: u32 = 256;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) rings: u32,
    /// Slots of each ring; publishers have the last ones of the first ring.
    slots: u32,
    publishers: u32,
}

impl Layout {
    /// Spreads all sockets over as few rings as tables of `table` slots allow.
    ///
    /// # Errors
    /// [`Fault::Setup`] if publishers leave no room for subscribers.
    pub(super) fn new(subscribers: u32, publishers: u32, table: u32) -> Result<Self, Fault> {
        let Some(room) = table.checked_sub(publishers).filter(|&room| room > 0) else {
            let fault =
                format!("{publishers} publishers need a limit of open files above {table} (RLIMIT_NOFILE)");
            return Err(Fault::Setup(fault));
        };
        let rings = subscribers.div_ceil(room).max(1);
        Ok(Self { rings, slots: subscribers.div_ceil(rings) + publishers.max(1), publishers })
    }

    pub(super) fn subscriber(&self, number: u32) -> (usize, Slot) {
        ((number % self.rings) as usize, Slot(number / self.rings))
    }

    /// The slot of a publisher, on the first ring.
    pub(super) fn publisher(&self, number: u32) -> Slot {
        Slot(self.slots - self.publishers + number)
    }

    /// One of the rings.
    ///
    /// # Errors
    /// [`Fault::Setup`].
    pub(super) fn ring(&self) -> Result<Ring, Fault> {
        let setup = Setup { slots: self.slots, accepts: 0, receive_bytes: 1, ..Setup::default() };
        let refused = |error: corecast_ring::SetupError| Fault::Setup(error.to_string());
        let mut ring = Ring::new(&setup).map_err(refused)?;
        let buffers = (BUFFERS / self.rings).clamp(RING_BUFFERS_MIN, RING_BUFFERS_MAX).next_power_of_two();
        ring.provide_buffers(buffers as u16, BUFFER_BYTES).map_err(refused)?;
        Ok(ring)
    }
}

/// The size that tables can have, at most `wanted`: the limit of open files is raised as far as it goes.
///
/// # Errors
/// [`Fault::Setup`].
pub(super) fn table_limit(wanted: u32) -> Result<u32, Fault> {
    let limit = raise_nofile().map_err(|error| Fault::Setup(format!("the limit of open files: {error}")))?;
    Ok(u32::try_from(limit.soft).unwrap_or(u32::MAX).min(wanted))
}

/// Pins the thread to `core` and makes its timers exact.
///
/// # Errors
/// [`Fault::Setup`].
pub(super) fn settle_thread(core: usize) -> Result<(), Fault> {
    pin_to_core(core)
        .map_err(|error| Fault::Setup(format!("the thread cannot be pinned to core {core}: {error}")))?;
    set_timer_slack(NonZeroU64::MIN).map_err(|error| Fault::Setup(format!("exact timers: {error}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_socket_has_a_slot_of_its_own_within_the_table() {
        for (subscribers, publishers, table) in
            [(0, 0, 1), (1, 1, 2), (10, 3, 8), (2_000, 4, 1_004), (100, 0, 7)]
        {
            let layout = Layout::new(subscribers, publishers, table).unwrap();
            let subscribers = (0..subscribers).map(|number| layout.subscriber(number));
            let publishers = (0..publishers).map(|number| (0, layout.publisher(number)));
            let mut seen = HashSet::new();
            for (ring, slot) in subscribers.chain(publishers) {
                assert!(
                    ring < layout.rings as usize && slot.0 < layout.slots && slot.0 < table,
                    "{layout:?}"
                );
                assert!(seen.insert((ring, slot)), "{layout:?}: {ring} {slot:?} twice");
            }
        }
    }

    #[test]
    fn a_million_subscribers_take_51_rings_of_20_000() {
        assert_eq!(Layout::new(1_000_000, 4, 20_000).unwrap().rings, 51);
    }

    #[test]
    fn too_few_descriptors_are_told_with_the_remedy() {
        let fault = Layout::new(1, 8, 8).unwrap_err().to_string();
        assert!(fault.contains("RLIMIT_NOFILE"), "{fault}");
    }
}
