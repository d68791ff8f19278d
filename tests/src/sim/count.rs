//! The count of streams that all shards of a simulated hub share, with its limits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use corecast_core::connection::PeerHash;
use corecast_core::engine::census::{Census, Full};
use corecast_core::settings::LimitSettings;

use super::plant::Plant;

/// Streams over all shards, and the most there may be.
#[derive(Clone, Debug)]
pub(super) struct Count {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    streams: Cell<u32>,
    streams_max: u32,
    per_ip_max: u32,
    /// Whether anybody was refused since it was last looked at.
    was_full: Cell<bool>,
    addresses: RefCell<BTreeMap<PeerHash, u32>>,
}

impl Count {
    /// Nobody yet.
    pub(super) fn new(limits: &LimitSettings, plant: Plant) -> Self {
        let streams_max = if plant == Plant::UncountedStreams { u32::MAX } else { limits.connections };
        let shared = Shared {
            streams: Cell::new(0),
            streams_max,
            per_ip_max: limits.per_ip,
            was_full: Cell::new(false),
            addresses: RefCell::default(),
        };
        Self { shared: Rc::new(shared) }
    }

    /// How many there are.
    pub(super) fn streams(&self) -> u32 {
        self.shared.streams.get()
    }

    /// Whether anybody was refused for the sum since this was last asked.
    pub(super) fn take_was_full(&self) -> bool {
        self.shared.was_full.take()
    }
}

impl Census for Count {
    fn try_enter(&self, peer: PeerHash) -> Result<(), Full> {
        let shared = &self.shared;
        let mut addresses = shared.addresses.borrow_mut();
        let of_peer = addresses.entry(peer).or_insert(0);
        if shared.per_ip_max > 0 && *of_peer == shared.per_ip_max {
            return Err(Full::Address);
        }
        if shared.streams.get() >= shared.streams_max {
            shared.was_full.set(true);
            return Err(Full::Process);
        }
        *of_peer += 1;
        shared.streams.set(shared.streams.get() + 1);
        Ok(())
    }

    fn leave(&self, peer: PeerHash) {
        self.shared.streams.set(self.shared.streams.get() - 1);
        let mut addresses = self.shared.addresses.borrow_mut();
        let of_peer = addresses.get_mut(&peer).expect("who leaves has entered");
        *of_peer -= 1;
    }
}
