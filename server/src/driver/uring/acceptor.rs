//! Oneshot accepts: a few armed at a time, as many as the pace allows.
//!
//! With no free slot the kernel would accept a connection only to close it, which is why the pace leaves some free.

use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::time::Instant;
use corecast_ring::{Listener, Ring};

use super::token::{Operation, token};
use crate::driver::pace::{ACCEPTS, Pace};
use crate::driver::sockets::set_user_timeout;

/// See the module.
pub(super) struct Acceptor {
    /// What connections come from: one socket, or several that nobody else accepts from. None once the hub stops.
    listeners: Vec<Source>,
    /// Over all of them, those whose listener is gone included.
    armed: u32,
    /// Which comes first, so that a herd at one does not keep the others waiting.
    first: usize,
}

/// A listener, and the accepts that are armed on it.
struct Source {
    listener: Listener,
    armed: u32,
}

impl Acceptor {
    pub(super) fn new(listeners: Vec<Listener>) -> Self {
        let listeners = listeners.into_iter().map(|listener| Source { listener, armed: 0 }).collect();
        Self { listeners, armed: 0, first: 0 }
    }

    /// When the kernel gives up peers that connect from now on.
    pub(super) fn set_user_timeout(&self, timeout: Duration) {
        set_user_timeout(self.listeners.iter().map(|source| &source.listener), timeout);
    }

    /// Arms as many accepts as are allowed.
    pub(super) fn arm(&mut self, ring: &mut Ring, pace: &mut Pace, connections: u32, now: Instant) {
        if self.listeners.is_empty() {
            return;
        }
        let most = self.armed + pace.allow(connections, self.armed, now);
        let count = self.listeners.len();
        let share = (ACCEPTS / count as u32).max(1);
        for number in (self.first..self.first + count).map(|number| number % count) {
            let source = &mut self.listeners[number];
            // The name of an accept says which listener it is of.
            let name = token(Operation::Accept, ConnectionId { index: number as u32, generation: 0 });
            while source.armed < share && self.armed < most && ring.accept(&source.listener, name).is_ok() {
                source.armed += 1;
                self.armed += 1;
            }
        }
        self.first = (self.first + 1) % count;
        pace.give_back(most - self.armed);
    }

    /// Accepts that are armed, or whose end has not been seen.
    pub(super) fn armed(&self) -> u32 {
        self.armed
    }

    /// An accept of the listener with this number has ended.
    pub(super) fn on_end(&mut self, number: u32) {
        self.armed -= 1;
        if let Some(source) = self.listeners.get_mut(number as usize) {
            source.armed -= 1;
        }
    }

    /// Accepts no more, and gives the address up if nobody else has the socket.
    pub(super) fn stop(&mut self, ring: &mut Ring) {
        if !std::mem::take(&mut self.listeners).is_empty() {
            ring.cancel_accepts();
        }
    }
}
