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
    limits: Cell<Limits>,
    /// Whether it never says that it is full.
    is_planted: bool,
    /// Whether anybody was refused since it was last looked at.
    was_full: Cell<bool>,
    addresses: RefCell<BTreeMap<PeerHash, u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    streams_max: u32,
    per_ip_max: u32,
}

impl Count {
    /// Nobody yet.
    pub(super) fn new(limits: &LimitSettings, plant: Plant) -> Self {
        let count = Self {
            shared: Rc::new(Shared {
                streams: Cell::new(0),
                limits: Cell::new(Limits { streams_max: 0, per_ip_max: 0 }),
                is_planted: plant == Plant::UncountedStreams,
                was_full: Cell::new(false),
                addresses: RefCell::default(),
            }),
        };
        count.set_limits(limits);
        count
    }

    /// Counts under these limits from now on. Who is in stays.
    pub(super) fn set_limits(&self, limits: &LimitSettings) {
        let streams_max = if self.shared.is_planted { u32::MAX } else { limits.connections };
        self.shared.limits.set(Limits { streams_max, per_ip_max: limits.per_ip });
    }

    fn count_in(&self, peer: PeerHash) {
        *self.shared.addresses.borrow_mut().entry(peer).or_insert(0) += 1;
        self.shared.streams.set(self.shared.streams.get() + 1);
    }

    fn full(&self, peer: PeerHash) -> Option<Full> {
        let Limits { streams_max, per_ip_max } = self.shared.limits.get();
        let of_peer = self.shared.addresses.borrow().get(&peer).copied().unwrap_or(0);
        if per_ip_max > 0 && of_peer >= per_ip_max {
            Some(Full::Address)
        } else {
            (self.shared.streams.get() >= streams_max).then_some(Full::Process)
        }
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
        let full = self.full(peer);
        if full == Some(Full::Process) {
            self.shared.was_full.set(true);
        }
        if let Some(full) = full {
            return Err(full);
        }
        self.count_in(peer);
        Ok(())
    }

    fn enter(&self, peer: PeerHash) -> Option<Full> {
        let full = self.full(peer);
        self.count_in(peer);
        full
    }

    fn leave(&self, peer: PeerHash) {
        self.shared.streams.set(self.shared.streams.get() - 1);
        let mut addresses = self.shared.addresses.borrow_mut();
        let of_peer = addresses.get_mut(&peer).expect("who leaves has entered");
        *of_peer -= 1;
    }
}
